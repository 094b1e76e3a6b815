import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type DemoPod, startDemoPod } from '../../../src/demo/pods.ts';

const agent = new Agent({ keepAlive: true });
let pod: DemoPod | undefined;
afterEach(() => pod?.stop(0));

const start = async (workMs: number) => {
  pod = await startDemoPod({ name: 'pod-1', host: '127.0.0.1', port: 0, workMs });
  return pod;
};

/** Sends a request over a connection that is kept; resolves to its answer, or to the code of its error. */
const ask = (port: number) => {
  const asked = request({ agent, host: '127.0.0.1', port });
  const answer = new Promise<{ text: string; connection: string | undefined } | { error: string }>((resolve) => {
    asked.on('error', (error) => resolve({ error: 'code' in error ? String(error.code) : error.message }));
    asked.on('response', async (response: IncomingMessage) => {
      let text = '';
      for await (const piece of response) text += String(piece);
      resolve({ text, connection: response.headers.connection });
    });
    asked.end();
  });
  return { sent: new Promise((resolve) => asked.once('finish', resolve)), answer };
};

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a demo pod', () => {
  test('says how many requests it has at the same time', async () => {
    const { port } = await start(30);
    const first = await ask(port).answer;
    expect(first).toEqual({ text: 'pod-1: my request number 1, 1 at the same time\n', connection: 'keep-alive' });
  });

  test('that is stopped finishes what it works on, and takes nothing new', async () => {
    const { port, stop } = await start(400);
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    const idleClosed = once(idle, 'close');
    const working = ask(port);
    await working.sent;
    await pause(100);
    const stopped = stop(20_000);
    await idleClosed;
    expect(await ask(port).answer).toEqual({ error: 'ECONNREFUSED' });
    expect(await working.answer).toEqual({
      text: 'pod-1: my request number 1, 1 at the same time\n',
      connection: 'close',
    });
    await stopped;
  });

  test('does not wait for longer than it may', async () => {
    const { port, stop } = await start(60_000);
    const working = ask(port);
    await working.sent;
    await pause(100);
    await stop(50);
    expect(await working.answer).toEqual({ error: 'ECONNRESET' });
  });
});
