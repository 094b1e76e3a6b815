import { expect, test } from 'vitest';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { describeSlots, describeStatus, type StatusInput } from '../../../src/status/describe.ts';
import { shortType } from '../../../src/status/describe-node.ts';
import { statusSchema } from '../../../src/status/status.ts';
import type { Telemetry } from '../../../src/telemetry/telemetry.ts';
import { podReport } from '../telemetry/reports.ts';
import {
  busyTelemetry,
  exampleInput,
  exampleModel,
  exampleNode,
  exampleRouting,
  exampleTelemetry,
  HOUR,
  NOW,
  noTelemetry,
} from './example.ts';

test('a limited and a balanced service, with pods, slots and sources', () => {
  const { services } = describeStatus(exampleInput({ telemetry: noTelemetry() }));
  expect(services).toEqual([
    {
      name: 'codec',
      protocol: 'http1',
      active: true,
      kind: 'limited',
      limit: 2,
      queue: { max: 50, timeoutMs: 0 },
      slots: 4,
      pods: [
        { address: '10.0.0.1:80', state: 'ready', limit: 2 },
        { address: '10.0.0.2:80', state: 'draining', limit: 2 },
        { address: '[fd00::1]:80', state: 'ready', limit: 2 },
      ],
      source: { kind: 'kubernetes', target: 'ai-media/codec:http', state: 'ready', problems: [] },
    },
    {
      name: 'web',
      protocol: 'http1',
      active: true,
      kind: 'balanced',
      balance: 'least_request',
      maxRequests: 1024,
      pods: [{ address: '127.0.0.1:9000', state: 'ready' }],
      source: { kind: 'static', target: '1 address', state: 'ready', problems: [] },
    },
  ]);
});

test('the file, the configuration and the times', () => {
  expect(describeStatus(exampleInput())).toMatchObject({
    version: '1.2.3',
    startedAt: '2026-01-01T22:04:05.000Z',
    at: '2026-01-02T03:04:05.000Z',
    routeFile: { path: 'routes.yaml', state: 'ready', problems: [] },
    configuration: { version: 'abc123', publishedAt: '2026-01-02T03:03:53.000Z' },
    problems: [],
  });
});

test('where requests are taken and led to', () => {
  const { listeners, routes } = describeStatus(exampleInput());
  expect(listeners).toEqual([{ name: 'public', address: '0.0.0.0:8080', tls: false }]);
  expect(routes).toEqual([
    { name: 'routes[0]', hosts: [], path: '/codec and below', conditions: [], services: ['codec'], target: 'codec' },
    { name: 'routes[1]', hosts: [], path: '/web and below', conditions: [], services: ['web'], target: 'web' },
  ]);
});

test('what the queue filter tells: numbers, pods that are out and why, the last minute', () => {
  const [codec, web] = describeStatus(exampleInput({ telemetry: busyTelemetry() })).services;
  expect(codec).toMatchObject({
    inUse: 2,
    waiting: 3,
    oldestWaitMs: 1500,
    desiredPods: 3,
    // The ejected pod has none, the draining one neither.
    slots: 2,
    traffic: { total: { answered: 7, refused: 1 }, lastMinute: { arrived: 13, mostWaiting: 9, mostInUse: 4 } },
    pods: [
      { address: '10.0.0.1:80', state: 'ready', inUse: 2, limit: 2 },
      { address: '10.0.0.2:80', state: 'draining', inUse: 0, limit: 2 },
      {
        address: '[fd00::1]:80',
        state: 'ejected',
        inUse: 0,
        limit: 2,
        reason: 'unreachable',
        since: '2026-01-02T03:04:05.000Z',
        ejectedUntil: '2026-01-02T03:04:07.500Z',
      },
    ],
  });
  expect(codec).not.toHaveProperty('oldSince');
  expect(web).not.toHaveProperty('waiting');
});

test('a filter to which nothing has happened yet: numbers are 0, not unknown', () => {
  const [codec] = describeStatus(exampleInput({ telemetry: exampleTelemetry() })).services;
  expect(codec).toMatchObject({ inUse: 0, waiting: 0, desiredPods: 0 });
  expect(codec?.pods.map(({ inUse }) => inUse)).toEqual([0, 0, 0]);
});

test('one request that waits without pods wants one', () => {
  const input = exampleInput({ telemetry: exampleTelemetry({ waiting: 1 }) });
  const services = input.model?.services.map((service) => ({ ...service, pods: [] })) ?? [];
  const [codec] = describeStatus({ ...input, model: { ...exampleModel(exampleRouting()), services } }).services;
  expect(codec).toMatchObject({ waiting: 1, desiredPods: 1, slots: 0, pods: [] });
});

test('a pod that its source no longer has is there until its last request has ended', () => {
  const pods = [podReport('10.0.0.9:80', { inUse: 1, state: 'draining' })];
  const [codec] = describeStatus(exampleInput({ telemetry: exampleTelemetry({ inUse: 1, pods }) })).services;
  expect(codec?.pods.at(-1)).toMatchObject({ address: '10.0.0.9:80', state: 'draining', inUse: 1 });
  expect(codec?.kind === 'limited' && codec.slots).toBe(4);
});

test('a pod that is tried again has one slot', () => {
  const pods = [podReport('10.0.0.1:80', { state: 'trying' })];
  const [codec] = describeStatus(exampleInput({ telemetry: exampleTelemetry({ pods }) })).services;
  expect(codec?.kind === 'limited' && codec.slots).toBe(3);
});

test('a filter that is not connected: numbers say from when they are', () => {
  const telemetry = busyTelemetry();
  const { node, epoch } = telemetry.members()[0] ?? { node: '', epoch: '' };
  telemetry.record({ node, epoch, kind: 'gone', reason: 'closed' });
  const now = describeStatus(exampleInput({ telemetry }));
  expect(now.services[0]).toMatchObject({ inUse: 2, oldSince: '2026-01-02T03:04:05.000Z' });
  expect(now.nodes[0]?.filter).toMatchObject({ state: 'disconnected', members: [{ lostAt: now.at }] });
});

test('a filter that is off, one that Envoy rejected, and a client that carries no requests', () => {
  const off = describeStatus(exampleInput({ isFilterOff: () => true }));
  expect(off.nodes[0]?.filter?.state).toBe('off');
  expect(off.problems[0]?.message).toContain('works without the queue filter');
  const nack = { message: 'no wasm', names: ['sluice.queue'], at: NOW };
  const types = [
    { typeUrl: TYPE_URLS.listener, status: 'in sync', ackedVersion: '1' },
    {
      typeUrl: 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
      status: 'nacked',
      ackedVersion: '',
      nack,
    },
  ] as const;
  const rejected = describeStatus(exampleInput({ telemetry: noTelemetry(), nodes: [exampleNode({ types })] }));
  expect(rejected.nodes[0]?.filter?.state).toBe('rejected');
  // The control plane tells of it, with what follows from it.
  expect(rejected.problems).toEqual([]);
  const visitor = exampleNode({ types: [{ typeUrl: TYPE_URLS.cluster, status: 'in sync', ackedVersion: '1' }] });
  const [node] = describeStatus(exampleInput({ telemetry: noTelemetry(), nodes: [visitor] })).nodes;
  expect(node).not.toHaveProperty('filter');
});

test('while nobody reports, numbers are left out, not 0', () => {
  for (const service of describeStatus(exampleInput({ telemetry: noTelemetry() })).services) {
    for (const name of ['inUse', 'waiting', 'traffic', 'desiredPods']) expect(service).not.toHaveProperty(name);
    for (const pod of service.pods) expect(pod).not.toHaveProperty('inUse');
  }
});

test('a pod has the name and node that Kubernetes gave it', () => {
  const input = exampleInput();
  const services = input.model?.services.map((one) => ({
    ...one,
    pods: one.pods.map((pod) => ({ ...pod, name: 'codec-7d9f', node: 'node-3' })),
  }));
  const [codec] = describeStatus({
    ...input,
    model: { ...exampleModel(exampleRouting()), services: services ?? [] },
  }).services;
  expect(codec?.pods[0]).toMatchObject({ address: '10.0.0.1:80', name: 'codec-7d9f', node: 'node-3' });
});

test('orders: who has paused a service, who drains a pod', () => {
  const order = { by: 'kim', at: NOW };
  const at = '2026-01-02T03:04:05.000Z';
  const name = exampleModel(exampleRouting()).services[0]?.service.name;
  if (name === undefined) throw new Error('the example has a service');
  const drained = describeStatus(
    exampleInput({ overrides: { paused: new Map(), drained: new Map([['10.0.0.1:80', order]]) } }),
  );
  expect(drained.services[0]?.pods[0]).toMatchObject({ state: 'draining', drained: { by: 'kim', at }, limit: 2 });
  expect(drained.services[0]).toMatchObject({ slots: 2 });
  const paused = describeStatus(exampleInput({ overrides: { paused: new Map([[name, order]]), drained: new Map() } }));
  expect(paused.services[0]).toMatchObject({ paused: { by: 'kim', at }, slots: 0 });
  expect(paused.orders).toEqual([{ kind: 'paused', service: 'codec', by: 'kim', at }]);
});

test('slots alone are those of the whole status', () => {
  const order = { by: 'kim', at: NOW };
  const name = exampleModel(exampleRouting()).services[0]?.service.name;
  if (name === undefined) throw new Error('the example has a service');
  const drained = new Map([['10.0.0.1:80', order]]);
  const nobody = new Map();
  const given = (telemetry: Telemetry, changes: Partial<StatusInput> = {}): [StatusInput, Telemetry] => [
    exampleInput({ telemetry, ...changes }),
    telemetry,
  ];
  const slots = [
    given(noTelemetry()),
    given(busyTelemetry()),
    given(exampleTelemetry(), { overrides: { paused: nobody, drained } }),
    given(exampleTelemetry(), { overrides: { paused: new Map([[name, order]]), drained: nobody } }),
    given(exampleTelemetry(), { model: undefined }),
  ].map(([input, telemetry]) => {
    const { services } = describeStatus(input);
    const expected = services.map((one) => [one.name, one.kind === 'limited' ? one.slots : undefined]);
    const found = describeSlots({ ...input, telemetry });
    expect([...found].sort()).toEqual(expected);
    return found.get('codec');
  });
  expect(slots).toEqual([4, 2, 2, 0, 0]);
});

test('what happened, newest first', () => {
  const { events } = describeStatus(exampleInput({ telemetry: busyTelemetry() }));
  expect(events.map(({ kind }) => kind)).toEqual(['pod ejected', 'filter connected']);
  expect(events[0]).toEqual({
    at: '2026-01-02T03:04:05.000Z',
    kind: 'pod ejected',
    service: 'codec',
    pod: '[fd00::1]:80',
    node: 'edge-1',
    message: 'ejected for 2.5 s: cannot be reached',
  });
});

test('a stale file and a stale source say since when, and why', () => {
  const problem = { severity: 'error', subject: 'routes.yaml', message: 'is missing' } as const;
  const stale = { kind: 'stale', since: NOW - HOUR, problems: [problem] } as const;
  const status = describeStatus(
    exampleInput({
      routeFile: { path: 'routes.yaml', state: { ...stale, value: exampleRouting() } },
      podsOf: () => ({ ...stale, value: [] }),
      problems: [problem],
    }),
  );
  const told = { state: 'stale', since: '2026-01-02T02:04:05.000Z', problems: [problem] };
  expect(status.routeFile).toMatchObject(told);
  expect(status.services[0]?.source).toMatchObject(told);
  expect(status.problems).toEqual([problem]);
});

test('before the first configuration, services are there but not active', () => {
  const status = describeStatus(
    exampleInput({
      model: undefined,
      configuration: undefined,
      podsOf: () => ({ kind: 'pending', problems: [] }),
    }),
  );
  expect(status).not.toHaveProperty('configuration');
  expect(
    status.services.map(({ name, active, pods, source }) => ({ name, active, pods, state: source.state })),
  ).toEqual(['codec', 'web'].map((name) => ({ name, active: false, pods: [], state: 'pending' })));
});

test('a service that an edit has added waits among the active ones, in the order of names', () => {
  const input = exampleInput();
  const model = input.model && { ...input.model, services: input.model.services.slice(1) };
  const { services } = describeStatus({ ...input, model });
  expect(services.map(({ name, active }) => [name, active])).toEqual([
    ['codec', false],
    ['web', true],
  ]);
});

test('a pending route file has no services', () => {
  const routeFile = { path: 'r', state: { kind: 'pending', problems: [] } } as const;
  expect(describeStatus(exampleInput({ routeFile, model: undefined })).services).toEqual([]);
});

test('Envoys come by id; a rejection is told with its words, and is a problem', () => {
  const refused = exampleNode({
    node: { id: 'edge-0', cluster: '', metadata: {} },
    types: [
      {
        typeUrl: TYPE_URLS.listener,
        status: 'nacked',
        ackedVersion: '',
        nack: { message: 'no such filter', names: ['public'], at: NOW },
      },
    ],
  });
  const { nodes, problems } = describeStatus(exampleInput({ nodes: [exampleNode(), refused] }));
  expect(nodes.map(({ id }) => id)).toEqual(['edge-0', 'edge-1']);
  expect(nodes[0]?.types).toEqual([
    {
      type: 'Listener',
      status: 'rejected',
      ackedVersion: '',
      rejection: { message: 'no such filter', resources: ['public'], at: '2026-01-02T03:04:05.000Z' },
    },
  ]);
  expect(problems).toEqual([
    { severity: 'error', subject: 'Envoy edge-0', message: 'rejected Listener public: no such filter' },
  ]);
});

test('targets of all kinds of source', () => {
  const input = exampleInput();
  const [first] = input.model?.services ?? [];
  if (input.model === undefined || first === undefined) throw new Error('the example has services');
  const target = (locator: typeof first.service.locator) => {
    const services = [{ ...first, service: { ...first.service, locator } }];
    return describeStatus({ ...input, model: { routing: exampleRouting(), services } }).services[0]?.source.target;
  };
  expect(target({ kind: 'kubernetes', service: 'a', port: { kind: 'pod', port: 8080 } })).toBe('a:8080');
  expect(target({ kind: 'dns', host: 'pods.example', port: 80 })).toBe('pods.example:80');
  expect(target({ kind: 'static', addresses: [] })).toBe('0 addresses');
});

test('the document survives its journey as JSON, read with its own schema', () => {
  const status = describeStatus(exampleInput({ telemetry: busyTelemetry() }));
  expect(statusSchema.parse(JSON.parse(JSON.stringify(status)))).toEqual(status);
});

test('short names of types', () => {
  expect(shortType(TYPE_URLS.endpoints)).toBe('ClusterLoadAssignment');
  expect(shortType('type.googleapis.com/Bare')).toBe('Bare');
  expect(shortType('odd')).toBe('odd');
});
