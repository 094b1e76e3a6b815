import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { ok, type Result } from '../../../../src/base/result.ts';
import type { ApiFailure, KubeWriter, WriteMethod } from '../../../../src/kubernetes/api.ts';
import { type KubeObject, type Resource, withoutManagedFields } from '../../../../src/routes/objects/object.ts';
import { ObjectRoutes } from '../../../../src/routes/objects/source.ts';
import type { RouteKind } from '../../../../src/routes/objects/translation.ts';
import { FakeApi } from '../../kubernetes/fake-api.ts';
import { partOf, routeOf } from '../../model/routing-parts.ts';

const resource = (kind: string, optional = false): Resource<KubeObject> => ({
  kind,
  group: 'g',
  version: 'v1',
  plural: `${kind.toLowerCase()}s`,
  namespaced: true,
  ...(optional ? { optional: true } : {}),
  read: withoutManagedFields,
});

const THINGS = resource('Thing');
const EXTRAS = resource('Extra', true);

/** One route for each thing, and a status that says so. */
const KIND: RouteKind = {
  source: 'things',
  resources: [THINGS, EXTRAS],
  translate: (objects) => ({
    part: partOf('things', { routes: objects.all(THINGS).map(({ metadata }) => routeOf(metadata.name)) }),
    statuses: objects.all(THINGS).map((object) => ({ resource: THINGS, object, status: { seen: true } })),
  }),
};

class Api extends FakeApi implements KubeWriter {
  readonly written: string[] = [];

  async namespace(): Promise<Result<string, ApiFailure>> {
    return ok('default');
  }

  async write(method: WriteMethod, path: string, body: unknown): Promise<Result<string, ApiFailure>> {
    this.written.push(`${method} ${path} ${JSON.stringify(body)}`);
    const name = path.split('/').at(-2) ?? '';
    return ok(JSON.stringify({ ...thing(name, '100'), status: { seen: true } }));
  }

  /** The newest list of a plural. */
  listOf(plural: string) {
    const list = this.lists.findLast(({ path }) => path.includes(`/${plural}?`));
    if (list === undefined) throw new Error(`${plural} were not listed`);
    return list;
  }
}

const thing = (name: string, resourceVersion: string) => ({ metadata: { namespace: 'n', name, resourceVersion } });

let clock: FakeClock;
let api: Api;
let routes: ObjectRoutes;
let stopping: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  clock = new FakeClock();
  api = new Api();
  routes = new ObjectRoutes({ kinds: [KIND], api, clock, log: () => {}, instance: 'one', random: () => 0.5 });
  stopping = new AbortController();
  running = routes.run(stopping.signal, () => {});
  await clock.advance(0);
});

afterEach(async () => {
  stopping.abort();
  await running;
});

const names = () => {
  const state = routes.state();
  return state.kind === 'pending' ? state.kind : state.value[0]?.routes.map(({ name }) => name);
};

test('nothing is told before everything is known, so that no route is taken away by half of the objects', async () => {
  api.listOf('things').answer('1', [thing('a', '1')]);
  await clock.advance(200);
  expect(names()).toBe('pending');
  api.listOf('extras').answer('1', []);
  await clock.advance(200);
  expect(names()).toEqual(['a']);
});

test('what the API server does not have counts as none, and what it does not tell is waited for', async () => {
  api.listOf('extras').fail({ kind: 'status', code: 404, message: 'no such thing' });
  api.listOf('things').fail({ kind: 'unreachable', message: 'refused' });
  await clock.advance(200);
  expect(routes.state()).toMatchObject({ kind: 'pending', problems: [{ message: 'cannot list things: refused' }] });
  await clock.advance(5000);
  api.listOf('things').answer('1', []);
  await clock.advance(200);
  expect(routes.state()).toMatchObject({ kind: 'ready', problems: [] });
});

test('a status is written once, whatever the watch tells of it later', async () => {
  api.listOf('extras').answer('1', []);
  api.listOf('things').answer('1', [thing('a', '1')]);
  await clock.advance(200);
  expect(api.written).toEqual([
    'PATCH /apis/g/v1/namespaces/n/things/a/status {"metadata":{"resourceVersion":"1"},"status":{"seen":true}}',
  ]);
  const watch = api.watches.find(({ path }) => path.includes('/things?'));
  watch?.open();
  // Of the time before the write, and of the write itself.
  watch?.send('MODIFIED', thing('a', '99'));
  watch?.send('MODIFIED', { ...thing('a', '100'), status: { seen: true } });
  await clock.advance(200);
  expect(api.written).toHaveLength(1);
  expect(routes.written).toBe(1);
});

test('routes that are as they were stay the same objects', async () => {
  api.listOf('extras').answer('1', []);
  api.listOf('things').answer('1', [thing('a', '1')]);
  await clock.advance(200);
  const before = routes.state();
  const watch = api.watches.find(({ path }) => path.includes('/things?'));
  watch?.open();
  watch?.send('ADDED', thing('b', '2'));
  await clock.advance(200);
  const after = routes.state();
  if (before.kind === 'pending' || after.kind === 'pending') throw new Error('it is known');
  expect(names()).toEqual(['a', 'b']);
  expect(after.value[0]?.routes[0]).toBe(before.value[0]?.routes[0]);
});
