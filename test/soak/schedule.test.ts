import { expect, test } from 'vitest';
import { requestsOf } from './load-step.ts';
import { cut, type Step, scheduleOf, setupAfter } from './schedule.ts';
import { LANES } from './setup.ts';
import { fewest } from './shrink.ts';

const MINUTE = 60_000;

test('a seed makes the same schedule each time, and another one another', () => {
  const text = (seed: number) => JSON.stringify(scheduleOf(seed, 2 * MINUTE));
  expect(text(7)).toBe(text(7));
  expect(text(7)).not.toBe(text(8));
});

test('everything happens within a few seeds, and no lane is without two pods', () => {
  const schedules = [1, 2, 3, 4, 5].map((seed) => scheduleOf(seed, 10 * MINUTE));
  const steps = schedules.flatMap((one) => one.steps);
  const kinds = new Set(
    steps.map((step) => `${step.kind} ${'how' in step ? step.how : step.kind === 'pod' ? step.mode.kind : ''}`.trim()),
  );
  expect([...kinds].sort()).toEqual([
    'broken-file',
    'edit',
    'envoy freeze',
    'envoy kill',
    'envoy trap',
    'load',
    'move',
    'pod dead',
    'pod frozen',
    'pod garbage',
    'pod half',
    'pod hang-up',
    'pod slow-accept',
    'pod status',
    'sluice freeze',
    'sluice kill',
    'sluice restart',
  ]);
  const changed = new Set(steps.flatMap((step) => (step.kind === 'edit' ? Object.keys(step.change) : [])));
  expect([...changed].sort()).toEqual([
    'connectMs',
    'limit',
    'name',
    'protocol',
    'queueMax',
    'queueTimeoutMs',
    'requestTimeoutMs',
  ]);
  for (const { setup, steps: all } of schedules) {
    all.forEach((_, index) => {
      const now = setupAfter(setup, all.slice(0, index));
      for (const lane of LANES) expect(now[lane].pods.length).toBeGreaterThanOrEqual(1);
    });
  }
});

test('a load is so many requests, the same each time, of which some leave and some ask for odd answers', () => {
  const load = {
    kind: 'load',
    lane: 'a',
    client: 'h2',
    work: 'mixed',
    ms: 4000,
    count: 400,
    aborts: 0.3,
    odd: 'close',
    odds: 0.1,
    seed: 5,
  } as const;
  const requests = requestsOf(load, 's1');
  expect(requests).toEqual(requestsOf(load, 's1'));
  expect(new Set(requests.map(({ id }) => id)).size).toBe(400);
  const leaving = requests.filter(({ abortAfter }) => abortAfter !== undefined).length;
  expect(leaving).toBeGreaterThan(80);
  expect(leaving).toBeLessThan(160);
  expect(requests.filter(({ headers }) => headers !== undefined).length).toBeGreaterThan(15);
});

test('a part of a schedule begins with what the route file says by then', () => {
  const whole = scheduleOf(3, 5 * MINUTE);
  const part = cut(whole, 2 * MINUTE, 3 * MINUTE);
  expect(part.steps.every(({ at }) => at >= 0 && at < MINUTE)).toBe(true);
  const until = whole.steps.filter(({ at }) => at < 3 * MINUTE);
  expect(setupAfter(part.setup, part.steps)).toEqual(setupAfter(whole.setup, until));
});

test('of many steps those two are left that matter together', async () => {
  const { steps } = scheduleOf(4, 2 * MINUTE);
  const [first, second] = [steps[11], steps[40]];
  let runs = 0;
  const breaks = async (some: readonly Step[]) => {
    runs += 1;
    return [first, second].every((step) => step !== undefined && some.includes(step));
  };
  const said: string[] = [];
  const small = await fewest(steps, breaks, { until: Number.POSITIVE_INFINITY, say: (line) => said.push(line) });
  expect(small).toEqual([first, second]);
  expect(runs).toBeLessThan(60);
  expect(said.at(-1)).toBe('2 steps do as well');
});
