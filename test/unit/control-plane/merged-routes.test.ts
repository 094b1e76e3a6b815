import { expect, test } from 'vitest';
import { MergedRoutes } from '../../../src/control-plane/merged-routes.ts';
import type { Routing, RoutingPart } from '../../../src/model/routing.ts';
import type { Source, SourceState } from '../../../src/model/source.ts';
import { partOf, routeOf } from '../model/routing-parts.ts';

const PROBLEM = { severity: 'error', subject: 's', message: 'm' } as const;
const PENDING = { kind: 'pending', problems: [PROBLEM] } as const;
const ready = <T>(value: T): SourceState<T> => ({ kind: 'ready', value, problems: [] });

function sourceOf<T>(state: () => SourceState<T>): Source<T> {
  return { name: 'made up', state, run: async () => {} };
}

function world() {
  const file: Routing = partOf('file', { routes: [routeOf('file')] });
  const states: { file: SourceState<Routing>; objects: SourceState<readonly RoutingPart[]> } = {
    file: ready(file),
    objects: ready([partOf('objects', { routes: [routeOf('object')], problems: [PROBLEM] })]),
  };
  const objects = { ...sourceOf(() => states.objects), canonical: <T>(locator: T) => locator };
  return { states, routes: new MergedRoutes({ file: sourceOf(() => states.file), objects }) };
}

test('the routes of both are one routing, the same object while neither changes', () => {
  const { routes } = world();
  const state = routes.state();
  if (state.kind === 'pending') throw new Error('it is known');
  expect(state.value.routes.map(({ name }) => name)).toEqual(['file', 'object']);
  expect(state.problems).toEqual([PROBLEM]);
  const again = routes.state();
  expect(again.kind !== 'pending' && again.value).toBe(state.value);
});

test('nothing is told while one of them is not known', () => {
  const { states, routes } = world();
  states.objects = PENDING;
  expect(routes.state()).toEqual(PENDING);
});

test('what of one is out of date makes the whole out of date, since then', () => {
  const { states, routes } = world();
  const { file, objects } = states;
  if (file.kind === 'pending' || objects.kind === 'pending') throw new Error('both are known');
  states.file = { ...file, kind: 'stale', since: 7 };
  expect(routes.state()).toMatchObject({ kind: 'stale', since: 7 });
  states.objects = { ...objects, kind: 'stale', since: 5 };
  expect(routes.state()).toMatchObject({ kind: 'stale', since: 5 });
});

test('a file alone is the file, and objects alone are objects', () => {
  const { states } = world();
  const fileOnly = new MergedRoutes({ file: sourceOf(() => states.file), objects: undefined });
  expect(fileOnly.state()).toBe(states.file);
  const source = { ...sourceOf(() => states.objects), canonical: <T>(locator: T) => locator };
  expect(new MergedRoutes({ file: undefined, objects: source }).state()).toMatchObject({
    value: { routes: [{ name: 'object' }] },
  });
});
