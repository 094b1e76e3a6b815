import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { type Queue, startQueue } from './queue.ts';

const run = promisify(execFile);

const MEGABYTE = 1024 * 1024;

/** A queue that refuses everything for as long as its only slot and its only place are taken. */
async function refusing(workMs = 20_000): Promise<Queue> {
  const queue = await startQueue({ pods: 1, service: { queue: { max: 1 } } });
  startLoad(queue.h2(), burst(2, { name: 'busy', work: fixed(workMs) }));
  await queue.untilWaiting(1);
  return queue;
}

/** A request as Node's `http.request` makes it, which reads nothing while it writes. */
async function post(port: number, agent: Agent, bytes: number, headers: Record<string, string | number> = {}) {
  const asked = request({ host: '127.0.0.1', port, method: 'POST', agent, headers });
  asked.end(Buffer.alloc(bytes, 120));
  const [response] = await once(asked, 'response');
  const body = Buffer.concat(await response.toArray()).toString();
  return { status: response.statusCode, body, port: asked.socket?.localPort };
}

function agentOf(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return agent;
}

async function ids(queue: Queue): Promise<readonly string[]> {
  return (await queue.pods.requests()).map(({ id }) => id);
}

test.each([
  ['a length', (bytes: number) => ({ 'content-length': bytes })],
  ['chunks', () => ({ 'transfer-encoding': 'chunked' })],
])('who is refused while it sends 20 MB with %s gets the answer, and keeps its connection', async (_, headers) => {
  const queue = await refusing();
  const agent = agentOf();
  const own: unknown[] = [];
  for (const bytes of [20 * MEGABYTE, 3, 20 * MEGABYTE]) {
    const { status, body, port } = await post(queue.sluice.port, agent, bytes, headers(bytes));
    expect({ status, error: JSON.parse(body).error }).toEqual({ status: 429, error: 'queue full' });
    own.push(port);
  }
  expect(new Set(own).size).toBe(1);
  expect(await ids(queue)).toEqual(['busy0']);
});

test("Python's http.client gets the answer to a refused request of 20 MB", async () => {
  const queue = await refusing();
  const program = [
    'import http.client',
    `c = http.client.HTTPConnection("127.0.0.1", ${queue.sluice.port})`,
    'for _ in range(2):',
    '    c.request("POST", "/", b"x" * 20 * 1024 * 1024)',
    '    answer = c.getresponse()',
    '    print(answer.status, len(answer.read()) > 0)',
  ].join('\n');
  const { stdout } = await run('python3', ['-c', program]);
  expect(stdout).toBe('429 True\n429 True\n');
});

test('bodies of refused requests are not kept', async () => {
  const queue = await refusing();
  const heap = async () => queue.stat('server.memory_allocated');
  const before = await heap();
  let most = 0;
  const agents = Array.from({ length: 10 }, agentOf);
  const all = Promise.all(agents.map((agent) => post(queue.sluice.port, agent, 20 * MEGABYTE)));
  let ended = false;
  const watching = (async () => {
    while (!ended) {
      most = Math.max(most, await heap());
      await pause(20);
    }
  })();
  expect((await all).map(({ status }) => status)).toEqual(agents.map(() => 429));
  ended = true;
  await watching;
  expect(most - before).toBeLessThan(60 * MEGABYTE);
});

test('whose body does not end is answered in the middle of it: after 5 s, or at once where it is too long', async () => {
  const queue = await refusing();
  const ask = (line: string, body: string) =>
    new Promise<{ readonly ms: number; readonly text: string }>((resolve, reject) => {
      const began = instant();
      const socket = connectTcp(queue.sluice.port, '127.0.0.1', () => {
        socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${line}\r\n\r\n${body}`);
      });
      onTestFinished(() => {
        socket.destroy();
      });
      socket.once('data', (text) => resolve({ ms: instant() - began, text: text.toString() }));
      socket.once('error', reject);
    });
  const [slow, long, expecting] = await Promise.all([
    ask('Content-Length: 100', 'the first bytes'),
    ask(`Content-Length: ${200 * MEGABYTE}`, 'the first bytes'),
    ask('Content-Length: 100\r\nExpect: 100-continue', ''),
  ]);
  for (const { text } of [slow, long, expecting]) expect(text).toMatch(/^HTTP\/1\.1 429 /);
  expect(slow.ms).toBeGreaterThan(4500);
  expect(slow.ms).toBeLessThan(8000);
  expect(Math.max(long.ms, expecting.ms)).toBeLessThan(2000);
});

test('over HTTP/2 the answer comes at once', async () => {
  const queue = await refusing();
  const session = connect(`http://127.0.0.1:${queue.sluice.port}`);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
  stream.write('the first bytes');
  stream.on('error', () => {});
  const began = instant();
  const [headers] = await once(stream, 'response');
  expect(headers[':status']).toBe(429);
  expect(instant() - began).toBeLessThan(2000);
});

test('clients that leave while they are refused leave nothing behind', async () => {
  const queue = await refusing(800);
  const sockets = Array.from({ length: 20 }, () => {
    const socket = connectTcp(queue.sluice.port, '127.0.0.1', () => {
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nthe first bytes');
    });
    return socket;
  });
  await until(async () => (await queue.stat('http.public.downstream_rq_active')) === 22, { what: '20 to be refused' });
  for (const socket of sockets) socket.resetAndDestroy();
  await until(async () => (await queue.stat('http.public.downstream_rq_active')) === 0, { what: 'all to be over' });
  const { status } = await post(queue.sluice.port, agentOf(), MEGABYTE, { 'x-test-id': 'after' });
  expect(status).toBe(200);
  expect(await ids(queue)).toEqual(['busy0', 'busy1', 'after']);
});
