import { expect, test } from 'vitest';
import { grpcClient } from '../kit/client-grpc.ts';
import { load } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { exponential, fixed } from '../kit/random.ts';
import { closedAfterTest, expectKept, startQueue } from './queue.ts';

const KINDS = ['unary', 'serverStream', 'clientStream', 'bidi'] as const;

test('all four kinds of gRPC call pass, trailers included', async () => {
  const queue = await startQueue({ protocol: 'grpc' });
  const client = closedAfterTest(grpcClient({ port: queue.sluice.port }));
  const kind = (index: number) => KINDS[index % KINDS.length] ?? 'unary';
  const plan = spaced(40, 5, { work: exponential(20) }).map((one, index) => ({ ...one, call: kind(index) }));
  const results = await load(client, plan);
  await expectKept(queue, results, { title: 'gRPC, four kinds of call', ordered: true });
  const answers = { unary: 'hello', serverStream: '012', clientStream: '3', bidi: 'hellohellohello' };
  for (const [index, { body, trailers }] of results.entries()) {
    expect(body).toBe(answers[kind(index)]);
    expect(trailers).toMatchObject({ 'x-done': '1' });
  }
});

test.each([1, 3])('a burst of 200 gRPC calls on pods of limit %i', async (limit) => {
  const queue = await startQueue({ protocol: 'grpc', limit });
  const client = closedAfterTest(grpcClient({ port: queue.sluice.port }));
  const results = await load(client, burst(200, { work: fixed(20) }));
  const verdict = await expectKept(queue, results, { title: `gRPC, burst of 200, limit ${limit}`, ordered: true });
  expect(verdict.strict.peak).toBe(limit);
});
