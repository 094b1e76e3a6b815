import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { makeLogger } from '../../../src/base/log.ts';
import { Controller } from '../../../src/control-plane/controller.ts';
import { EventQueue } from '../../../src/control-plane/events.ts';
import { ModelSnapshots } from '../../../src/control-plane/model-snapshots.ts';
import { Rollouts } from '../../../src/control-plane/rollouts.ts';
import type { Locator } from '../../../src/model/locator.ts';
import { NO_OVERRIDES } from '../../../src/model/overrides.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { Problem } from '../../../src/model/problem.ts';
import type { Routing } from '../../../src/model/routing.ts';
import type { SourceState } from '../../../src/model/source.ts';
import { Envoys } from '../../../src/nodes/envoys.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { serviceOf } from '../model/routing-parts.ts';

const PENDING = { kind: 'pending', problems: [] } as const;
const ANYBODY = { id: 'anybody', cluster: '', metadata: {} };

/** A controller with two services whose sources answer when they are told to, and so many that have no pods. */
function world(more = 0) {
  const clock = new FakeClock();
  const log = makeLogger('silent');
  const cache = new SnapshotCache();
  const states: Record<'one' | 'two', SourceState<readonly Pod[]>> = { one: PENDING, two: PENDING };
  const services = [
    ...(['one', 'two'] as const).map((name) => serviceOf(name, { kind: 'dns', host: name, port: 80 })),
    ...Array.from({ length: more }, (_, i) => serviceOf(`more${i}`, { kind: 'static', addresses: [] })),
  ];
  const routing: Routing = { listeners: [], services, routes: [] };
  const events = new EventQueue((callback) => queueMicrotask(callback));
  const envoys = new Envoys({
    clock,
    hasFilter: () => true,
    hasOthers: () => false,
    ask: () => false,
    drop: () => {},
    changed: (nodes) => events.post({ kind: 'ownership', nodes }),
  });
  let changed = () => {};
  const runs = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  const pods = {
    name: 'made up',
    want: () => {},
    pods: (locator: Locator): SourceState<readonly Pod[]> => {
      if (locator.kind !== 'dns') return { kind: 'ready', value: [], problems: [] };
      return locator.host === 'one' ? states.one : states.two;
    },
    run: (signal: AbortSignal, tell: () => void) => {
      changed = tell;
      return runs(signal);
    },
  };
  const rollouts = new Rollouts({
    clock,
    envoys,
    holdings: () => undefined,
    slots: undefined,
    podsOf: pods.pods,
    unhealthy: () => new Set(),
    takenByJobs: () => 0,
    snapshots: new ModelSnapshots({ filter: { kind: 'off' } }),
    changed: (node) => events.post({ kind: 'rollout', node }),
  });
  const controller = new Controller({
    events,
    routes: { name: 'file', state: () => ({ kind: 'ready', value: routing, problems: [] }), run: runs },
    pods,
    envoys,
    sharing: { follow: () => {}, recordJobs: () => {}, problems: () => [] },
    rollouts,
    checks: { follow: () => {}, stop: () => {} },
    jobs: { follow: () => {}, stop: () => {} },
    cache,
    overrides: () => NO_OVERRIDES,
    pending: { problems: () => [] },
    filterProblems: () => [],
    clock,
    log,
  });
  const stopping = new AbortController();
  const running = controller.run(stopping.signal);
  const say = (name: 'one' | 'two', state: SourceState<readonly Pod[]>) => {
    states[name] = state;
    changed();
  };
  return {
    clock,
    cache,
    controller,
    answer: (name: 'one' | 'two', ...ports: readonly number[]) => {
      const value = ports.map((port): Pod => ({ ip: '10.0.0.1', port, state: 'ready' }));
      say(name, { kind: 'ready', value, problems: [] });
    },
    fail: (name: 'one' | 'two', problem: Problem) => say(name, { kind: 'pending', problems: [problem] }),
    /** The services whose clusters are published. */
    published: () => [...(cache.get(ANYBODY)?.types[TYPE_URLS.cluster].resources.keys() ?? [])],
    async stop() {
      stopping.abort();
      await running;
      envoys.stop();
    },
  };
}

test('publishes nothing while a source has neither answered nor failed', async () => {
  const { clock, cache, answer, published, stop } = world();
  await clock.advance(1000);
  answer('one', 1);
  await clock.advance(3000);
  expect(cache.changes).toBe(0);
  answer('two', 2);
  await clock.advance(100);
  expect([cache.changes, published()]).toEqual([1, ['one', 'two']]);
  await stop();
});

test('goes on after 5 s without a source that says nothing: of its service nothing is told', async () => {
  const { clock, cache, controller, answer, published, stop } = world();
  answer('one', 1);
  await clock.advance(4900);
  expect(cache.changes).toBe(0);
  await clock.advance(200);
  expect(published()).toEqual(['one']);
  expect(controller.state().pending).toEqual(['two']);
  answer('two', 2);
  await clock.advance(100);
  expect(published()).toEqual(['one', 'two']);
  expect(controller.state().pending).toEqual([]);
  await stop();
});

test('a source that fails holds nobody up, and its problem is there until it answers', async () => {
  const { clock, controller, answer, fail, published, stop } = world();
  answer('one', 1);
  fail('two', { severity: 'error', subject: 'dns pods.example', message: 'no such name' });
  await clock.advance(100);
  expect(published()).toEqual(['one']);
  expect(controller.state().problems).toMatchObject([
    { subject: 'service two: dns pods.example', message: 'no such name' },
  ]);
  answer('two', 2);
  await clock.advance(100);
  expect([published(), controller.state().problems]).toEqual([['one', 'two'], []]);
  await stop();
});

test('what is new of many services is prepared in steps; of models that come meanwhile the newest is published', async () => {
  const { clock, cache, answer, published, stop } = world(3000);
  await clock.advance(10);
  answer('one', 1);
  answer('two', 2);
  let passed = 0;
  for (; published().length === 0 && passed < 200; passed++) {
    // While the steps of the first model go on: changes are gathered for 5 ms.
    if (passed === 7) answer('two', 2, 3);
    await clock.advance(1);
  }
  expect(published()).toHaveLength(3002);
  expect(passed).toBeGreaterThan(10);
  expect(cache.changes).toBe(1);
  await clock.advance(100);
  expect(cache.changes).toBe(1);
  await stop();
});
