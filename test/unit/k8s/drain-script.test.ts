import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../../k8s/base/envoy-admin.sh', import.meta.url));

/** An admin of Envoy that runs `answers[n]` requests when it is asked the nth time; undefined: it gives no answer. */
async function fakeAdmin(answers: readonly (number | undefined)[]) {
  const asked: string[] = [];
  let questions = 0;
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url?.split('?')[0]}`);
    const running = request.url?.startsWith('/stats') ? answers[Math.min(questions++, answers.length - 1)] : 0;
    // The first answer of each kind is missed as well.
    const isFirst = asked.filter((one) => one === asked.at(-1)).length === 1;
    if (running === undefined || (request.method === 'POST' && isFirst)) request.socket.destroy();
    else response.end(`http.public.downstream_rq_active: ${running}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not bound');
  return { port: bound.port, asked };
}

function drain(port: number): Promise<{ readonly code: number; readonly stderr: string }> {
  const env = { ...process.env, ENVOY_ADMIN_PORT: String(port), ENVOY_ADMIN_TRIES: '3', ENVOY_ADMIN_NOTICE: '1' };
  return new Promise((resolve) => {
    execFile('bash', [SCRIPT, 'drain'], { env }, (error, _, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stderr });
    });
  });
}

test('a drain goes on when answers are missed, and ends when nothing runs', async () => {
  const { port, asked } = await fakeAdmin([2, undefined, undefined, 1, undefined, 0, 0]);
  expect(await drain(port)).toEqual({ code: 0, stderr: '' });
  expect(asked.filter((one) => one.startsWith('POST'))).toEqual([
    'POST /healthcheck/fail',
    'POST /healthcheck/fail',
    'POST /drain_listeners',
    'POST /drain_listeners',
  ]);
  expect(asked.filter((one) => one === 'GET /stats')).toHaveLength(7);
});

test('an Envoy that has gone ends it, and that is said', async () => {
  const { port } = await fakeAdmin([2, undefined]);
  const { code, stderr } = await drain(port);
  expect(code).toBe(0);
  expect(stderr).toContain('has not answered 3 times in a row');
});

test.each([
  [['sluice.control::envoy://sluice.control/'], 1],
  [['public::0.0.0.0:80', 'sluice.control::envoy://sluice.control/'], 0],
  [['sluice.control::envoy://sluice.control/', '[::]:80::[::]:80'], 0],
  [['sluice.idle::envoy://sluice.idle/', 'sluice.control::envoy://sluice.control/'], 0],
  // Without the filter there is no listener of its own.
  [['public::0.0.0.0:80'], 0],
  [[], 0],
])('with the listeners %j an Envoy is ready: %i', async (listeners, code) => {
  const server = createServer((request, response) => {
    if (request.url === '/listeners') for (const line of listeners) response.write(`${line}\n`);
    response.end(request.url === '/ready' ? 'LIVE\n' : '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not bound');
  const env = { ...process.env, ENVOY_ADMIN_PORT: String(bound.port) };
  const found = await new Promise((resolve) => {
    execFile('bash', [SCRIPT, 'ready'], { env }, (error) => resolve(error === null ? 0 : Number(error.code)));
  });
  expect(found).toBe(code);
});
