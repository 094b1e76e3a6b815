import { describe, expect, test } from 'vitest';
import { load } from '../kit/load.ts';
import { burst, poisson, rateFor, spaced } from '../kit/load-plan.ts';
import { exponential, fixed } from '../kit/random.ts';
import { expectKept, startQueue } from './queue.ts';

describe('a cold burst of 200', () => {
  test('on 4 pods of limit 1, over one connection', async () => {
    const queue = await startQueue();
    const results = await load(queue.h2(), burst(200, { work: fixed(20) }));
    const verdict = await expectKept(queue, results, { title: 'burst of 200, limit 1', ordered: true });
    expect(verdict.strict.peak).toBe(1);
  });

  test('on 4 pods of limit 1, each over a connection of its own', async () => {
    const queue = await startQueue();
    const results = await load(queue.http1(), burst(200, { work: fixed(20) }));
    await expectKept(queue, results, { title: 'burst of 200 over 200 connections, limit 1' });
  });

  test.each(['http1', 'h2c'] as const)('on 4 pods of limit 3 (%s)', async (protocol) => {
    const queue = await startQueue({ limit: 3, protocol });
    const results = await load(queue.h2(), burst(200, { work: fixed(40) }));
    // Twelve begin at once, each with a connection to its pod that Envoy has to open first: on a busy machine some
    // milliseconds lie between two of them. Whoever waits for a slot waits for 40 ms.
    const kept = { title: `burst of 200, limit 3, ${protocol}`, ordered: true, tie: { arrived: 20 } };
    const verdict = await expectKept(queue, results, kept);
    expect(verdict.strict.peak).toBe(3);
    // Every pod was used as much as it may be.
    expect((await queue.pods.counts()).map(({ peak }) => peak)).toEqual([3, 3, 3, 3]);
  });
});

test.each([
  { protocol: 'http1', count: 1500 },
  { protocol: 'h2c', count: 500 },
] as const)('a Poisson load of 90 % ($protocol)', async ({ protocol, count }) => {
  const queue = await startQueue({ protocol });
  const client = queue.h2();
  await load(client, poisson(200, 200, { name: 'warm', work: exponential(5) }));
  await queue.untilHeld(0);
  await queue.pods.forget();
  const results = await load(client, poisson(count, rateFor(0.9, 4, 21), { work: exponential(20) }));
  // Target: "slot handed over in" has a median below 0.6 ms with http1 pods on a quiet machine.
  await expectKept(queue, results, { title: `Poisson, 90 %, ${protocol}`, ordered: true });
});

describe('first in, first out', () => {
  test.each(['http1', 'h2c'] as const)('whatever the work (%s)', async (protocol) => {
    const queue = await startQueue({ pods: 3, protocol });
    const results = await load(queue.h2(), spaced(200, 3, { work: exponential(30) }));
    await expectKept(queue, results, { title: `one request every 3 ms, ${protocol}`, ordered: true });
  });

  test('whatever the body: a large one does not hold up what comes after it', async () => {
    const queue = await startQueue({ pods: 2 });
    const sizes = [0, 1_000_000, 10, 300_000];
    const plan = spaced(60, 3, { work: fixed(20) }).map((one, index) => {
      return { ...one, body: Buffer.alloc(sizes[index % sizes.length] ?? 0) };
    });
    const results = await load(queue.h2(), plan);
    await expectKept(queue, results, { title: 'bodies of 0 to 1 MB in one queue', ordered: true });
  });
});
