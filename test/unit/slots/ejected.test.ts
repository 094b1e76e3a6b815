import { expect, test } from 'vitest';
import { runningOn } from '../../../src/slots/draining.ts';
import { asDraining, stepEjected, withEjected } from '../../../src/slots/ejected.ts';
import { gateLimit } from '../../../src/slots/gate-limit.ts';
import { limitedService, pod } from './services.ts';

const out = new Map([['127.0.1.2:9000', 1000]]);

test('an ejected pod takes its slots with it, and a draining one stays a draining one', () => {
  const pods = withEjected([pod(1), pod(2)], out);
  expect(pods.map(({ state }) => state)).toEqual(['ready', 'ejected']);
  expect(gateLimit(limitedService('a', 3), pods, () => 0)?.slots).toBe(3);
  expect(withEjected([pod(2, 'draining')], out)).toEqual([pod(2, 'draining')]);
});

test('what still runs there keeps a slot each, once a report knows of it', () => {
  const pods = withEjected([pod(1), pod(2)], out);
  const slots = (from: number) => {
    const report = { from, running: new Map([['127.0.1.2:9000', 2]]) };
    return gateLimit(limitedService('a', 3), pods, (one) => runningOn(one, asDraining(pods, out), report))?.slots;
  };
  expect(slots(1000)).toBe(3);
  expect(slots(1001)).toBe(5);
});

test('nothing is out: the very same pods', () => {
  const pods = [pod(1)];
  expect(withEjected(pods, undefined)).toBe(pods);
  expect(asDraining(pods, undefined)).toEqual([]);
});

test('who was out already keeps the time from when that was known', () => {
  const first = stepEjected(new Map(), new Map([['a', ['x']]]), 10);
  const second = stepEjected(first, new Map([['a', ['x', 'y']]]), 20);
  expect(second).toEqual(
    new Map([
      [
        'a',
        new Map([
          ['x', 10],
          ['y', 20],
        ]),
      ],
    ]),
  );
  expect(stepEjected(second, new Map(), 30)).toEqual(new Map());
});
