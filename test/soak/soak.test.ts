import { expect, test } from 'vitest';
import { report } from './report.ts';
import { run } from './run.ts';
import { scheduleOf } from './schedule.ts';

test('a short soak keeps every rule', { timeout: 150_000 }, async () => {
  const schedule = scheduleOf(9, 15_000);
  const outcome = await run(schedule, { network: '127.0.59' });
  expect(outcome.violations, report('seed 9, 15 s', schedule, outcome)).toEqual([]);
  const kinds = new Set(schedule.steps.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(expect.arrayContaining(['edit', 'load', 'move', 'pod', 'sluice']));
  expect(outcome.counts.get('200')).toBeGreaterThan(600);
});
