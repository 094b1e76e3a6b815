import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { fail, ok } from '../../../src/base/result.ts';
import { DeletionCosts, type PodWork } from '../../../src/control-plane/deletion-costs.ts';
import type { ApiFailure } from '../../../src/kubernetes/api.ts';

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
