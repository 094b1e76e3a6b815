import { describe, expect, it } from 'vitest';
import { GATEWAYS } from '../../../../src/routes/gateway-api/objects.ts';
import { gatewayApi } from '../../../../src/routes/gateway-api/translate.ts';
import { SERVICES } from '../../../../src/routes/objects/core.ts';
import { BASE, conditionsOf, NOW, objectsOf, translated } from './world.ts';

const route = (spec: string, name = 'r') => `
kind: HTTPRoute
metadata: {namespace: shop, name: ${name}, generation: 2, creationTimestamp: '2026-01-01T00:00:00Z'}
spec:
  parentRefs: [{name: edge}]
${spec}
---
`;

const ACCEPTED = ['Accepted=True Accepted', 'ResolvedRefs=True ResolvedRefs'];

describe('a Gateway and an HTTPRoute', () => {
  const objects = objectsOf(BASE, route('  rules: [{backendRefs: [{name: codec, port: 80}]}]'));
  const translation = translated(objects);

  it('become a listener, a service and a route', () => {
    const { listeners, services, routes, implied } = translation.part;
    expect(listeners).toMatchObject([{ name: 'shop/edge/http', address: '10.0.0.1', port: 80 }]);
    expect(services).toMatchObject([
      {
        name: 'shop/codec/80',
        locator: { kind: 'kubernetes', namespace: 'shop', service: 'codec', port: { kind: 'service', port: 80 } },
        discipline: { kind: 'balanced', balance: 'least_request' },
      },
    ]);
    expect([...implied]).toEqual(['shop/codec/80']);
    expect(routes).toMatchObject([
      {
        kind: 'forward',
        name: 'HTTPRoute shop/r rules[0].matches[0]',
        listeners: ['shop/edge/http'],
        match: { path: { kind: 'prefix', prefix: '/' }, hosts: [] },
        backends: [{ kind: 'service', service: 'shop/codec/80', weight: 1 }],
      },
    ]);
  });

  it('are told that they are', () => {
    expect(conditionsOf(translation, 'GatewayClass /sluice')).toEqual(['Accepted=True Accepted']);
    expect(conditionsOf(translation, 'Gateway shop/edge')).toEqual([
      'Accepted=True Accepted',
      'Programmed=True Programmed',
    ]);
    expect(conditionsOf(translation, 'Gateway shop/edge', 'listeners.0.conditions')).toEqual([
      'Accepted=True Accepted',
      'Conflicted=False NoConflicts',
      'ResolvedRefs=True ResolvedRefs',
      'Programmed=True Programmed',
    ]);
    expect(conditionsOf(translation, 'HTTPRoute shop/r', 'parents.0.conditions')).toEqual(ACCEPTED);
    const status = translation.statuses.find(({ resource }) => resource.kind === 'Gateway')?.status;
    expect(status).toMatchObject({
      addresses: [{ type: 'IPAddress', value: '10.0.0.1' }],
      listeners: [{ name: 'http', attachedRoutes: 1 }],
      conditions: [{ observedGeneration: 3, lastTransitionTime: NOW }, {}],
    });
  });
});

describe('an HTTPRoute that is wrong in every way at once', () => {
  const bad = `
kind: HTTPRoute
metadata: {namespace: shop, name: bad}
spec:
  parentRefs: [{name: edge, sectionName: none}, {name: edge}, {name: edge, port: 81}, {name: elsewhere}]
  rules:
  - matches: [{path: {type: RegularExpression, value: '/(?<x'}}, {path: {type: Exact, value: /good}}]
    backendRefs:
    - {name: absent, port: 80, weight: 3}
    - {name: codec, port: 81}
    - {name: codec, namespace: other, port: 80}
    - {kind: Bucket, group: storage, name: b}
    - {name: codec, port: 80}
    retry: {attempts: 3}
    sessionPersistence: {sessionName: s}
  - filters: [{type: ExtensionRef, extensionRef: {group: g, kind: K, name: n}}]
    matches: [{path: {value: /extended}}]
---
`;
  const translation = translated(objectsOf(BASE, bad, route('  rules: [{backendRefs: [{name: codec, port: 80}]}]')));

  it('is told each fault, at each parent', () => {
    expect(conditionsOf(translation, 'HTTPRoute shop/bad', 'parents.0.conditions')[0]).toBe(
      'Accepted=False NoMatchingParent',
    );
    expect(conditionsOf(translation, 'HTTPRoute shop/bad', 'parents.1.conditions')).toEqual([
      'Accepted=True Accepted',
      'ResolvedRefs=False BackendNotFound',
      'PartiallyInvalid=True UnsupportedValue',
    ]);
    expect(conditionsOf(translation, 'HTTPRoute shop/bad', 'parents.2.conditions')[0]).toBe(
      'Accepted=False NoMatchingParent',
    );
    const text = JSON.stringify(translation.statuses.find(({ object }) => object.metadata.name === 'bad')?.status);
    for (const fault of [
      'there is no Service shop/absent',
      'Service shop/codec has no TCP port 81; it has 80',
      'no ReferenceGrant in namespace other lets a HTTPRoute of shop use Service codec',
      'Bucket of storage b cannot be a backend; a Service can',
      'rules[0] is left out: not a regular expression of RE2',
      'rules[1] is answered with 500: its filter ExtensionRef is not known here',
      'rules[0].retry: a request that no pod has seen goes to another pod by itself, one that a pod has seen never',
      'rules[0].sessionPersistence: the next request goes to the first free pod',
    ]) {
      expect(text).toContain(fault);
    }
    expect(text).not.toContain('elsewhere');
  });

  it('answers what can be answered, and its neighbour is as it was', () => {
    expect(translation.part.routes).toMatchObject([
      {
        name: 'HTTPRoute shop/bad rules[0].matches[1]',
        backends: [
          { kind: 'missing', weight: 3 },
          { kind: 'missing', weight: 1 },
          { kind: 'missing', weight: 1 },
          { kind: 'missing', weight: 1 },
          { kind: 'service', service: 'shop/codec/80', weight: 1 },
        ],
      },
      { kind: 'answer', status: 500, match: { path: { prefix: '/extended' } } },
      { name: 'HTTPRoute shop/r rules[0].matches[0]' },
    ]);
    expect(conditionsOf(translation, 'HTTPRoute shop/r', 'parents.0.conditions')).toEqual(ACCEPTED);
  });
});

describe('what is said of a Service', () => {
  const to = route('  rules: [{backendRefs: [{name: codec, port: 80}]}]');
  const service = (annotations: string) => `
kind: Service
metadata: {namespace: shop, name: codec, annotations: ${annotations}}
spec: {ports: [{port: 80}]}
---
`;

  it('is its limit, by annotations', () => {
    const { part } = translated(
      objectsOf(
        BASE,
        to,
        service(
          "{sluice.dev/limit: '2', sluice.dev/queue-max: '7', sluice.dev/queue-timeout: 30m, sluice.dev/protocol: h2c}",
        ),
      ),
    );
    expect(part.services).toMatchObject([
      { protocol: 'h2c', discipline: { kind: 'limited', limit: 2, queue: { max: 7, timeout: 1_800_000 } } },
    ]);
    expect(part.implied.size).toBe(0);
  });

  it('is never taken for no limit when it cannot be read: what it was before stays, else nobody is let through', () => {
    const good = translated(objectsOf(BASE, to, service("{sluice.dev/limit: '2'}"))).part.services;
    const bad = objectsOf(BASE, to, service('{sluice.dev/limit: two}'));
    const first = translated(bad);
    expect(first.part.routes).toMatchObject([{ backends: [{ kind: 'missing' }] }]);
    expect(first.part.problems).toMatchObject([{ subject: 'Service shop/codec', path: 'limit' }]);
    const later = translated(bad, { before: new Map(good.map((one) => [one.name, one])) });
    expect(later.part.services).toEqual(good);
    expect(later.part.problems).toHaveLength(1);
  });

  it('is said by the oldest SlotPolicy before annotations, and the others are told', () => {
    const policy = (name: string, created: string, spec: string) => `
kind: SlotPolicy
metadata: {namespace: shop, name: ${name}, creationTimestamp: '${created}'}
spec: {targetRefs: [{name: codec}], ${spec}}
---
`;
    const translation = translated(
      objectsOf(
        BASE,
        to,
        service("{sluice.dev/limit: '2'}"),
        policy('young', '2026-01-02T00:00:00Z', 'limit: 5'),
        policy('old', '2026-01-01T00:00:00Z', 'limit: 3, queue: {max: 9}, pod_limits: "on"'),
        policy('wrong', '2026-01-03T00:00:00Z', 'limit: 0, balance: random'),
      ),
    );
    expect(translation.part.services).toMatchObject([
      { discipline: { limit: 3, queue: { max: 9 } }, locator: { podLimits: true } },
    ]);
    expect(conditionsOf(translation, 'SlotPolicy shop/old')).toEqual(['Accepted=True Accepted']);
    expect(conditionsOf(translation, 'SlotPolicy shop/young')).toEqual(['Accepted=False Conflicted']);
    expect(conditionsOf(translation, 'SlotPolicy shop/wrong')).toEqual(['Accepted=False Invalid']);
  });
});

describe('conditions', () => {
  it('keep the time of their last change until their status changes', () => {
    const before = '2020-01-01T00:00:00Z';
    const status = (value: string) => `
kind: HTTPRoute
metadata: {namespace: shop, name: r, generation: 9}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: codec, port: 80}]}]}
status:
  parents:
  - controllerName: another.example/controller
    parentRef: {name: edge}
    conditions: []
  - controllerName: sluice.dev/gateway-controller
    parentRef: {name: edge}
    conditions:
    - {type: Accepted, status: '${value}', reason: X, message: '', observedGeneration: 8, lastTransitionTime: '${before}'}
    - {type: PartiallyInvalid, status: 'True', reason: X, message: '', lastTransitionTime: '${before}'}
`;
    const written = (value: string) =>
      translated(objectsOf(BASE, status(value))).statuses.find(({ resource }) => resource.kind === 'HTTPRoute')?.status;
    expect(written('True')).toMatchObject({
      parents: [
        { controllerName: 'another.example/controller' },
        {
          conditions: [
            { type: 'Accepted', reason: 'Accepted', observedGeneration: 9, lastTransitionTime: before },
            { type: 'ResolvedRefs', lastTransitionTime: NOW },
          ],
        },
      ],
    });
    expect(written('False')).toMatchObject({
      parents: [{}, { conditions: [{ type: 'Accepted', lastTransitionTime: NOW }, {}] }],
    });
  });
});

it('a route that is as it was is the very same, until what it leads to is another thing', () => {
  const kind = gatewayApi({ pool: ['10.0.0.1'], published: { addresses: [] } });
  const objects = objectsOf(BASE, route('  rules: [{backendRefs: [{name: codec, port: 80}]}]'));
  const context = { now: NOW, before: new Map(), closed: new Map() };
  const [first] = kind.translate(objects, context).part.routes;
  const [again] = kind.translate(objects, context).part.routes;
  expect(again).toBe(first);
  objects.remove(SERVICES, 'shop', 'codec');
  const [gone] = kind.translate(objects, context).part.routes;
  expect(gone).toMatchObject({ backends: [{ kind: 'missing' }] });
  objects.remove(GATEWAYS, 'shop', 'edge');
  expect(kind.translate(objects, context).part.routes).toEqual([]);
});
