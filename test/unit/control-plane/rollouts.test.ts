import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { ModelSnapshots } from '../../../src/control-plane/model-snapshots.ts';
import type { Holdings } from '../../../src/control-plane/rollout.ts';
import { Rollouts } from '../../../src/control-plane/rollouts.ts';
import type { Model } from '../../../src/model/model.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { ServiceName } from '../../../src/model/service.ts';
import type { ServiceReport } from '../../../src/slots/events.ts';
import { Member } from '../../../src/slots/member.ts';
import type { ToFilter } from '../../../src/slots/write-message.ts';
import { PUSH_ORDER, TYPE_URLS, type TypeUrl } from '../../../src/snapshot/resource.ts';
import type { Snapshot } from '../../../src/snapshot/snapshot.ts';
import { serviceOf } from '../model/routing-parts.ts';
import { helloOf } from '../slots/hello.ts';
import { podReport, serviceReport } from '../telemetry/reports.ts';

const POD: Pod = { ip: '10.0.0.1', port: 80, state: 'ready' };
const ADDRESS = '10.0.0.1:80';
const ENVOY = { id: 'edge', cluster: '', metadata: {} };
const PACE = { heartbeatMs: 300, reportMs: 500, deadAfterMs: 1000 };
const CODEC = new Set(['codec'] as ServiceName[]);
const NONE: ReadonlySet<ServiceName> = new Set();

const service = serviceOf('codec', { kind: 'static', addresses: [{ ip: POD.ip, port: POD.port }] }, 1);
const model: Model = {
  routing: { listeners: [], services: [service], routes: [] },
  services: [{ service, pods: [POD], isKnown: true }],
};

/** The filter of an Envoy that has the one slot of codec in use. */
function filter(stream: number): Member {
  const member = new Member(helloOf({ node: 'edge', stream }), PACE);
  const pods = [podReport(ADDRESS, { limit: 1, inUse: 1 })];
  const held = serviceReport(service.name, { waiting: 2, inUse: 1, mostWaiting: 0, mostInUse: 0, pods });
  member.receive({ kind: 'service', service: held }, 0, '');
  member.receive({ kind: 'hello end' }, 0, '');
  return member;
}

/** Rollouts to one Envoy, which has the cluster of codec until that is taken from it. */
function world() {
  const clock = new FakeClock();
  const said: ToFilter[] = [];
  let member: Member | undefined;
  let absent = NONE;
  let isClusterThere = true;
  const holdings: Holdings = {
    sent: () => undefined,
    taken: () => undefined,
    lacks: () => !isClusterThere,
    names: () => [],
    isReturning: () => false,
  };
  const rollouts = new Rollouts({
    clock,
    envoys: {
      given: () => ({ kind: 'envoy', absent }),
      isReturning: () => true,
      withheldFrom: () => absent,
      needsFilter: () => false,
    },
    holdings: () => holdings,
    slots: {
      members: () => (member === undefined ? [] : [member]),
      flush(of) {
        said.push(...of.takeMessages().map(({ message }) => message));
      },
    },
    podsOf: () => ({ kind: 'ready', value: [POD], problems: [] }),
    unhealthy: () => new Set(),
    takenByJobs: () => 0,
    snapshots: new ModelSnapshots({ filter: { kind: 'off' } }),
    changed: () => {},
  });
  rollouts.follow(model);
  return {
    clock,
    /** What the filter was told of codec since this was asked last. */
    said: () =>
      said
        .splice(0)
        .filter((message) => message.kind === 'service' || message.kind === 'pods' || message.kind === 'remove'),
    connect(stream: number) {
      const how = { delta: true, service: '', userAgent: 'envoy', returning: true };
      rollouts.recordXds([{ kind: 'connected', stream, node: ENVOY, peer: '', ...how }]);
      rollouts.recordXds([
        {
          kind: 'asked',
          stream,
          node: ENVOY,
          peer: '',
          typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
        },
      ]);
      rollouts.snapshotFor(ENVOY, stream);
    },
    /** What Envoy is sent. */
    given: (stream: number) => rollouts.snapshotFor(ENVOY, stream),
    /** The file has no service any more. */
    empty() {
      rollouts.follow({ routing: { ...model.routing, services: [], routes: [] }, services: [] });
    },
    disconnect(stream: number) {
      rollouts.recordXds([{ kind: 'disconnected', stream, node: ENVOY, peer: '', reason: '' }]);
    },
    connectFilter(stream: number) {
      member = filter(stream);
      const about = { codeVersion: '', memoryBytes: 0, services: [], peer: '' };
      rollouts.recordSlots([{ kind: 'hello', node: 'edge', epoch: '1', ...about }]);
    },
    loseFilter() {
      member = undefined;
    },
    /** Another Envoy gets codec. */
    lose() {
      absent = CODEC;
    },
    removeCluster() {
      isClusterThere = false;
    },
  };
}

test('who waits for a service that another Envoy has got is let go only once its cluster is gone', async () => {
  const { clock, said, connect, disconnect, connectFilter, loseFilter, lose, removeCluster } = world();
  connect(1);
  connectFilter(1);
  said();
  disconnect(1);
  loseFilter();
  lose();
  connect(2);
  connectFilter(2);
  // Let go now, they would get to the pod, which the other Envoy uses by now.
  expect(said()).toEqual([{ kind: 'pods', name: 'codec', set: [], remove: [ADDRESS] }]);
  await clock.advance(1000);
  expect(said()).toEqual([]);
  removeCluster();
  await clock.advance(50);
  expect(said()).toMatchObject([{ kind: 'service', name: 'codec', settings: { max: 0, fullStatus: 503 } }]);
});

test('after a start nothing is taken from an Envoy before its filter has said who waits there', async () => {
  const { clock, connect, connectFilter, given, empty } = world();
  empty();
  connect(1);
  expect(given(1)).toBeUndefined();
  // So late comes a filter that nobody has answered for seconds.
  await clock.advance(2000);
  expect(given(1)).toBeUndefined();
  connectFilter(1);
  // What it has waiting still needs its cluster.
  expect(given(1)?.types[TYPE_URLS.cluster].kept?.has('codec')).toBe(true);
});

test('after a start an Envoy whose filter does not come gets what there is', async () => {
  const { clock, connect, given, empty } = world();
  empty();
  connect(1);
  await clock.advance(4000);
  expect(given(1)).toBeDefined();
});

test('a filter that is back before its Envoy does not go on with what was given away meanwhile', () => {
  const { said, connect, disconnect, connectFilter, loseFilter, lose } = world();
  connect(1);
  connectFilter(1);
  said();
  disconnect(1);
  loseFilter();
  lose();
  connectFilter(2);
  expect(said()).toEqual([{ kind: 'pods', name: 'codec', set: [], remove: [ADDRESS] }]);
});

describe('an Envoy that has just started', () => {
  const WASM = { kind: 'wasm', code: new Uint8Array([1]), guard: new Uint8Array([2]), version: 'v' } as const;

  /** `has`: the listeners that it says it has when it comes; `needsFilter`: it gets some services only with its filter. */
  function starting(has: readonly string[] = [], needsFilter = false, kind: 'envoy' | 'visitor' | 'silent' = 'envoy') {
    const clock = new FakeClock();
    const told: string[] = [];
    let member: Member | undefined;
    let taken: Snapshot | undefined;
    const holdings: Holdings = {
      sent: () => undefined,
      taken: (typeUrl, name) => {
        // Only of types that there are.
        return taken?.types[typeUrl as TypeUrl].resources.get(name)?.version;
      },
      lacks: () => false,
      names: () => has,
      isReturning: () => false,
    };
    const rollouts = new Rollouts({
      clock,
      envoys: {
        given: () => ({ kind, absent: NONE }),
        isReturning: () => false,
        withheldFrom: () => NONE,
        needsFilter: () => needsFilter,
      },
      holdings: () => holdings,
      slots: { members: () => (member === undefined ? [] : [member]), flush: () => {} },
      podsOf: () => ({ kind: 'ready', value: [POD], problems: [] }),
      unhealthy: () => new Set(),
      takenByJobs: () => 0,
      snapshots: new ModelSnapshots({ filter: WASM }),
      changed: (node) => told.push(node),
    });
    rollouts.follow(model);
    const from = { stream: 1, node: ENVOY, peer: '' };
    const connect = () => {
      rollouts.connects(ENVOY.id, has.length > 0);
      rollouts.recordXds([
        { kind: 'connected', ...from, delta: true, service: '', userAgent: 'envoy', returning: has.length > 0 },
        ...PUSH_ORDER.map((typeUrl) => ({ kind: 'asked', ...from, typeUrl }) as const),
      ]);
    };
    connect();
    const snapshot = () => rollouts.snapshotFor(ENVOY, 1);
    return {
      clock,
      told,
      /** It is killed, and started anew at once. */
      restarts() {
        member?.close(clock.monotonic());
        taken = undefined;
        rollouts.recordXds([{ kind: 'disconnected', ...from, reason: '' }]);
        connect();
      },
      listeners: () => [...(snapshot()?.types[TYPE_URLS.listener].resources.keys() ?? [])].sort(),
      acks(typeUrl: TypeUrl, resources: readonly string[] = []) {
        taken = snapshot();
        rollouts.recordXds([{ kind: 'acked', ...from, typeUrl, version: '', resources }]);
      },
      refuses(typeUrl: TypeUrl) {
        rollouts.recordXds([{ kind: 'nacked', ...from, typeUrl, version: '', resources: [], message: 'no wasm' }]);
      },
      /** Its filter comes, and has these. */
      filterComes(services: readonly ServiceReport[] = []) {
        member = new Member(helloOf({ node: 'edge' }), PACE);
        for (const each of services) member.receive({ kind: 'service', service: each }, 0, '');
        member.receive({ kind: 'hello end' }, 0, '');
        const about = { codeVersion: '', memoryBytes: 0, services: [], peer: '' };
        rollouts.recordSlots([{ kind: 'hello', node: 'edge', epoch: '1', ...about }]);
      },
      /** Its filter applies all that it is told, which is returned. */
      filterAcks() {
        const messages = member?.takeMessages() ?? [];
        const { sequence = 0 } = messages.at(-1) ?? {};
        const events = member?.receive({ kind: 'ack', sequence }, 0, '') ?? [];
        rollouts.recordSlots(events);
        return messages.map(({ message }) => message);
      },
    };
  }

  test('gets its listeners once its filter knows each service with its pods', () => {
    const { listeners, acks, filterComes, filterAcks, told } = starting();
    expect(listeners()).toEqual(['sluice.control']);
    acks(TYPE_URLS.listener);
    filterComes();
    filterAcks();
    // It knows the service by now, but no pod of it.
    expect(listeners()).toEqual(['sluice.control']);
    acks(TYPE_URLS.endpoints, ['codec']);
    expect(listeners()).toEqual(['sluice.control']);
    told.length = 0;
    filterAcks();
    expect(told).toEqual(['edge']);
    expect(listeners()).toEqual(['sluice.control', 'sluice.idle']);
  });

  test('once more: its listeners wait for the new filter, whatever the one before knew', () => {
    const { listeners, acks, filterComes, filterAcks, restarts } = starting();
    acks(TYPE_URLS.listener);
    filterComes();
    filterAcks();
    acks(TYPE_URLS.endpoints, ['codec']);
    filterAcks();
    expect(listeners()).toEqual(['sluice.control', 'sluice.idle']);
    restarts();
    expect(listeners()).toEqual(['sluice.control']);
    acks(TYPE_URLS.endpoints, ['codec']);
    filterComes();
    expect(listeners()).toEqual(['sluice.control']);
    filterAcks();
    filterAcks();
    expect(listeners()).toEqual(['sluice.control', 'sluice.idle']);
  });

  test('is told of a service that was renamed while Sluice was away with the one that it takes over, and its pods', () => {
    const { listeners, acks, filterComes, filterAcks } = starting(['public']);
    listeners();
    const pods = [podReport(ADDRESS, { limit: 1, inUse: 1 })];
    filterComes([serviceReport('before', { waiting: 2, inUse: 1, pods })]);
    filterAcks();
    acks(TYPE_URLS.endpoints, ['codec']);
    const told = filterAcks();
    const pods1 = new Map([[ADDRESS, { limit: 1, unhealthy: false }]]);
    expect(told).toContainEqual(
      expect.objectContaining({ kind: 'service', name: 'codec', pods: pods1, takes: ['before'] }),
    );
  });

  test('gets them without a filter when it refuses that, or when it does not come', async () => {
    const without = starting();
    expect(without.listeners()).toEqual(['sluice.control']);
    without.refuses(TYPE_URLS.listener);
    expect(without.listeners()).toEqual(['sluice.control', 'sluice.idle']);
    const silent = starting();
    silent.listeners();
    silent.acks(TYPE_URLS.listener);
    await silent.clock.advance(4999);
    expect(silent.listeners()).toEqual(['sluice.control']);
    await silent.clock.advance(1);
    expect(silent.listeners()).toEqual(['sluice.control', 'sluice.idle']);
  });

  test('gets none while it has not answered anything', () => {
    expect(starting([], false, 'silent').listeners()).toEqual(['sluice.control']);
    expect(starting([], false, 'visitor').listeners()).toEqual(['sluice.control', 'sluice.idle']);
  });

  test('waits longer for its filter where it could only refuse requests without', async () => {
    const busy = starting([], true);
    busy.listeners();
    busy.acks(TYPE_URLS.listener);
    await busy.clock.advance(29_999);
    expect(busy.listeners()).toEqual(['sluice.control']);
    await busy.clock.advance(1);
    expect(busy.listeners()).toEqual(['sluice.control', 'sluice.idle']);
  });

  test('that comes back with its listeners keeps them, and one that has had none yet waits for its filter', () => {
    expect(starting(['sluice.control', 'public']).listeners()).toEqual(['sluice.control', 'sluice.idle']);
    expect(starting(['sluice.control']).listeners()).toEqual(['sluice.control']);
  });
});
