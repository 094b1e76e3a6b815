import { describe, expect, it } from 'vitest';
import { opponentKinds } from '../../../bench/compare/opponents/all.ts';
import { OPPONENTS } from '../../../bench/compare/opponents/opponent.ts';
import { SCENARIOS } from '../../../bench/compare/scenarios/all.ts';

describe.each(SCENARIOS)('scenario $name', (scenario) => {
  it('is the same for the same seed and another for another', () => {
    expect(scenario.plan(1, true)).toEqual(scenario.plan(1, true));
    if (scenario.name !== 'four-requests') expect(scenario.plan(1, true)).not.toEqual(scenario.plan(2, true));
  });

  it('names every request once and says how long it takes', () => {
    for (const quick of [true, false]) {
      const { requests } = scenario.plan(1, quick);
      expect(new Set(requests.map(({ id }) => id)).size).toBe(requests.length);
      expect(requests.length).toBeGreaterThan(30);
      expect(requests.every(({ workMs }) => workMs !== undefined && workMs >= 0)).toBe(true);
    }
  });

  it('is shorter with --quick, and changes only pods there are', () => {
    const last = (quick: boolean) => Math.max(...scenario.plan(1, quick).requests.map(({ at }) => at));
    expect(last(true)).toBeLessThan(last(false));
    expect(scenario.repeats.quick).toBeLessThan(scenario.repeats.full);
    for (const change of scenario.plan(1, false).changes) {
      const pods = change.kind === 'members' ? change.members : [change.pod];
      expect(pods.every((pod) => pod >= 0 && pod < scenario.pods)).toBe(true);
    }
    expect(scenario.members).toBeLessThanOrEqual(scenario.pods);
  });
});

it('has a name of its own for each scenario, and an opponent for each name', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  for (const name of OPPONENTS) expect(opponentKinds[name].name).toBe(name);
});
