import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DrainingPods, type EjectedPods, reconcile } from '../../../src/control-plane/reconcile.ts';
import { translate } from '../../../src/dataplane/translate.ts';
import { type PodsId, podsId } from '../../../src/model/generation.ts';
import { formatAddress } from '../../../src/model/locator.ts';
import { gatesOf, type Model } from '../../../src/model/model.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { Routing } from '../../../src/model/routing.ts';
import type { Service } from '../../../src/model/service.ts';
import { stepEjected } from '../../../src/slots/ejected.ts';
import type { NodeLoad } from '../../../src/slots/observed-load.ts';
import { stages } from '../../../src/slots/stages.ts';
import { snapshotOfTypes } from '../../../src/snapshot/snapshot.ts';
import { limitedService, pod } from '../slots/services.ts';

/** One edit or report of a made-up history. */
interface Step {
  readonly services: readonly Service[];
  readonly pods: readonly Pod[];
  /** Requests on each pod, wherever they run, if a report comes. */
  readonly running: number | undefined;
  readonly inUse: number;
  readonly passed: number;
  /** Numbers of the pods that Envoy has taken out. */
  readonly out: readonly number[];
}

const services = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom('a', 'b'),
      limit: fc.constantFrom(1, 2, 3),
      protocol: fc.constantFrom('http1' as const, 'h2c' as const),
    }),
    { selector: ({ name }) => name, maxLength: 2 },
  )
  .map((all) => all.map(({ name, limit, protocol }): Service => ({ ...limitedService(name, limit), protocol })));

const step: fc.Arbitrary<Step> = fc.record({
  services,
  pods: fc
    .uniqueArray(fc.constantFrom(1, 2, 3), { maxLength: 3 })
    .map((numbers) => numbers.map((number) => pod(number))),
  running: fc.option(fc.nat(3), { nil: undefined }),
  inUse: fc.nat(9),
  passed: fc.constantFrom(10, 400, 2000),
  out: fc.uniqueArray(fc.constantFrom(1, 2, 3), { maxLength: 3 }),
});

/** A report in which every known pod of every known cluster holds the same. */
function reportOn(model: Model | undefined, at: number, { running = 0, inUse }: Step): NodeLoad {
  const known = model === undefined ? [] : [...model.services, ...model.retiring];
  const counts = (pods: readonly Pod[]) => new Map(pods.map((one) => [formatAddress(one), running]));
  return {
    at,
    pods: new Map(known.map(({ service, pods }): [PodsId, Map<string, number>] => [podsId(service), counts(pods)])),
    gates: new Map(known.map(({ service }) => [service.name, inUse])),
  };
}

/** The same model of the same services, and not one pod of it the same object. */
function copyOf(model: Model): Model {
  const copy = <S extends { readonly pods: readonly Pod[] }>(one: S): S => ({
    ...one,
    pods: one.pods.map((each) => ({ ...each })),
  });
  return { ...model, services: model.services.map(copy), retiring: model.retiring.map(copy) };
}

function slotsOf(model: Model): number {
  return [...gatesOf(model).values()].reduce((sum, { slots }) => sum + slots, 0);
}

test('whatever is edited and reported: one valid configuration, no pod ready twice, no slot too many', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (history) => {
      let before: Model | undefined;
      let draining: DrainingPods = new Map();
      let ejected: EjectedPods = new Map();
      const loads = new Map<string, NodeLoad>();
      let now = 1_000_000;
      for (const one of history) {
        now += one.passed;
        if (one.running !== undefined) loads.set('envoy', reportOn(before, now, one));
        const routing: Routing = { listeners: [], services: one.services, routes: [] };
        const podsOf = () => ({ kind: 'ready' as const, value: one.pods, problems: [] });
        const out = one.out.map((number) => formatAddress(pod(number)));
        const outOf = one.services.map((service) => [podsId(service), out] as const);
        ejected = stepEjected(ejected, new Map(out.length === 0 ? [] : outOf), now);
        const input = { routing, podsOf, loads, draining, ejected, meanWork: new Map(), now };
        const reconciled = reconcile({ ...input, before });
        const { model } = reconciled;
        // What is taken from the last time because it is the same object is what would be made anew.
        expect(reconcile({ ...input, before: before && copyOf(before) })).toEqual(reconciled);
        // Throws when two resources have one name.
        snapshotOfTypes(translate(model, { kickPort: 1 }));
        stages(before, model);

        // Without two present services for the same pods: the route file forbids that.
        if (one.services.length < 2) expectNoPodTwice(model);
        expect(readyIn(model).filter((ready) => out.includes(ready))).toEqual([]);
        expect(slotsOf(model)).toBeLessThanOrEqual(capacity(model, one, loads.size > 0));
        ({ draining } = reconciled);
        before = model;
      }
    }),
    { numRuns: 2000 },
  );
});

test('a service is the same object for as long as nothing about it changes, whatever drains or is out', () => {
  const [a, b] = [limitedService('a', 2), limitedService('b', 2)];
  const routing: Routing = { listeners: [], services: [a, b], routes: [] };
  const sources = new Map([a, b].map((service) => [service, [pod(1), pod(2)]]));
  const report = (at: number, running: number): NodeLoad => ({
    at,
    pods: new Map([[podsId(a), new Map([[formatAddress(pod(2)), running]])]]),
    gates: new Map(),
  });
  let now = 1_000_000;
  let last = { before: undefined as Model | undefined, draining: new Map() as DrainingPods };
  const step = (load: NodeLoad | undefined, out: readonly Pod[] = []) => {
    now += 1000;
    // Every service of this test has a source of its own: they have the same locator.
    const values = [...sources.values()];
    const podsOf = () => ({ kind: 'ready' as const, value: values.shift() ?? [], problems: [] });
    const ejected = stepEjected(new Map(), new Map([[podsId(b), out.map(formatAddress)]]), now);
    const loads = new Map(load === undefined ? [] : [['envoy', load]]);
    const meanWork = new Map();
    const { model, draining } = reconcile({ ...last, routing, podsOf, loads, ejected, meanWork, now });
    last = { before: model, draining };
    return model.services;
  };
  const [, first] = step(undefined);
  sources.set(a, [pod(1), pod(2, 'draining')]);
  const [leaves, second] = step(undefined);
  expect(leaves?.gate?.slots).toBe(2);
  expect(second).toBe(first);
  const [busy, third] = step(report(now + 1000, 1), [pod(1)]);
  expect(busy).toMatchObject({ pods: leaves?.pods, gate: { slots: 3 } });
  expect(busy?.pods).toBe(leaves?.pods);
  expect(third?.pods[0]?.state).toBe('ejected');
  expect(step(report(now + 1000, 1), [pod(1)])).toEqual([busy, third]);
  const [again, fourth] = step(report(now + 1000, 1), [pod(1)]);
  expect(again).toBe(busy);
  expect(fourth).toBe(third);
  sources.set(a, [pod(1)]);
  const [gone, back] = step(report(now + 1000, 0));
  expect(gone).toMatchObject({ pods: [pod(1)], gate: { slots: 2 } });
  expect(back).toEqual(first);
});

function readyIn({ services }: Model): readonly string[] {
  return services.flatMap(({ pods }) => pods.filter(({ state }) => state === 'ready').map(formatAddress));
}

function expectNoPodTwice(model: Model): void {
  const withHeir = model.retiring.filter(({ heir }) => heir !== undefined);
  const ready = [...model.services, ...withHeir].flatMap(({ pods }) =>
    pods.filter(({ state }) => state === 'ready').map(formatAddress),
  );
  expect(new Set(ready).size).toBe(ready.length);
}

/** The most that may run: every ready pod's limit, and what runs on draining ones. */
function capacity(model: Model, { running = 3 }: Step, reported: boolean): number {
  return [...model.services, ...model.retiring].reduce((sum, { service, pods, gate }) => {
    const limit = service.discipline.kind === 'limited' ? service.discipline.limit : 0;
    const draining = reported ? Math.min(Math.max(running, 3), limit) : 0;
    const own = pods.reduce((total, one) => total + (one.state === 'ready' ? limit : draining), 0);
    // One that ends without an heir keeps the slots it had, whatever becomes of its pods.
    return (
      sum +
      Math.max(
        own,
        model.retiring.some((old) => old.service === service && old.heir === undefined) ? (gate?.slots ?? 0) : 0,
      )
    );
  }, 0);
}
