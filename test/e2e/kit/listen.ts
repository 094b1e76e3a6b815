import type { Server } from 'node:http';
import { onTestFinished } from 'vitest';

/** Has a server listen on a free port of 127.0.0.1 until the test that runs now has ended; resolves to its address. */
export async function listenUntilTestEnds(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) throw new Error('not bound');
  return `127.0.0.1:${bound.port}`;
}
