import type { LimitedStatus, NodeStatus, PodStatus, ServiceStatus, Status } from '../../../src/status/status.ts';
import type { Sample } from '../../../src/telemetry/history.ts';
import { NO_COUNTS } from '../../unit/telemetry/reports.ts';

/** What the page is shown in tests and measured with. */
export interface Scene {
  readonly status: () => Status;
  readonly history: (service: string) => readonly Sample[];
}

const STARTED = Date.now() - 3_600_000;
const moment = (ms: number) => new Date(ms).toISOString();

/** A pod that is ready, but for `changes`. */
export function pod(address: string, changes: Partial<PodStatus> = {}): PodStatus {
  return { address, state: 'ready', inUse: 0, limit: 2, ...changes };
}

/** A service with a limit that has nothing to do, but for `changes`. */
export function limited(name: string, changes: Partial<LimitedStatus> = {}): LimitedStatus {
  const pods = changes.pods ?? [pod('10.0.0.1:8080'), pod('10.0.0.2:8080'), pod('10.0.0.3:8080')];
  const inUse = pods.reduce((sum, one) => sum + (one.inUse ?? 0), 0);
  const slots = pods.reduce((sum, { state, limit = 0 }) => sum + (state === 'ready' ? limit : 0), 0);
  const lastMinute = { ...NO_COUNTS, mostWaiting: changes.waiting ?? 0, mostInUse: inUse };
  return {
    name,
    kind: 'limited',
    protocol: 'http1',
    active: true,
    limit: 2,
    queue: { max: 100, timeoutMs: 0 },
    slots,
    inUse,
    waiting: 0,
    desiredPods: Math.ceil((inUse + (changes.waiting ?? 0)) / 2),
    traffic: { total: NO_COUNTS, lastMinute },
    pods,
    source: { kind: 'kubernetes', target: `ai/${name}:http`, state: 'ready', problems: [] },
    ...changes,
  };
}

/** An Envoy that is well, but for `changes`. */
function envoy(changes: Partial<NodeStatus> = {}): NodeStatus {
  return {
    id: 'edge-1',
    cluster: 'edge',
    userAgent: 'envoy 1.40.0',
    connectedSince: moment(STARTED),
    peer: '10.0.0.9:4711',
    types: [{ type: 'Listener', status: 'in sync', ackedVersion: 'a' }],
    filter: {
      state: 'connected',
      members: [{ codeVersion: 'c0de', memoryBytes: 3_000_000, connectedSince: moment(STARTED) }],
    },
    ...changes,
  };
}

/** A status of these services, with a route to each, but for `changes`. */
export function statusOf(services: readonly ServiceStatus[], changes: Partial<Status> = {}): Status {
  return {
    version: '0.1.0',
    startedAt: moment(STARTED),
    at: moment(Date.now()),
    routeFile: { path: 'routes.yaml', state: 'ready', problems: [] },
    configuration: { version: 'abc', publishedAt: moment(STARTED) },
    listeners: [{ name: 'public', address: '0.0.0.0:8080', tls: false }],
    routes: services.map(({ name }, index) => ({
      name: `routes[${index}]`,
      hosts: index % 2 === 0 ? [] : [`${name}.example.com`],
      path: `/${name} and below`,
      conditions: index % 3 === 0 ? ['POST'] : [],
      services: [name],
      target: name,
    })),
    services,
    orders: [],
    nodes: [envoy()],
    problems: [],
    events: [],
    ...changes,
  };
}

/** 15 minutes with a burst that lies between two samples. */
export function exampleHistory(): readonly Sample[] {
  return Array.from({ length: 180 }, (_, index) => {
    const isBurst = index === 120;
    const wave = Math.round(3 + 3 * Math.sin(index / 9));
    return {
      at: Date.now() - (179 - index) * 5000,
      inUse: Math.min(6, wave),
      waiting: 0,
      mostInUse: isBurst ? 6 : Math.min(6, wave + 1),
      mostWaiting: isBurst ? 40 : index % 30 === 0 ? 3 : 0,
      slots: 6,
      arrived: wave * 5,
      ended: wave * 5,
      refused: isBurst ? 12 : 0,
      failed: 0,
      waitP50: isBurst ? 900 : 2,
      waitP99: isBurst ? 4000 : 20 + wave,
      workP50: 200,
      workP99: 800,
    };
  });
}

/** A queue of 23 behind three busy pods. */
export function burst(): Status {
  const pods = [1, 2, 3].map((index) => pod(`10.0.0.${index}:8080`, { inUse: 2 }));
  const minute = { ...NO_COUNTS, arrived: 241, answered: 200, refused: 3, failed: 1 };
  const quantiles = { waitMs: { p50: 120, p99: 4300 }, workMs: { p50: 1900, p99: 6200 } };
  return statusOf([
    limited('codec', {
      pods,
      waiting: 23,
      oldestWaitMs: 4321,
      traffic: { total: minute, lastMinute: { ...minute, ...quantiles, mostWaiting: 41, mostInUse: 6 } },
    }),
  ]);
}

/** Pods that are out, each in its way, and what happened before. */
export function outOfOrder(): Status {
  const now = Date.now();
  const pods = [
    pod('10.0.0.1:8080', { inUse: 2 }),
    pod('10.0.0.2:8080', {
      state: 'ejected',
      reason: 'unreachable',
      since: moment(now - 4000),
      ejectedUntil: moment(now + 3000),
    }),
    pod('10.0.0.3:8080', { state: 'unhealthy', since: moment(now - 90_000) }),
    pod('10.0.0.4:8080', { state: 'draining', inUse: 1, since: moment(now - 20_000) }),
    pod('10.0.0.5:8080', { state: 'trying', inUse: 1, reason: 'gateway errors', since: moment(now - 200) }),
  ];
  const event = { at: moment(now - 4000), service: 'codec', pod: '10.0.0.2:8080', node: 'edge-1' };
  return statusOf([limited('codec', { pods, waiting: 2, oldestWaitMs: 800 }), limited('web')], {
    problems: [
      { severity: 'warning', subject: 'service codec', message: 'no pod is ready (2 not ready)', fix: 'look at them' },
    ],
    events: [
      { ...event, kind: 'pod ejected', message: 'ejected for 7 s: cannot be reached' },
      { at: moment(now - 60_000), kind: 'edit', message: 'codec: limit 1 → 2' },
    ],
  });
}

/** Envoy did not take a listener, and has lost its filter. */
export function rejected(): Status {
  const rejection = {
    message: 'cannot bind 0.0.0.0:80: Permission denied',
    resources: ['public'],
    at: moment(STARTED),
  };
  const types = [{ type: 'Listener', status: 'rejected', ackedVersion: '', rejection } as const];
  const problem = {
    severity: 'error',
    subject: 'Envoy edge-1',
    message: `rejected Listener public: ${rejection.message}`,
  };
  return statusOf([limited('codec')], {
    nodes: [envoy({ types, filter: { state: 'rejected', members: [] } })],
    problems: [{ ...problem, severity: 'error' }],
  });
}

/** No Envoy, and so no numbers. */
export function noEnvoy(): Status {
  const { inUse, waiting, desiredPods, traffic, ...unknown } = limited('codec');
  const pods = unknown.pods.map(({ inUse: _, ...rest }) => rest);
  return statusOf([{ ...unknown, pods }], { nodes: [] });
}

/** The filter is not connected: what is shown is old. */
export function outdated(): Status {
  const oldSince = moment(Date.now() - 12_000);
  const filter = {
    state: 'disconnected' as const,
    members: [{ codeVersion: 'c0de', memoryBytes: 3e6, connectedSince: moment(STARTED), lostAt: oldSince }],
  };
  const status = burst();
  return {
    ...status,
    nodes: [envoy({ filter })],
    services: status.services.map((one) => ({ ...one, oldSince })),
  };
}

/** So many services, a few of them in trouble. */
export function many(count: number): Status {
  return statusOf(
    Array.from({ length: count }, (_, index) => {
      const name = `service-${String(index).padStart(3, '0')}`;
      const pods = Array.from({ length: 2 + (index % 9) }, (_, one) =>
        pod(`10.1.${index % 250}.${one + 1}:8080`, {
          inUse: (index + one) % 3,
          ...(index === 17 && one === 0 && { state: 'ejected' as const, reason: 'unreachable' as const }),
        }),
      );
      if (index === 31) return limited(name, { pods: [], waiting: 4, oldestWaitMs: 62_000 });
      return limited(name, {
        pods,
        ...(index % 10 === 5 && { waiting: 1 + (index % 7), oldestWaitMs: 300 * (1 + (index % 7)) }),
      });
    }),
  );
}
