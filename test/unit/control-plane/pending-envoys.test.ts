import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { PendingEnvoys } from '../../../src/control-plane/pending-envoys.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import type { ConnectedNode } from '../../../src/status/describe-node.ts';

const nodeOf = (id: string, status: 'in sync' | 'pending', userAgent = 'envoy 1.40.0'): ConnectedNode => ({
  node: { id, cluster: '', metadata: {} },
  userAgent,
  peer: '10.0.0.9:1',
  connectedSince: 0,
  types: [
    { typeUrl: TYPE_URLS.cluster, status, ackedVersion: '1' },
    { typeUrl: TYPE_URLS.listener, status: 'in sync', ackedVersion: '1', active: ['public'] },
  ],
});

function world() {
  const clock = new FakeClock();
  const state = { nodes: [] as readonly ConnectedNode[], changes: 0 };
  const pending = new PendingEnvoys({ clock, nodes: () => state.nodes, changed: () => void state.changes++ });
  onTestFinished(() => pending.stop());
  return {
    clock,
    state,
    pending,
    told: () => pending.problems([]).map(({ subject, message }) => `${subject} ${message}`),
  };
}

test('an Envoy that has been pending for more than 10 s is a problem with what it lacks, until it has that', async () => {
  const { clock, state, pending, told } = world();
  state.nodes = [nodeOf('slow', 'pending'), nodeOf('good', 'in sync'), nodeOf('tool', 'pending', 'grpc-node')];
  await clock.advance(14_000);
  expect([told(), state.changes]).toEqual([[], 0]);
  await clock.advance(6000);
  expect(told()).toEqual([
    'Envoy slow has not taken what there is for it, though that is long ago: Cluster is pending',
  ]);
  // Said once, and not beside what is known better.
  await clock.advance(60_000);
  expect(state.changes).toBe(1);
  expect(pending.problems([{ severity: 'error', subject: 'Envoy slow', message: 'is too old' }])).toEqual([]);
  state.nodes = [nodeOf('slow', 'in sync')];
  await clock.advance(5000);
  expect([told(), state.changes]).toEqual([[], 2]);
});

test('one that is pending now and then is none', async () => {
  const { clock, state, told } = world();
  for (let round = 0; round < 10; round++) {
    state.nodes = [nodeOf('busy', round % 2 === 0 ? 'pending' : 'in sync')];
    await clock.advance(5000);
    expect(told()).toEqual([]);
  }
});
