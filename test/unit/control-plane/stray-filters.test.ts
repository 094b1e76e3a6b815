import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { StrayFilters } from '../../../src/control-plane/stray-filters.ts';

function world() {
  const clock = new FakeClock();
  const connected = new Set<string>();
  const dropped: string[] = [];
  const strays = new StrayFilters({
    clock,
    isConnected: (node) => connected.has(node),
    drop: (node) => dropped.push(node),
  });
  onTestFinished(() => strays.stop());
  return { clock, connected, dropped, strays };
}

test('a filter whose Envoy does not come here within 3 s is sent away, each time that it comes', async () => {
  const { clock, dropped, strays } = world();
  strays.suspect('edge');
  await clock.advance(1000);
  strays.suspect('edge');
  await clock.advance(1900);
  expect(dropped).toEqual([]);
  await clock.advance(200);
  expect(dropped).toEqual(['edge']);
  strays.suspect('edge');
  await clock.advance(3100);
  expect(dropped).toEqual(['edge', 'edge']);
});

test('one whose Envoy is here, or comes in time, stays', async () => {
  const { clock, connected, dropped, strays } = world();
  connected.add('here');
  strays.suspect('here');
  strays.suspect('late');
  await clock.advance(2900);
  connected.add('late');
  await clock.advance(10_000);
  expect(dropped).toEqual([]);
});
