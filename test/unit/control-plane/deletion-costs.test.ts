import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { fail, ok } from '../../../src/base/result.ts';
import { DeletionCosts, type PodWork } from '../../../src/control-plane/deletion-costs.ts';
import type { ApiFailure } from '../../../src/kubernetes/api.ts';
import { ObjectServer } from '../kubernetes/object-server.ts';

/** Pods that are busy or not, and what is written of them. */
function world(...names: readonly string[]) {
  const clock = new FakeClock();
  const busy = new Set<string>();
  const there = new Set(names);
  const written: string[] = [];
  const warned: unknown[] = [];
  const state: { failure: ApiFailure | undefined } = { failure: undefined };
  const costs = new DeletionCosts({
    clock,
    log: (level, message, fields) => warned.push([level, message, fields]),
    pods: () => [...there].map((name): PodWork => ({ namespace: 'media', name, isBusy: busy.has(name) })),
    api: {
      write: async (method, path, body) => {
        if (state.failure !== undefined) return fail(state.failure);
        written.push(`${method} ${path} ${JSON.stringify(body)}`);
        return ok('{}');
      },
    },
  });
  costs.start();
  return { clock, busy, there, written, warned, state, costs };
}

const line = (name: string, cost: string) =>
  `PATCH /api/v1/namespaces/media/pods/${name} {"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"${cost}"}}}`;

test('a pod that works for long costs more; two writes for each job', async () => {
  const { clock, busy, written, costs } = world('a', 'b');
  await clock.advance(2000);
  expect(written.splice(0)).toEqual([line('a', '0'), line('b', '0')]);
  busy.add('b');
  await clock.advance(3000);
  expect(written.splice(0)).toEqual([line('b', '1')]);
  await clock.advance(3_600_000);
  expect(written).toEqual([]);
  busy.delete('b');
  await clock.advance(3000);
  expect(written).toEqual([line('b', '0')]);
  costs.stop();
});

test('short jobs, and pods that go, are not written', async () => {
  const { clock, busy, there, written, costs } = world('a');
  await clock.advance(2000);
  written.splice(0);
  for (let i = 0; i < 20; i++) {
    busy.add('a');
    await clock.advance(500);
    busy.delete('a');
    await clock.advance(500);
  }
  expect(written).toEqual([]);
  busy.add('a');
  there.delete('a');
  await clock.advance(5000);
  expect(written).toEqual([]);
  costs.stop();
});

test('a missing right is said once, with what to do, and tried again', async () => {
  const { clock, busy, written, warned, state, costs } = world('a', 'b');
  state.failure = { kind: 'status', code: 403, message: 'not allowed to patch pods' };
  await clock.advance(60_000);
  expect(warned).toEqual([
    [
      'warn',
      expect.stringContaining('could not be written'),
      expect.objectContaining({ fix: expect.stringContaining('k8s/deletion-cost') }),
    ],
  ]);
  state.failure = undefined;
  busy.add('a');
  await clock.advance(15_000);
  expect(written.sort()).toEqual([line('a', '1'), line('b', '0')]);
  costs.stop();
});

/** Two pairs that use the same Pod of an API server. */
function twoPairs() {
  const clock = new FakeClock();
  const server = new ObjectServer();
  server.put('pods/a', {});
  const gone = new Set<string>();
  const pairs = ['one', 'two'].map((name) => {
    const busy = { isBusy: false };
    const costs = new DeletionCosts({
      clock,
      log: () => {},
      pods: () => [{ namespace: 'edge', name: 'a', isBusy: busy.isBusy }],
      api: server,
      pair: { name, isGone: async (other) => gone.has(other) },
    });
    costs.start();
    onTestFinished(() => costs.stop());
    return { busy, costs };
  });
  const annotations = () => server.objects.get('pods/a')?.metadata.annotations ?? {};
  return {
    clock,
    server,
    gone,
    pairs,
    annotations,
    cost: () => annotations()['controller.kubernetes.io/pod-deletion-cost'],
  };
}

test('of two pairs each says where it has work; a Pod is idle when none has', async () => {
  const { clock, pairs, annotations, cost } = twoPairs();
  const [one, two] = pairs;
  if (one === undefined || two === undefined) throw new Error('there are two');
  await clock.advance(2000);
  expect(cost()).toBe('0');
  one.busy.isBusy = true;
  await clock.advance(2000);
  two.busy.isBusy = true;
  await clock.advance(2000);
  one.busy.isBusy = false;
  await clock.advance(5000);
  expect([cost(), annotations()['busy.sluice.dev/two']]).toEqual(['1', '1']);
  two.busy.isBusy = false;
  await clock.advance(5000);
  expect(annotations()).toEqual({ 'controller.kubernetes.io/pod-deletion-cost': '0' });
});

test('work that another pair begins meanwhile counts; that of a pair whose Pod is gone does not', async () => {
  const { clock, server, gone, pairs, annotations, cost } = twoPairs();
  const [one] = pairs;
  if (one === undefined) throw new Error('there are two');
  one.busy.isBusy = true;
  await clock.advance(3000);
  one.busy.isBusy = false;
  // Between the two writes of the one that has no work left.
  const begins = { 'busy.sluice.dev/two': '1', 'controller.kubernetes.io/pod-deletion-cost': '1' };
  server.before = () => {
    server.before = () => server.put('pods/a', { metadata: { annotations: begins } });
  };
  await clock.advance(5000);
  expect(annotations()).toEqual(begins);
  gone.add('two');
  one.busy.isBusy = true;
  await clock.advance(3000);
  one.busy.isBusy = false;
  await clock.advance(3000);
  expect([cost(), annotations()['busy.sluice.dev/two']]).toEqual(['0', undefined]);
});
