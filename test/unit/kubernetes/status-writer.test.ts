import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { fail, ok, type Result } from '../../../src/base/result.ts';
import type { ApiFailure } from '../../../src/kubernetes/api.ts';
import { StatusWriter, type WantedStatus } from '../../../src/kubernetes/status-writer.ts';

/** A writer whose API server answers when it is told to. */
function world() {
  const clock = new FakeClock();
  const asked: { path: string; body: unknown; answer: (result: Result<string, ApiFailure>) => void }[] = [];
  const told = { stale: 0, written: [] as string[] };
  const writer = new StatusWriter({
    api: {
      write: (_, path, body) => new Promise((answer) => asked.push({ path, body, answer })),
    },
    clock,
    log: () => {},
    random: () => 0,
    onWritten: ({ key }) => told.written.push(key),
    onStale: () => told.stale++,
  });
  const stopping = new AbortController();
  void writer.run(stopping.signal);
  return { clock, asked, told, writer, stop: () => stopping.abort() };
}

const wanted = (key: string, before: unknown, status: unknown): WantedStatus => ({
  key,
  path: `/${key}`,
  resourceVersion: '1',
  before: { a: before },
  status: { a: status },
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('only what differs is written, over the version that it was made for', async () => {
  const { asked, writer, told, stop } = world();
  writer.want([wanted('same', [1], [1]), wanted('other', [1], [2])]);
  expect(asked.map(({ path, body }) => [path, body])).toEqual([
    ['/other/status', { metadata: { resourceVersion: '1' }, status: { a: [2] } }],
  ]);
  asked[0]?.answer(ok('{"status":{"a":[2]}}'));
  await settled();
  expect(told).toEqual({ stale: 0, written: ['other'] });
  expect(writer.written).toBe(1);
  stop();
});

test('what is wanted while it is being written is asked for again afterwards', async () => {
  const { asked, writer, told, stop } = world();
  writer.want([wanted('x', 1, 2)]);
  writer.want([wanted('x', 1, 3)]);
  expect(asked).toHaveLength(1);
  asked[0]?.answer(ok('{"status":{"a":2}}'));
  await settled();
  expect(told.stale).toBe(1);
  stop();
});

test('a field that the API server does not keep is not written again and again', async () => {
  const { asked, writer, stop } = world();
  const both = { ...wanted('x', 1, 2), status: { a: 2, unknown: 3 } };
  writer.want([both]);
  asked[0]?.answer(ok('{"status":{"a":2}}'));
  await settled();
  writer.want([{ ...both, before: { a: 2 } }]);
  expect(asked).toHaveLength(1);
  writer.want([{ ...both, before: { a: 2 }, status: { a: 2, unknown: 4 } }]);
  expect(asked).toHaveLength(2);
  stop();
});

test('a failure is tried again later; a conflict is left to the watch', async () => {
  const { clock, asked, writer, told, stop } = world();
  writer.want([wanted('x', 1, 2), wanted('y', 1, 2)]);
  asked[0]?.answer(fail({ kind: 'unreachable', message: 'refused' }));
  asked[1]?.answer(fail({ kind: 'status', code: 409, message: 'conflict' }));
  await settled();
  expect(told.stale).toBe(0);
  await clock.advance(3000);
  expect(told.stale).toBe(1);
  stop();
});

test('not more than 16 are written at the same time', async () => {
  const { asked, writer, stop } = world();
  writer.want(Array.from({ length: 20 }, (_, at) => wanted(`o${at}`, 1, 2)));
  expect(asked).toHaveLength(16);
  for (const { answer } of asked.splice(0)) answer(ok('{}'));
  await settled();
  expect(asked).toHaveLength(4);
  stop();
});
