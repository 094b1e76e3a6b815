import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { millis } from '../../../src/base/duration.ts';
import { makeLogger } from '../../../src/base/log.ts';
import { Controller } from '../../../src/control-plane/controller.ts';
import { podsId } from '../../../src/model/generation.ts';
import { formatAddress } from '../../../src/model/locator.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { Routing } from '../../../src/model/routing.ts';
import type { SourceState } from '../../../src/model/source.ts';
import { Carriers } from '../../../src/nodes/carriers.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { limitedService, pod } from '../slots/services.ts';

const PENDING = { kind: 'pending', problems: [] } as const;

/** A controller with two services whose sources answer when they are told to. */
function world() {
  const clock = new FakeClock();
  const log = makeLogger('silent');
  const cache = new SnapshotCache();
  const states: Record<'one' | 'two', SourceState<readonly Pod[]>> = { one: PENDING, two: PENDING };
  const services = (['one', 'two'] as const).map((name) => {
    return { ...limitedService(name), locator: { kind: 'dns' as const, host: name, port: 80 } };
  });
  const routing: Routing = { listeners: [], services, routes: [] };
  const carriers = new Carriers({
    clock,
    log,
    graceMs: millis(30_000),
    ask: () => false,
    drop: () => {},
    changed: () => {},
  });
  let changed = () => {};
  const runs = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  const controller = new Controller({
    routeFile: { name: 'file', state: () => ({ kind: 'ready', value: routing, problems: [] }), run: runs },
    pods: {
      name: 'made up',
      want: () => {},
      pods: (locator) => (locator.kind === 'dns' && locator.host === 'one' ? states.one : states.two),
      run: (signal, tell) => {
        changed = tell;
        return runs(signal);
      },
    },
    cache,
    carriers,
    envoys: { waitForAck: async () => 'no nodes', kick: async () => 'done' },
    translate: { kickPort: 18_002 },
    clock,
    log,
  });
  const stopping = new AbortController();
  const running = controller.run(stopping.signal);
  return {
    clock,
    cache,
    controller,
    services,
    answer(name: 'one' | 'two', value: readonly Pod[] = [pod(1)]) {
      states[name] = { kind: 'ready', value, problems: [] };
      changed();
    },
    async stop() {
      stopping.abort();
      await running;
      carriers.stop();
    },
  };
}

test('publishes nothing while any source has not answered', async () => {
  const { clock, cache, answer, stop } = world();
  await clock.advance(1000);
  answer('one');
  await clock.advance(20_000);
  expect(cache.changes).toBe(0);
  answer('two');
  await clock.advance(100);
  expect(cache.changes).toBe(1);
  await stop();
});

test('goes on without a source that stays silent for 30 s', async () => {
  const { clock, cache, answer, stop } = world();
  answer('one');
  await clock.advance(29_000);
  expect(cache.changes).toBe(0);
  await clock.advance(2000);
  expect(cache.changes).toBe(1);
  await stop();
});

test('something moves while a pod drains or is ejected', async () => {
  const { clock, controller, services, answer, stop } = world();
  const [one] = services;
  if (one === undefined) throw new Error('there are two');
  answer('one', [pod(1), pod(2)]);
  answer('two');
  await clock.advance(1000);
  expect(controller.isMoving()).toBe(false);
  answer('one', [pod(1), pod(2, 'draining')]);
  await clock.advance(1000);
  expect(controller.isMoving()).toBe(true);
  answer('one', [pod(1), pod(2)]);
  await clock.advance(1000);
  expect(controller.isMoving()).toBe(false);
  controller.ejected(new Map([[podsId(one), [formatAddress(pod(1))]]]));
  expect(controller.isMoving()).toBe(true);
  controller.ejected(new Map());
  expect(controller.isMoving()).toBe(false);
  await stop();
});
