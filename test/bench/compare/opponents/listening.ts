import { connect } from 'node:net';
import { until } from '../../../e2e/kit/instant.ts';

/** Waits until something listens on this port of 127.0.0.1. Throws with what `said` gives when it does not within 20 s. */
export async function listening(port: number, said: () => string): Promise<void> {
  await until(() => accepts(port), { what: `a listener on port ${port}` }).catch((error: Error) => {
    throw new Error(`${error.message}; the last words were\n${said()}`);
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
