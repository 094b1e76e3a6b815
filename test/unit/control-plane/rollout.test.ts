import { expect, test } from 'vitest';
import { Rollout } from '../../../src/control-plane/rollout.ts';
import type { Model } from '../../../src/model/model.ts';
import type { Pod } from '../../../src/model/pod.ts';
import { Member } from '../../../src/slots/member.ts';
import { TYPE_URLS, type TypeUrl } from '../../../src/snapshot/resource.ts';
import { makeSnapshot, type Snapshot } from '../../../src/snapshot/snapshot.ts';
import { seeded } from '../../e2e/kit/random.ts';
import { serviceName, serviceOf } from '../model/routing-parts.ts';
import { helloOf } from '../slots/hello.ts';
import { World } from './rollout-world.ts';

/** How many schedules are tried, and the first of them: `SLUICE_ROLLOUT_SEEDS=3000 SLUICE_ROLLOUT_FROM=61` tries others, some 15 a second. */
const SEEDS = Number(process.env.SLUICE_ROLLOUT_SEEDS ?? 60);
const FROM = Number(process.env.SLUICE_ROLLOUT_FROM ?? 1);
/** Those that have found faults that the others do not. */
const TELLING = [1233, 1504, 6034, 8275];

test(
  'whatever is edited when, and however often Sluice or the filter ends: limits hold, nobody is lost, all slots are used',
  () => {
    const faults: string[] = [];
    const seeds = [...TELLING, ...Array.from({ length: SEEDS }, (_, at) => FROM + at)];
    for (const seed of seeds) {
      if (faults.length > 0) break;
      const random = seeded(seed * 7919);
      // Now and then the filter is one of an older version.
      const world = new World(seed, seed % 6 !== 0);
      world.run(300, 0.3);
      for (let times = 0; times < 12; times++) {
        const what = random();
        if (what < 0.6) world.edit();
        else if (what < 0.7) {
          world.trap();
          world.run(random() * 200, 0.3);
          world.edit();
          world.run(1500, 0.3);
        } else if (what < 0.85) world.kill();
        else world.restart();
        world.run(random() * 400, 0.3);
      }
      world.restart();
      // A last edit that leaves somebody to serve those who still wait.
      world.run(35_000, 0);
      const rest = world.differences();
      const problems = [...world.faults.slice(0, 3), ...(world.isSettled ? [] : ['not settled']), ...rest];
      if (problems.length > 0) faults.push(`seed ${seed}: ${problems.join('; ')}`);
    }
    expect(faults).toEqual([]);
  },
  Math.max(120_000, SEEDS * 1000),
);

/** A rollout to an Envoy that takes all, and that has the service `before`. */
function stage(takes = true) {
  const pod: Pod = { ip: '10.0.0.1', port: 80, state: 'ready' };
  const modelOf = (name: string, pods = [pod]): Model => {
    const service = serviceOf(name, { kind: 'static', addresses: [{ ip: pod.ip, port: pod.port }] }, 1);
    return {
      routing: { listeners: [], services: [service], routes: [] },
      services: [{ service, pods, isKnown: true }],
    };
  };
  const member = new Member(helloOf({ takes }), { heartbeatMs: 300, reportMs: 500, deadAfterMs: 1000 });
  member.receive({ kind: 'hello end' }, 0, '');
  const rollout = new Rollout();
  rollout.join(member);
  let sequence = 0;
  let claimed = 0;
  let snapshot: Snapshot | undefined;
  const versionOf = (typeUrl: string, name: string) => snapshot?.types[typeUrl as TypeUrl].resources.get(name)?.version; // only of types that there are
  /** The filter takes it as well where it answers. */
  const stepAt = (now: number, answers: boolean) => {
    const view = rollout.step({
      members: [member],
      holdings: { sent: versionOf, taken: versionOf, lacks: () => false, names: () => [], isReturning: () => false },
      podsOf: () => [pod],
      unhealthy: () => new Set(),
      takenByJobs: () => 0,
      now,
    });
    snapshot = snapshotOf(view.model);
    rollout.noteSnapshot(snapshot);
    const messages = member.takeMessages();
    sequence = messages.at(-1)?.sequence ?? sequence;
    if (answers) member.receive({ kind: 'ack', sequence }, now, '');
    for (const { message } of answers ? messages : []) {
      if (message.kind !== 'list waiting') continue;
      const claims = message.service === before.services[0]?.service.name ? claimed : 0;
      const answer = {
        query: message.query,
        requests: [],
        waiting: 0,
        claims,
        away: claims,
        pods: [{ address: '10.0.0.1:80', inUse: 0 }],
      };
      member.receive({ kind: 'waiting list', ...answer }, now, '');
    }
    return view.model;
  };
  const [before, after] = [modelOf('before'), modelOf('after')];
  rollout.setTarget(before, new Set());
  for (const now of [60, 120, 180]) stepAt(now, true);
  const setClaims = (claims: number) => {
    claimed = claims;
  };
  return { rollout, before, after, stepAt, setClaims, member, modelOf, pod };
}

test('routes to a service that comes wait until the filter knows its pods, and the service before stays as long', () => {
  const { rollout, before, after, stepAt } = stage();
  const names = ({ services }: Model) => services.map(({ service: { name } }) => name);
  rollout.setTarget(after, new Set());
  for (const now of [240, 300, 360, 420]) {
    const model = stepAt(now, false);
    expect(model.routing).toBe(before.routing);
    expect(names(model).sort()).toEqual(['after', 'before']);
  }
  stepAt(480, true);
  expect(stepAt(540, true).routing).toBe(after.routing);
});

test('a filter that does not answer keeps routes for a second, though nothing else happens', () => {
  const { rollout, before, after, stepAt } = stage();
  // Nobody leaves: what leaves is looked at all the time.
  const services = [...after.services, ...before.services];
  const both = { routing: { ...after.routing, services: services.map(({ service }) => service) }, services };
  rollout.setTarget(both, new Set());
  let now = 240;
  let model = stepAt(now, false);
  expect(model.routing).toBe(before.routing);
  while (model.routing === before.routing) {
    const { wakeAt } = rollout;
    expect(wakeAt, `after ${now} ms`).toBeDefined();
    now = wakeAt ?? now;
    model = stepAt(now, false);
  }
  expect(model.routing).toBe(both.routing);
  expect(now).toBeLessThan(240 + 1100);
});

test('at an older filter a service that leaves has its pods until nobody waits, and then the next one gets them', () => {
  const { rollout, after, stepAt, setClaims, member } = stage(false);
  const limits = () => ['before', 'after'].map((name) => member.limitOf(serviceName(name), '10.0.0.1:80'));
  setClaims(1);
  rollout.setTarget(after, new Set());
  for (let now = 240; now < 3000; now += 60) stepAt(now, true);
  expect(limits()).toEqual([1, 0]);
  setClaims(0);
  for (let now = 3000; now < 6000; now += 60) stepAt(now, true);
  expect(limits()).toEqual([0, 1]);
});

test('a service that leaves is taken over in the moment in which the next one is told, whoever waits, and goes when nobody is left', () => {
  const { rollout, after, stepAt, setClaims, member } = stage();
  const [before, next] = [serviceName('before'), serviceName('after')];
  const limits = () => [before, next].map((name) => member.limitOf(name, '10.0.0.1:80'));
  setClaims(1);
  rollout.setTarget(after, new Set());
  const seen = new Set<string>();
  for (let now = 240; now < 3000; now += 60) {
    stepAt(now, true);
    seen.add(limits().join());
  }
  expect([...seen]).toEqual(['1,0', '0,1']);
  expect(member.service(before)?.takenBy).toBe(next);
  expect(rollout.leaving.map(({ name }) => name)).toEqual([before]);
  setClaims(0);
  const event = { service: before, address: '10.0.0.1:80', kind: 'forgotten', reason: 'none', forMs: 0 } as const;
  member.receive({ kind: 'pod', event }, 3000, '');
  for (let now = 3000; now < 6000; now += 60) stepAt(now, true);
  expect(limits()).toEqual([0, 1]);
  expect(rollout.leaving).toEqual([]);
});

test('an edit while a service leaves takes no slots from the one that came for it', () => {
  const { rollout, after, stepAt, member } = stage();
  rollout.setTarget(after, new Set());
  for (let now = 240; now < 900; now += 60) stepAt(now, true);
  expect(member.limitOf(serviceName('after'), '10.0.0.1:80')).toBe(1);
  const services = after.services.map((each) => ({ ...each }));
  rollout.setTarget({ routing: { ...after.routing }, services }, new Set());
  for (let now = 900; now < 1100; now += 60) {
    stepAt(now, true);
    expect(member.limitOf(serviceName('after'), '10.0.0.1:80'), `${now}`).toBe(1);
  }
});

test('until the filter has said that another one takes a service over, Envoy has the pods that those who came for it may get before', () => {
  const { rollout, stepAt, setClaims, member, modelOf, pod } = stage();
  const [before, after, last] = [serviceName('before'), serviceName('after'), serviceName('last')];
  const portsOf = ({ services }: Model) =>
    services.find(({ service }) => service.name === before)?.pods.map(({ port }) => port);
  const takenBy = () => member.service(before)?.takenBy;
  setClaims(1);
  rollout.setTarget(modelOf('after', [pod, { ...pod, port: 81 }]), new Set());
  for (let now = 240; now < 900; now += 60) stepAt(now, true);
  expect(takenBy()).toBe(after);
  rollout.setTarget(modelOf('last'), new Set());
  for (let now = 900; now < 1200; now += 60) expect(portsOf(stepAt(now, false)), `${now}`).toEqual([80, 81]);
  expect(takenBy()).toBe(last);
  for (let now = 1200; now < 1500; now += 60) stepAt(now, true);
  expect(portsOf(stepAt(1500, true))).toEqual([80]);
});

test('a service that comes back keeps the pods of the one that had taken it over until the filter has said that it has heard', () => {
  const { rollout, before, stepAt, setClaims, modelOf, pod } = stage();
  const portsOf = ({ services }: Model) =>
    services.find(({ service }) => service.name === serviceName('before'))?.pods.map(({ port }) => port);
  setClaims(1);
  const both = [pod, { ...pod, port: 81 }];
  rollout.setTarget(modelOf('after', both), new Set());
  for (let now = 240; now < 900; now += 60) stepAt(now, true);
  const { services, ...rest } = modelOf('after', [{ ...pod, port: 81 }]);
  rollout.setTarget({ ...rest, services: [...services, ...before.services] }, new Set());
  for (let now = 900; now < 1200; now += 60) expect(portsOf(stepAt(now, false)), `${now}`).toEqual([80, 81]);
  for (let now = 1200; now < 1500; now += 60) stepAt(now, true);
  expect(portsOf(stepAt(1500, true))).toEqual([80]);
});

function snapshotOf({ services }: Model): Snapshot {
  const types = [TYPE_URLS.cluster, TYPE_URLS.endpoints];
  const body = new Uint8Array([1]);
  return makeSnapshot(services.flatMap(({ service: { name } }) => types.map((typeUrl) => ({ typeUrl, name, body }))));
}
