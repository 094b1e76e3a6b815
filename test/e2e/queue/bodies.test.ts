import { once } from 'node:events';
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { exchangeLarge, watchMemory } from '../kit/large-body.ts';
import { load, startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { startQueue } from './queue.ts';

const MB = 1024 * 1024;

test('a body of 256 MB each way through a request that waits: Envoy keeps none of it', {
  timeout: 180_000,
}, async () => {
  const queue = await startQueue({ pods: 1 });
  const busy = startLoad(queue.h2(), burst(1, { name: 'busy', work: fixed(1500) }));
  await queue.untilHeld(1);
  const memory = watchMemory(queue.sluice.envoy.pid);
  const large = exchangeLarge({ port: queue.sluice.port, id: 'large', bytes: 256 * MB });
  await queue.untilWaiting(1);
  expect((await busy.results).map(({ status }) => status)).toEqual([200]);
  const { status, sent, received } = await large;
  const grown = memory.stop() - memory.before;
  process.stdout.write(`── 256 MB each way: Envoy's memory grew by ${(grown / MB).toFixed(0)} MB at most\n`);
  expect({ status, sent }).toEqual({ status: 200, sent: 256 * MB });
  expect(received).toBeGreaterThan(256 * MB);
  // Envoy's buffers of both hops, each way; far below what went through.
  expect(grown).toBeLessThan(96 * MB);
});

test.each(['http1', 'h2c'] as const)(
  'a body in chunks arrives whole, with nothing said of its length (%s)',
  async (protocol) => {
    const queue = await startQueue({ pods: 1, protocol });
    const asked = request({ host: '127.0.0.1', port: queue.sluice.port, method: 'POST', agent: false });
    asked.setHeader('x-echo', '1');
    for (const piece of ['one', 'two', 'three']) {
      asked.write(piece);
      await pause(20);
    }
    asked.end();
    const [response] = await once(asked, 'response');
    const { bytes, headers } = JSON.parse(String(Buffer.concat(await response.toArray())));
    expect(bytes).toBe(11);
    expect(headers['content-length']).toBeUndefined();
  },
);

test('HTTP/1.0, HTTP/1.1 and HTTP/2 clients on the same port stand in one queue', async () => {
  const queue = await startQueue({ pods: 1 });
  const busy = startLoad(queue.h2(), burst(1, { name: 'busy', work: fixed(1000) }));
  await queue.untilHeld(1);
  const first = startLoad(queue.http1(), burst(1, { name: 'http1' }));
  await queue.untilWaiting(1);
  const second = startLoad(queue.h2(), burst(1, { name: 'h2' }));
  await queue.untilWaiting(2);
  const third = startLoad(queue.http1(), burst(1, { name: 'again' }));
  await queue.untilWaiting(3);
  const results = [
    ...(await busy.results),
    ...(await first.results),
    ...(await second.results),
    ...(await third.results),
  ];
  expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect((await queue.pods.requests()).map(({ id }) => id)).toEqual(['busy0', 'http10', 'h20', 'again0']);
  expect(await load(queue.http1(), burst(1))).toMatchObject([{ status: 200 }]);
});
