import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { get, rawAsk, rawPod, write } from './raw.ts';
import { codecRoutes, startStage } from './stage.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n';

/** A pod whose requests are answered when the test says so. */
async function heldPod() {
  const held: { readonly request: IncomingMessage; readonly response: ServerResponse }[] = [];
  const server = createServer((request, response) => held.push({ request, response }));
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    held.push({ request, response });
  });
  return { held, pod: await listenUntilTestEnds(server) };
}

/** Requests that nobody waits for: they take slots and places in the queue. */
function occupy(port: number, count: number): void {
  const end = new AbortController();
  for (let at = 0; at < count; at++) void fetch(`http://127.0.0.1:${port}/`, { signal: end.signal }).catch(() => {});
  onTestFinished(() => end.abort());
}

test('a refusal says why as JSON, as text and as a gRPC status, with when to come again', async () => {
  const { pod } = await heldPod();
  const { port } = await startStage(codecRoutes([pod], 'limit: 1, queue: {max: 1}'));
  occupy(port, 2);
  await pause(100);
  const words =
    'The queue of codec is full: 1 requests are waiting (queue.max), each pod works on at most 1 at a time (limit). Try again later.';
  const json = await fetch(`http://127.0.0.1:${port}/`);
  expect(json.status).toBe(429);
  expect(Number(json.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await json.json()).toEqual({ error: 'queue full', message: words, service: 'codec', status: 429 });
  const text = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'text/html' } });
  expect([text.status, await text.text()]).toEqual([429, `${words}\n`]);
  const grpc = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'content-type': 'application/grpc' } });
  expect(Object.fromEntries(grpc.headers)).toMatchObject({ 'grpc-status': '8', 'grpc-message': words });
  expect(grpc.headers.get('grpc-retry-pushback-ms')).toMatch(/^\d+000$/);
});

test('the status of a refusal is the one that the route file says', async () => {
  const { pod } = await heldPod();
  const { port } = await startStage(codecRoutes([pod], 'limit: 1, queue: {max: 1, full_status: 503}'));
  occupy(port, 2);
  await pause(100);
  const refused = await fetch(`http://127.0.0.1:${port}/`);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ error: 'queue full' });
});

test('the same without a limit, where Envoy itself refuses', async () => {
  const { pod } = await heldPod();
  for (const status of [429, 503]) {
    const { port } = await startStage(codecRoutes([pod], `max_requests: 1, queue: {full_status: ${status}}`));
    occupy(port, 1);
    await pause(100);
    const refused = await fetch(`http://127.0.0.1:${port}/`);
    expect(refused.status).toBe(status);
    expect(await refused.json()).toMatchObject({
      error: 'queue full',
      message: expect.stringContaining('(max_requests)'),
    });
  }
});

test('who waits too long is told how long it could', async () => {
  const { pod } = await heldPod();
  const { port } = await startStage(codecRoutes([pod], 'limit: 1, queue: {timeout: 300ms}'));
  occupy(port, 1);
  await pause(50);
  const began = instant();
  const late = await fetch(`http://127.0.0.1:${port}/`);
  expect(instant() - began).toBeLessThan(600);
  expect(late.status).toBe(503);
  expect(await late.json()).toMatchObject({
    error: 'waited too long',
    message: 'No pod of codec was free for this request within 300ms (queue.timeout). No pod has seen it.',
  });
});

test('Expect: 100-continue is answered when the slot is there', async () => {
  const { held, pod } = await heldPod();
  const { port } = await startStage(codecRoutes([pod]));
  occupy(port, 1);
  await until(() => held.length === 1, { what: 'the pod is busy' });
  const request = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n';
  const asked = rawAsk(port, request, { until: /100 Continue/ });
  await pause(300);
  held[0]?.response.end('ok');
  const answer = await asked;
  expect(answer.status).toBe(100);
  expect(answer.lastByteMs).toBeGreaterThan(290);
});

test('who asks whether to send a body and is refused keeps it', async () => {
  const { pod } = await heldPod();
  const { port } = await startStage(codecRoutes([pod], 'limit: 1, queue: {max: 1}'));
  occupy(port, 2);
  await pause(100);
  const request = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n';
  const answer = await rawAsk(port, request, { until: /\}\n/ });
  expect(answer.status).toBe(429);
  expect(answer.text).not.toContain('100 Continue');
});

test('timeout.request counts from the slot on, and takes out no pod', async () => {
  const { held, pod } = await heldPod();
  const { port, podEvents } = await startStage(codecRoutes([pod], 'limit: 1, timeout: {request: 500ms}'));
  const ask = () => {
    const began = instant();
    return fetch(`http://127.0.0.1:${port}/`).then(async (answer) => [answer.status, instant() - began] as const);
  };
  const [first, second, third] = [ask(), ask(), ask()];
  await until(() => held.length === 3, { what: 'the third is at the pod' });
  held[2]?.response.end('ok');
  const ended = await Promise.all([first, second, third]);
  expect(ended.map(([status]) => status)).toEqual([504, 504, 200]);
  // Each had its whole half second at the pod.
  expect(ended[0][1]).toBeGreaterThan(450);
  expect(ended[1][1]).toBeGreaterThan(950);
  expect(podEvents).toEqual([]);
});

test('a request whose pod cannot be reached goes to another, with its body', async () => {
  const gone = createTcpServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
  const bound = gone.address();
  if (typeof bound !== 'object' || bound === null) throw new Error('not bound');
  gone.close();
  const sizes: number[] = [];
  const pod = await listenUntilTestEnds(
    createServer((request, response) => {
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
      });
      request.on('end', () => {
        sizes.push(size);
        response.end('ok');
      });
    }),
  );
  const { port, podEvents } = await startStage(codecRoutes([`127.0.0.1:${bound.port}`, pod], 'limit: 2'));
  const bodies = [10, 100_000, 900_000, 10, 10, 10];
  for (const size of bodies) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: Buffer.alloc(size) });
    expect(answer.status).toBe(200);
  }
  expect(sizes).toEqual(bodies);
  expect(podEvents).toContain(`ejected 127.0.0.1:${bound.port}`);
  expect(podEvents.filter((event) => event.endsWith(pod))).toEqual([]);
});

test('while no pod can be reached requests are held, and go on when one is there', async () => {
  const place = createServer((_, response) => response.end('ok'));
  const pod = await listenUntilTestEnds(place);
  const portOfPod = Number(pod.split(':')[1]);
  const { port } = await startStage(codecRoutes([pod], 'limit: 2'));
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  place.closeAllConnections();
  await new Promise((resolve) => place.close(resolve));
  const held = Promise.all(Array.from({ length: 10 }, () => fetch(`http://127.0.0.1:${port}/`).then((r) => r.status)));
  await pause(700);
  const back = createServer((_, response) => response.end('ok'));
  await new Promise<void>((resolve) => back.listen(portOfPod, '127.0.0.1', resolve));
  onTestFinished(() => {
    back.closeAllConnections();
    back.close();
  });
  expect(await held).toEqual(Array(10).fill(200));
});

test('a pod that is broken off once is not taken out, and nothing runs twice', async () => {
  let count = 0;
  const pod = await rawPod({
    once: (socket) => {
      count++;
      socket.destroy();
    },
    ok: write(OK),
  });
  const { port, podEvents } = await startStage(codecRoutes([pod]));
  const failed = await rawAsk(port, get('/once'), { until: /\}\n/ });
  expect([failed.status, failed.text]).toEqual([502, expect.stringContaining('"pod failed"')]);
  expect((await rawAsk(port, get('/ok'), { until: /ok\n/ })).status).toBe(200);
  expect(count).toBe(1);
  expect(podEvents).toEqual([]);
});
