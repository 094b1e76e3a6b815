import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { pause, until } from '../kit/instant.ts';
import { load, startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { type Queue, startQueue } from './queue.ts';

interface Slow {
  readonly socket: Socket;
  /** What has come back. */
  answer(): string;
}

/** A client that has sent the headers of a request, and as much of its body. */
async function slow(
  queue: Queue,
  options: { readonly length: number; readonly head?: string; readonly body?: string },
): Promise<Slow> {
  const socket = connect(queue.sluice.port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {});
  const { length, head = '', body = '' } = options;
  socket.write(`POST / HTTP/1.1\r\nhost: test\r\nx-work-ms: 5\r\n${head}content-length: ${length}\r\n\r\n${body}`);
  return { socket, answer: () => text };
}

const coming = async (queue: Queue) => /"coming":(\d+)/.exec(JSON.stringify(await queue.sluice.status()))?.[1] ?? '0';

test('a slow client holds no slot, and joins the queue when its body is here', async () => {
  const queue = await startQueue({ pods: 1, service: { queue: { wait_for_body: '64KiB' } } });
  const client = await slow(queue, { length: 10, body: 'hello' });
  await until(async () => (await coming(queue)) === '1', { what: 'the status to tell of it' });
  expect(await queue.pods.held()).toBe(0);
  const others = await load(queue.http1(), burst(5, { work: fixed(20), each: { body: Buffer.from('whole') } }));
  expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  const held = startLoad(queue.http1(), burst(1, { name: 'held', work: fixed(400) }));
  await queue.untilHeld(1);
  client.socket.write('world');
  await until(async () => (await coming(queue)) === '0', { what: 'it to join' });
  expect(client.answer()).toBe('');
  await until(() => client.answer().startsWith('HTTP/1.1 200'), { what: 'its answer' });
  await held.results;
  expect(await queue.pods.peak()).toBe(1);
  // With all of its body.
  const bodies = await queue.pods.requests();
  expect(bodies.filter(({ outcome }) => outcome === 'answered')).toHaveLength(7);
});

test('larger bodies join when so much is here, and arrive whole', async () => {
  const queue = await startQueue({ pods: 1, service: { queue: { wait_for_body: '64KiB' } } });
  const part = 'x'.repeat(40 * 1024);
  const client = await slow(queue, { length: 5 * part.length, body: part });
  await until(async () => (await coming(queue)) === '1', { what: 'the status to tell of it' });
  expect(await queue.pods.held()).toBe(0);
  client.socket.write(part);
  // More than 64 KiB: it is at the pod, with the rest to come.
  await queue.untilHeld(1);
  await pause(50);
  client.socket.write(part.repeat(3));
  await until(() => client.answer().startsWith('HTTP/1.1 200'), { what: 'its answer' });
});

test('clients that leave, and those that wait for an answer first', async () => {
  const queue = await startQueue({ pods: 1, service: { queue: { wait_for_body: '1MiB' } } });
  const leaving = await slow(queue, { length: 10, body: 'hello' });
  await until(async () => (await coming(queue)) === '1', { what: 'the status to tell of it' });
  leaving.socket.destroy();
  await until(async () => (await coming(queue)) === '0', { what: 'it to be forgotten' });
  const polite = await slow(queue, { length: 5, head: 'expect: 100-continue\r\n' });
  await until(() => polite.answer().startsWith('HTTP/1.1 100'), { what: 'the pod to ask for the body' });
  polite.socket.write('hello');
  await until(() => polite.answer().includes('HTTP/1.1 200'), { what: 'its answer' });
  const chunked = await slow(queue, { length: 0, body: '' });
  await until(() => chunked.answer().startsWith('HTTP/1.1 200'), { what: 'the answer to an empty body' });
  const upgrade = connect(queue.sluice.port, '127.0.0.1');
  onTestFinished(() => {
    upgrade.destroy();
  });
  let text = '';
  upgrade.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  upgrade.write('GET /ws?id=ws&work=0 HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  await until(() => text.includes('101 Switching'), { what: 'the upgrade' });
});
