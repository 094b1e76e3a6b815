import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import { expect, onTestFinished, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { get, rawAsk } from './raw.ts';
import { codecRoutes, startStage } from './stage.ts';

/** A pod that takes any number of headers, and what it has seen. */
async function takesAnything() {
  const seen: IncomingMessage[] = [];
  const server = createServer({ maxHeaderSize: 1_000_000 }, (request, response) => {
    seen.push(request);
    response.setHeader('x-sluice-pod', 'steers');
    response.setHeader('x-sluice-request', '1');
    response.end('ok');
  });
  server.maxHeadersCount = 0;
  return { seen, pod: await listenUntilTestEnds(server) };
}

const lines = (count: number) => Array.from({ length: count }, (_, at) => `X-${at}: 1`);

/** Requests that a pod gets. */
const TAKEN: Readonly<Record<string, string | Buffer>> = {
  'HTTP/1.0 without a Host': 'GET / HTTP/1.0\r\n\r\n',
  'OPTIONS by HTTP/1.0, as HAProxy checks': 'OPTIONS / HTTP/1.0\r\n\r\n',
  'HTTP/1.0 with keep-alive, as ab -k': 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: x\r\n\r\n',
  'an absolute URL': 'GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n',
  'an odd percent sign': get('/a%2'),
  'lines that end with LF': 'GET / HTTP/1.1\nHost: x\n\n',
  'an empty line first': `\r\n${get('/')}`,
  'UTF-8 in a header': Buffer.from(get('/', 'X-A: 视频')),
  'a header with an underscore': get('/', 'a_b: c'),
  '990 header lines': get('/', ...lines(990)),
  '250 KB of headers': get('/', `X-Big: ${'x'.repeat(250_000)}`),
  'a URL of 100 KB': get(`/${'x'.repeat(100_000)}`),
  'an upgrade to HTTP/2, which nobody must follow': get('/', 'Connection: Upgrade', 'Upgrade: h2c'),
};

/** Requests that nobody gets, and what their clients are told. */
const REFUSED: Readonly<Record<string, readonly [string | Buffer, number, string]>> = {
  'HTTP/1.1 without a Host': ['GET / HTTP/1.1\r\n\r\n', 400, 'needs a Host header'],
  'UTF-8 in the URL': [Buffer.from(get('/vidéo')), 400, 'percent-encode'],
  'a space in the URL': [get('/a b'), 400, 'percent-encode'],
  'a fragment in the URL': [get('/a#b'), 400, 'have no #'],
  'a path without a slash': ['OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n', 404, 'must begin with /'],
  'length and chunks': [
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
    400,
    'only one of them may be there',
  ],
  'a space before the colon': [get('/', 'A : b'), 400, 'no HTTP request that can be read'],
  TLS: [Buffer.from('160301020001', 'hex'), 400, 'no HTTP request that can be read'],
  'another upgrade': [get('/', 'Connection: Upgrade', 'Upgrade: other'), 403, 'only WebSocket'],
  '1,100 header lines': [get('/', ...lines(1100)), 431, 'more than 1000 header lines'],
  '300 KB of headers': [get('/', `X-Big: ${'x'.repeat(300_000)}`), 431, '256 KB of headers'],
};

test('what a pod gets, and what nobody gets and why', async () => {
  const { seen, pod } = await takesAnything();
  const { port } = await startStage(codecRoutes([pod]));
  for (const [what, request] of Object.entries(TAKEN)) {
    const answer = await rawAsk(port, request, { until: /\r\n\r\nok/ });
    expect(answer.status, what).toBe(200);
  }
  expect(seen).toHaveLength(Object.keys(TAKEN).length);
  for (const [what, [request, status, says]] of Object.entries(REFUSED)) {
    const answer = await rawAsk(port, request, { until: /\}\n$/ });
    expect([answer.status, answer.text], what).toEqual([status, expect.stringContaining(says)]);
    expect(answer.text, what).not.toMatch(/http1\.|_header|envoy/i);
  }
  expect(seen).toHaveLength(Object.keys(TAKEN).length);
});

/** An Envoy whose only pod works on one request, while another one fills the queue. */
async function fullStage(): Promise<number> {
  const pod = await listenUntilTestEnds(createServer(() => {}));
  const { port } = await startStage(codecRoutes([pod], 'limit: 1, queue: {max: 1}'));
  const end = new AbortController();
  for (const _ of [1, 2]) void fetch(`http://127.0.0.1:${port}/`, { signal: end.signal }).catch(() => {});
  onTestFinished(() => end.abort());
  await pause(100);
  return port;
}

test('who asks for too much is refused at once, whoever waits', async () => {
  const port = await fullStage();
  const answer = await rawAsk(port, get('/', ...lines(1100)), { until: /\}\n$/ });
  expect([answer.status, answer.lastByteMs < 500]).toEqual([431, true]);
});

test('a client of HTTP/1.0 that is refused has its end at once, or its connection kept, as it asked', async () => {
  const port = await fullStage();
  const closed = await rawAsk(port, 'GET / HTTP/1.0\r\n\r\n');
  expect([closed.status, closed.how, closed.endMs < 500]).toEqual([429, 'end', true]);
  expect(closed.text).toMatch(/retry-after: \d+\r\n/);
  const kept = await rawAsk(port, 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n', { withinMs: 1000 });
  expect([kept.status, kept.how]).toEqual([429, 'open']);
  expect(kept.text).toMatch(/connection: keep-alive\r\n/);
});

test('the same bounds hold for HTTP/2', async () => {
  const { pod } = await takesAnything();
  const { port } = await startStage(codecRoutes([pod]));
  const session = connect(`http://127.0.0.1:${port}`, { maxSendHeaderBlockLength: 1_000_000 });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  const ask = (count: number, size = 1) =>
    new Promise<number>((resolve) => {
      const headers = Object.fromEntries(lines(count).map((line) => [line.slice(0, -3), 'x'.repeat(size)]));
      const stream = session.request({ ':path': '/', ...headers });
      stream.on('response', (answer) => resolve(answer[':status'] ?? 0));
      stream.on('error', () => resolve(-1));
      stream.resume();
    });
  expect(await ask(980)).toBe(200);
  expect(await ask(10, 24_000)).toBe(200);
  expect(await ask(1100)).not.toBe(200);
});

test("Sluice's own headers are nobody else's, neither on requests nor on answers", async () => {
  const { seen, pod } = await takesAnything();
  const { port, envoy } = await startStage(codecRoutes([pod]));
  const own = ['x-sluice-pod: 127.0.0.1:1', 'X-Sluice-Request: 7.1', 'x-sluice-again: 1', 'x-sluice-trap: 1'];
  const answer = await rawAsk(port, get('/', ...own, 'x-envoy-upstream-stream-duration-ms: 1'), { until: /\nok/ });
  expect(answer.status).toBe(200);
  expect(answer.text).not.toMatch(/x-sluice/i);
  const [request] = seen;
  expect(Object.keys(request?.headers ?? {}).filter((name) => /x-sluice|x-envoy-upstream/.test(name))).toEqual([]);
  expect(envoy.logs).toEqual([]);
});
