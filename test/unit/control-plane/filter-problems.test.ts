import { expect, test } from 'vitest';
import { filterProblems, PATIENCE_MS } from '../../../src/control-plane/filter-problems.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import type { ConnectedNode } from '../../../src/status/describe-node.ts';

const taken = { typeUrl: TYPE_URLS.listener, status: 'in sync', ackedVersion: '1', ackedSince: 20_000 } as const;

function problems(types: ConnectedNode['types'], { hasFilter = false, now = 20_000 + PATIENCE_MS } = {}) {
  const node = { id: 'edge-1', cluster: '', metadata: {} };
  const nodes = [{ node, userAgent: 'envoy 1.40.0', peer: '10.0.0.9:1', connectedSince: 0, types }];
  return filterProblems({ nodes, hasFilter: () => hasFilter, now }).map(
    ({ subject, message }) => `${subject} ${message}`,
  );
}

test('a filter that has not connected is a problem a while after Envoy has its listeners, however long that took', () => {
  expect(problems([taken], { now: 20_000 + PATIENCE_MS - 1 })).toEqual([]);
  expect(problems([taken])[0]).toMatch(/^Envoy edge-1 its queue filter has not connected; requests of services/);
  expect(problems([taken], { hasFilter: true })).toEqual([]);
});

test('who takes no requests needs none', () => {
  expect(problems([])).toEqual([]);
  expect(problems([{ ...taken, status: 'pending', ackedVersion: '' }])).toEqual([]);
});

test('one that Envoy rejected, with its words', () => {
  const nack = { message: 'no wasm', names: ['sluice.queue'], at: 0 };
  const rejected = { typeUrl: TYPE_URLS.extension, status: 'nacked', ackedVersion: '', nack } as const;
  expect(problems([taken, rejected])[0]).toMatch(
    /^Envoy edge-1 rejected the queue filter: no wasm; requests of services/,
  );
});
