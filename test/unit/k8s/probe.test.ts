import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { K8S } from './kustomize.ts';

let server: Server;
beforeAll(async () => {
  server = createServer((request, response) => {
    response.statusCode = request.url === '/healthz' ? 200 : 503;
    response.end(`this is\n${request.url}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

function portOf(listening: Server): number {
  const address = listening.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return address.port;
}

/** What the probe prints, and with which status it ends. */
function probe(port: number, path: string, ...more: readonly string[]): Promise<readonly [number, string]> {
  return new Promise((resolve) => {
    const env = { ...process.env, SLUICE_ADMIN_PORT: String(port) };
    const child = execFile('bash', [join(K8S, 'base/sluice-probe.sh'), path, ...more], { env }, (_, stdout) =>
      resolve([child.exitCode ?? -1, stdout.trim()]),
    );
  });
}

test('succeeds where the answer is 200, and says what it was', async () => {
  expect(await probe(portOf(server), '/healthz')).toEqual([0, 'this is\n/healthz']);
});

test('fails where it is another one', async () => {
  expect(await probe(portOf(server), '/readyz')).toEqual([1, 'this is\n/readyz']);
});

test('fails where nobody answers', async () => {
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const port = portOf(closed);
  closed.close();
  await once(closed, 'close');
  expect(await probe(port, '/healthz')).toEqual([1, '']);
});

test('with a file it succeeds for good once it has', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-probe-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'was-ready');
  expect(await probe(portOf(server), '/readyz', file)).toEqual([1, 'this is\n/readyz']);
  expect(await probe(portOf(server), '/healthz', file)).toEqual([0, 'this is\n/healthz']);
  expect(await probe(portOf(server), '/readyz', file)).toEqual([0, '']);
});
