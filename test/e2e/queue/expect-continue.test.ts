import { once } from 'node:events';
import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { startQueue } from './queue.ts';

/** A request that asks whether it may send its body; what it was told so far. */
function askFirst(port: number, id: string) {
  const headers = { expect: '100-continue', 'content-length': '5', 'x-test-id': id, 'x-echo': '1' };
  const asked = request({ host: '127.0.0.1', port, method: 'POST', agent: false, headers });
  onTestFinished(() => {
    asked.destroy();
  });
  const told = { goAhead: false };
  asked.once('continue', () => {
    told.goAhead = true;
    asked.end('hello');
  });
  const answer = once(asked, 'response').then(async ([response]) => {
    const text = Buffer.concat(await response.toArray()).toString();
    return { status: response.statusCode, body: JSON.parse(text) };
  });
  asked.flushHeaders();
  return { told, answer };
}

test.each(['http1', 'h2c'] as const)(
  'Expect: 100-continue: told to go ahead with the slot, not while it waits, and never when refused (%s)',
  async (protocol) => {
    const queue = await startQueue({ pods: 1, protocol, service: { queue: { max: 1 } } });
    const busy = startLoad(queue.h2(), burst(1, { name: 'busy', work: fixed(1500) }));
    await queue.untilHeld(1);
    const waits = askFirst(queue.sluice.port, 'waits');
    await queue.untilWaiting(1);
    const refused = askFirst(queue.sluice.port, 'refused');
    expect(await refused.answer).toMatchObject({ status: 429, body: { error: 'queue full' } });
    expect({ refused: refused.told.goAhead, waits: waits.told.goAhead }).toEqual({ refused: false, waits: false });
    await busy.results;
    const { status, body } = await waits.answer;
    expect({ status, bytes: body.bytes, goAhead: waits.told.goAhead }).toEqual({
      status: 200,
      bytes: 5,
      goAhead: true,
    });
    expect((await queue.pods.requests()).map(({ id }) => id)).toEqual(['busy0', 'waits']);
  },
);

test('Expect: 100-continue without a queue is for the pod to answer', async () => {
  const queue = await startQueue({ pods: 1, limit: undefined });
  const { told, answer } = askFirst(queue.sluice.port, 'asks');
  expect(await answer).toMatchObject({ status: 200, body: { bytes: 5 } });
  expect(told.goAhead).toBe(true);
});
