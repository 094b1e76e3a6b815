import { expect, test } from 'vitest';
import type { ServiceName } from '../../../src/model/service.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { describeStatus, shortType } from '../../../src/status/describe.ts';
import { statusSchema } from '../../../src/status/status.ts';
import { exampleInput, exampleNode, exampleRouting, exampleTraffic, HOUR, NOW } from './example.ts';

// The brand is the parser's; the example's names are good.
const codec = 'codec' as ServiceName;

test('a limited and a balanced service, with pods, slots and sources', () => {
  const { services } = describeStatus(exampleInput());
  expect(services).toEqual([
    {
      name: 'codec',
      protocol: 'http1',
      inForce: true,
      kind: 'limited',
      limit: 2,
      queue: { max: 50, timeoutMs: 0 },
      slots: 5,
      pods: [
        { address: '10.0.0.1:80', state: 'ready' },
        { address: '10.0.0.2:80', state: 'draining' },
        { address: '[fd00::1]:80', state: 'ready' },
      ],
      source: { kind: 'kubernetes', target: 'ai-media/codec:http', state: 'ready', problems: [] },
    },
    {
      name: 'web',
      protocol: 'http1',
      inForce: true,
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

test('requests in progress are added up over the Envoys; a pod nobody mentions has none', () => {
  const loads = new Map([
    ['a', { running: new Map([[codec, new Map([['10.0.0.1:80', 2]])]]) }],
    ['b', { running: new Map([[codec, new Map(Object.entries({ '10.0.0.1:80': 1, '[fd00::1]:80': 4, gone: 9 }))]]) }],
  ]);
  const [first, second] = describeStatus(exampleInput({ loads })).services;
  expect(first?.pods.map(({ requestsInProgress }) => requestsInProgress)).toEqual([3, 0, 4]);
  expect(first?.requestsInProgress).toBe(7);
  expect(second?.requestsInProgress).toBe(0);
});

test('while nobody reports, requests in progress are left out, not 0', () => {
  for (const service of describeStatus(exampleInput()).services) {
    expect(service).not.toHaveProperty('requestsInProgress');
    for (const pod of service.pods) expect(pod).not.toHaveProperty('requestsInProgress');
  }
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

test('before the first configuration, services are there but not in force', () => {
  const status = describeStatus(
    exampleInput({
      model: undefined,
      configuration: undefined,
      podsOf: () => ({ kind: 'pending', problems: [] }),
    }),
  );
  expect(status).not.toHaveProperty('configuration');
  expect(
    status.services.map(({ name, inForce, pods, source }) => ({ name, inForce, pods, state: source.state })),
  ).toEqual(['codec', 'web'].map((name) => ({ name, inForce: false, pods: [], state: 'pending' })));
});

test('a service that an edit has added waits among those in force, in the order of names', () => {
  const input = exampleInput();
  const model = input.model && { ...input.model, services: input.model.services.slice(1) };
  const { services } = describeStatus({ ...input, model });
  expect(services.map(({ name, inForce }) => [name, inForce])).toEqual([
    ['codec', false],
    ['web', true],
  ]);
});

test('a pending route file has no services', () => {
  const routeFile = { path: 'r', state: { kind: 'pending', problems: [] } } as const;
  expect(describeStatus(exampleInput({ routeFile, model: undefined })).services).toEqual([]);
});

test('Envoys come by id; a refusal is told with its words, and is a problem', () => {
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
      status: 'nacked',
      ackedVersion: '',
      nack: { message: 'no such filter', resources: ['public'], at: '2026-01-02T03:04:05.000Z' },
    },
  ]);
  expect(problems).toEqual([
    { severity: 'error', subject: 'Envoy edge-0', message: 'refuses Listener public: no such filter' },
  ]);
});

test('targets of all kinds of source', () => {
  const input = exampleInput();
  const [first] = input.model?.services ?? [];
  if (input.model === undefined || first === undefined) throw new Error('the example has services');
  const target = (locator: typeof first.service.locator) => {
    const services = [{ ...first, service: { ...first.service, locator } }];
    return describeStatus({ ...input, model: { routing: exampleRouting(), services, retiring: [] } }).services[0]
      ?.source.target;
  };
  expect(target({ kind: 'kubernetes', service: 'a', port: { kind: 'pod', port: 8080 } })).toBe('a:8080');
  expect(target({ kind: 'dns', host: 'pods.example', port: 80 })).toBe('pods.example:80');
  expect(target({ kind: 'static', addresses: [] })).toBe('0 addresses');
});

test('the document survives its journey as JSON, read with its own schema', () => {
  const status = describeStatus(exampleInput({ loads: new Map([['a', { running: new Map() }]]) }));
  expect(statusSchema.parse(JSON.parse(JSON.stringify(status)))).toEqual(status);
});

test('short names of types', () => {
  expect(shortType(TYPE_URLS.endpoints)).toBe('ClusterLoadAssignment');
  expect(shortType('type.googleapis.com/Bare')).toBe('Bare');
  expect(shortType('odd')).toBe('odd');
});

test('whether requests are counted by a sample', () => {
  expect(describeStatus(exampleInput())).not.toHaveProperty('sampledOneIn');
  const traffic = { ...exampleTraffic(), oneIn: 16 };
  expect(statusSchema.parse(describeStatus(exampleInput({ traffic })))).toMatchObject({ sampledOneIn: 16 });
});
