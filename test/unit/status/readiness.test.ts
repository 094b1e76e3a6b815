import { expect, test } from 'vitest';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { describeForReadiness, describeStatus, type StatusInput } from '../../../src/status/describe.ts';
import type { ConnectedNode } from '../../../src/status/describe-node.ts';
import { type Readiness, readinessOf, readyForGood } from '../../../src/status/readiness.ts';
import { exampleInput, exampleNode } from './example.ts';

type NodeType = ConnectedNode['types'][number];

const describe = (input: StatusInput) => describeForReadiness(input, () => describeStatus(input).services);

function readinessWith(types: readonly NodeType[]): Readiness {
  return readinessOf(describe(exampleInput({ nodes: [exampleNode({ types })] })));
}

const cluster: NodeType = { typeUrl: TYPE_URLS.cluster, status: 'in sync', ackedVersion: 'v1' };
const listener: NodeType = { typeUrl: TYPE_URLS.listener, status: 'in sync', ackedVersion: 'v1' };
const nack = { message: 'bad', names: [], at: 0 };

test('an Envoy in sync is enough', () => {
  expect(readinessWith([cluster, listener])).toEqual({ ready: true });
  const nodes = [exampleNode({ types: [] }), exampleNode()];
  expect(readinessOf(describe(exampleInput({ nodes })))).toEqual({ ready: true });
});

test('an Envoy that gets no slots is not ready: a rolling update goes no further', () => {
  const input = exampleInput();
  const { sharing } = input;
  expect(readinessOf(describe({ ...input, sharing: { ...sharing, takesPart: false } }))).toEqual({
    ready: false,
    reasons: [expect.stringContaining('gets no slots yet')],
  });
});

test('clusters alone are not a configuration: listeners come after them', () => {
  expect(readinessWith([cluster])).toEqual({
    ready: false,
    reasons: ['Envoy edge-1: Listener is not asked for yet'],
  });
});

test('something pending is not ready', () => {
  expect(readinessWith([{ ...cluster, status: 'pending' }, listener])).toEqual({
    ready: false,
    reasons: ['Envoy edge-1: Cluster is pending'],
  });
});

test('a refused change leaves what was there; a refused first version leaves nothing', () => {
  expect(readinessWith([cluster, { ...listener, status: 'nacked', nack }])).toEqual({ ready: true });
  expect(readinessWith([cluster, { ...listener, status: 'nacked', ackedVersion: '', nack }])).toEqual({
    ready: false,
    reasons: ['Envoy edge-1: Listener is rejected: bad'],
  });
});

test('of several listeners one for clients is enough; the one of Sluice is none', () => {
  const rejected = { ...listener, status: 'nacked', nack } as const;
  expect(readinessWith([cluster, { ...rejected, active: ['public', 'sluice.control'] }])).toEqual({ ready: true });
  expect(readinessWith([cluster, { ...rejected, active: ['sluice.control'] }])).toEqual({
    ready: false,
    reasons: ['Envoy edge-1: Listener is rejected: bad'],
  });
});

test('with the listener of the filter alone an Envoy takes no requests yet', () => {
  expect(readinessWith([cluster, { ...listener, active: ['sluice.control'] }])).toEqual({
    ready: false,
    reasons: ['Envoy edge-1: takes no requests yet: its queue filter does not know all services'],
  });
  for (const other of ['public', 'sluice.idle'])
    expect(readinessWith([cluster, { ...listener, active: [other, 'sluice.control'] }])).toEqual({ ready: true });
});

test('without an Envoy, a configuration or a route file: it says which', () => {
  expect(readinessOf(describe(exampleInput({ nodes: [] })))).toEqual({
    ready: false,
    reasons: ['no Envoy is connected'],
  });
  const waiting = exampleInput({
    nodes: [exampleNode({ types: [{ ...cluster, status: 'pending' }] })],
    model: undefined,
    configuration: undefined,
    podsOf: () => ({ kind: 'pending', problems: [] }),
  });
  expect(readinessOf(describe(waiting))).toEqual({
    ready: false,
    reasons: ['no configuration yet: waiting for the pods of codec, web'],
  });
  const early = describe(exampleInput({ nodes: [], configuration: undefined }));
  expect(readinessOf(early)).toEqual({ ready: false, reasons: ['no configuration yet'] });
  const broken = describe({
    ...waiting,
    routeFile: { path: 'r.yaml', state: { kind: 'pending', problems: [] } },
  });
  expect(readinessOf(broken)).toEqual({ ready: false, reasons: ['r.yaml cannot be used'] });
});

test('ready once is ready for good, and no longer asked', () => {
  const answers: Readiness[] = [{ ready: false, reasons: ['a'] }, { ready: true }, { ready: false, reasons: ['b'] }];
  const ready = readyForGood(() => answers.shift() ?? { ready: false, reasons: ['c'] });
  expect(ready()).toEqual({ ready: false, reasons: ['a'] });
  expect(ready()).toEqual({ ready: true });
  expect(ready()).toEqual({ ready: true });
  expect(answers).toHaveLength(1);
});

test('with a configuration nobody looks at the services, of which there may be many', () => {
  const services = () => {
    throw new Error('looked at');
  };
  expect(readinessOf(describeForReadiness(exampleInput({}), services))).toEqual({ ready: true });
  expect(readinessOf(describeForReadiness(exampleInput({ nodes: [] }), services))).toMatchObject({ ready: false });
});
