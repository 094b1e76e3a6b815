import { expect, test } from 'vitest';
import { ModelSnapshots } from '../../../src/control-plane/model-snapshots.ts';
import type { Model } from '../../../src/model/model.ts';
import { kubernetes, listenerOf, matchOf, routeOf, serviceName, serviceOf } from '../model/routing-parts.ts';

const NOTHING: ReadonlySet<never> = new Set();

/** A model with so many services that have a route and a pod each. */
function modelOf(count: number): Model {
  const names = Array.from({ length: count }, (_, i) => `s${i}`);
  const services = names.map((name) => serviceOf(name, kubernetes(name), 2));
  const routes = names.map((name) =>
    routeOf(name, {
      match: matchOf({ path: { kind: 'prefix', prefix: `/${name}` } }),
      backends: [{ kind: 'service', service: serviceName(name), weight: 1 }],
    }),
  );
  const pods = [{ ip: '10.0.0.1', port: 80, state: 'ready' }] as const;
  return {
    routing: { listeners: [listenerOf('public')], services, routes },
    services: services.map((service) => ({ service, pods, isKnown: true })),
  };
}

test('a model with many new services is prepared in several steps, and comes to the same', () => {
  const model = modelOf(1200);
  const snapshots = new ModelSnapshots({ filter: { kind: 'off' } });
  expect([...snapshots.prepare({ model, kept: NOTHING })].length).toBeGreaterThan(2);
  const prepared = snapshots.of({ model, kept: NOTHING }, NOTHING);
  const atOnce = new ModelSnapshots({ filter: { kind: 'off' } }).of({ model, kept: NOTHING }, NOTHING);
  expect(prepared.version).toBe(atOnce.version);
  // Nothing is new any more.
  expect([...snapshots.prepare({ model, kept: NOTHING })]).toEqual([]);
});

test('of a model with many services one change is prepared as well: what follows makes nothing anew', () => {
  const model = modelOf(1200);
  const snapshots = new ModelSnapshots({ filter: { kind: 'off' } });
  for (const _ of snapshots.prepare({ model, kept: NOTHING }));
  const changed = { ...model, services: model.services.slice(1) };
  const made: unknown[] = [];
  for (const _ of snapshots.prepare({ model: changed, kept: NOTHING })) made.push(_);
  expect(made).toHaveLength(2);
  const prepared = snapshots.of({ model: changed, kept: NOTHING }, NOTHING);
  expect(snapshots.of({ model: changed, kept: new Set() }, new Set())).toBe(prepared);
  expect(prepared.version).not.toBe(snapshots.of({ model, kept: NOTHING }, NOTHING).version);
});

test('a few new services need no step of their own, and what is there stays while many more come', () => {
  const small = modelOf(3);
  const snapshots = new ModelSnapshots({ filter: { kind: 'off' } });
  expect([...snapshots.prepare({ model: small, kept: NOTHING })]).toEqual([]);
  snapshots.of({ model: small, kept: NOTHING }, NOTHING);
  const more = modelOf(900);
  const large = {
    routing: { ...more.routing, services: [...small.routing.services, ...more.routing.services.slice(3)] },
    services: [...small.services, ...more.services.slice(3)],
  };
  for (const _ of snapshots.prepare({ model: large, kept: NOTHING })) {
    // The small one may still be asked for.
    expect(snapshots.of({ model: small, kept: NOTHING }, NOTHING).version).toBeDefined();
  }
  const direct = new ModelSnapshots({ filter: { kind: 'off' } }).of({ model: large, kept: NOTHING }, NOTHING);
  expect(snapshots.of({ model: large, kept: NOTHING }, NOTHING).version).toBe(direct.version);
});
