import { describe, expect, it } from 'vitest';
import { parsed, said, withService } from './kit.ts';

const PODS = 'static: ["10.0.0.1:80"]';

function queueOf(text: string) {
  const [service] = parsed(withService(PODS, 'limit: 2', text)).routing.services;
  if (service?.discipline.kind !== 'limited') throw new Error('no limit');
  return service.discipline;
}

describe('who goes next', () => {
  it('reads classes, tenants, deadlines and costs', () => {
    expect(
      queueOf(
        'queue: {priority: {header: X-Priority, classes: [high, low], default: low, max_wait: {low: 60s}}, fair: {header: X-Tenant, weights: {gold: 3}, max_per_tenant: 10, slots_per_tenant: 4}, deadline: early}\n    cost: {header: X-Cost, default: 2}',
      ),
    ).toEqual({
      kind: 'limited',
      limit: 2,
      cost: { header: 'x-cost', usual: 2 },
      queue: {
        max: 1000,
        timeout: 0,
        fullStatus: 429,
        priority: {
          header: 'x-priority',
          classes: [
            { name: 'high', maxWait: 0 },
            { name: 'low', maxWait: 60_000 },
          ],
          usual: 'low',
        },
        fair: {
          by: { kind: 'header', name: 'x-tenant' },
          weights: [{ tenant: 'gold', weight: 3 }],
          maxWaiting: 10,
          maxSlots: 4,
        },
        deadline: 'early',
      },
    });
  });

  it('reads how exact the order between Envoys is', () => {
    expect(queueOf('queue: {slack: 0}').queue.slack).toBe(0);
    expect(queueOf('queue: {slack: 250ms}').queue.slack).toBe(250);
    expect(queueOf('queue: {slack: 20ms}')).toEqual(queueOf('queue: {}'));
    expect(said(withService(PODS, 'limit: 2', 'queue: {slack: 25h}'))).toContain(
      'services.s.queue.slack: must be 24h or shorter, not 25h; write one such as 20ms',
    );
    expect(said(withService(PODS, 'queue: {slack: 0}'))).toContain(
      'services.s.queue.slack: only with a limit: without one there is no queue; remove it, or set limit',
    );
  });

  it.each([
    ['by: address', { kind: 'address' }],
    ['by: certificate', { kind: 'certificate' }],
    [
      'metadata: [envoy.filters.http.jwt_authn, payload, sub]',
      { kind: 'metadata', path: ['envoy.filters.http.jwt_authn', 'payload', 'sub'] },
    ],
  ])('takes tenants from %s', (line, by) => {
    expect(queueOf(`queue: {fair: {${line}}}`).queue.fair).toEqual({ by, weights: [], maxWaiting: 0, maxSlots: 0 });
  });

  it('gives a pod of a list a limit of its own', () => {
    const [service] = parsed(withService('static: ["10.0.0.2:80", {address: "10.0.0.1:80", limit: 8}]', 'limit: 2'))
      .routing.services;
    expect(service?.locator).toEqual({
      kind: 'static',
      addresses: [
        { ip: '10.0.0.1', port: 80, limit: 8 },
        { ip: '10.0.0.2', port: 80 },
      ],
    });
  });

  it('lets Pods say their own limits', () => {
    const locatorOf = (text: string) =>
      parsed(withService('kubernetes: {service: codec, port: 80}', 'limit: 2', text)).routing.services[0]?.locator;
    const plain = { kind: 'kubernetes', service: 'codec', port: { kind: 'service', port: 80 } };
    expect(locatorOf('pod_limits: on')).toEqual({ ...plain, podLimits: true });
    expect(locatorOf('pod_limits: off')).toEqual(plain);
    expect(said(withService(PODS, 'limit: 2', 'pod_limits: on'))).toContain(
      'services.s.pod_limits: only with kubernetes: other pods have no annotations; remove it, and write limits into the list: {address: 10.0.0.1:8080, limit: 4}',
    );
    expect(said(withService('kubernetes: {service: codec, port: 80}', 'pod_limits: on'))).toContain(
      'services.s.pod_limits: only with a limit: the Pods that say none need one; remove it, or set limit',
    );
  });

  it.each([
    [
      'queue: {priority: {classes: [high, low], default: normal}}',
      'services.s.queue.priority.default: "normal" is none of the classes; write one of high and low, or add it to classes',
    ],
    [
      'queue: {priority: {classes: [a, b], default: a, max_wait: {c: 1s}}}',
      'services.s.queue.priority.max_wait.c: "c" is none of the classes; write one of a and b, or add it to classes',
    ],
    [
      'queue: {priority: {classes: [a, b, c, d, e, f, g, h, i], default: a}}',
      'services.s.queue.priority.classes: has 9 classes, and a queue has at most 8; join some of them',
    ],
    [
      'queue: {priority: {header: x-sluice-class, classes: [a], default: a}}',
      'services.s.queue.priority.header: x-sluice-class is internal, and taken off every request that comes in; use another header',
    ],
    [
      'queue: {priority: {classes: ["very high"], default: a}}',
      'services.s.queue.priority.classes[0]: not a name of a class: "very high"; write 1 to 63 letters, digits, or inner - . _, such as low',
    ],
    [
      'queue: {fair: {max_per_tenant: 3}}',
      'services.s.queue.fair: needs one of header, by or metadata; write one of them',
    ],
    [
      'queue: {fair: {header: x-tenant, by: address}}',
      'services.s.queue.fair.by: only one of header, by and metadata may be there, and header is on line 7; remove one of the two',
    ],
    [
      'queue: {deadline: soon}',
      'services.s.queue.deadline: must be off, exact or early, not "soon"; write one of them',
    ],
    ['cost: {default: 2}', 'services.s.cost.header: is missing; write header: x-cost'],
  ])('refuses %s', (line, message) => {
    expect(said(withService(PODS, 'limit: 2', line))).toContain(message);
  });

  it.each([
    ['queue: {priority: {classes: [a], default: a}}', 'services.s.queue.priority'],
    ['queue: {fair: {header: x-tenant}}', 'services.s.queue.fair'],
    ['queue: {deadline: exact}', 'services.s.queue.deadline'],
  ])('without a limit there is no queue for %s', (line, path) => {
    expect(said(withService(PODS, line))).toContain(
      `${path}: only with a limit: without one there is no queue; remove it, or set limit`,
    );
  });

  it('without a limit a pod has none, and a request costs nothing', () => {
    expect(said(withService('static: [{address: "10.0.0.1:80", limit: 3}]', 'cost: {header: x-cost}'))).toEqual([
      'services.s.static: a pod has a limit of its own, and the service has none; set limit for the others, or remove it there',
      'services.s.cost: only with a limit: without one there are no slots; remove it, or set limit',
    ]);
  });

  it('a route names a class of its service', () => {
    const text = (line: string, priority: string) =>
      `version: 1\nservices:\n  s:\n    ${PODS}\n    limit: 1\n    ${line}\nroutes:\n  - {match: {prefix: /}, service: s, priority: ${priority}}\n`;
    const classes = 'queue: {priority: {classes: [high, low], default: low}}';
    expect(parsed(text(classes, 'high')).routing.routes[0]).toMatchObject({ priority: 'high' });
    expect(said(text(classes, 'mid'))).toEqual([
      'routes[0].priority: "mid" is no class of service s; write one of high and low',
    ]);
    expect(said(text('queue: {max: 3}', 'high'))).toEqual([
      'routes[0].priority: "high" is no class of service s; write its queue: {priority: {classes: [...]}}',
    ]);
  });
});
