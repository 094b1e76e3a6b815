import { describe, expect, it } from 'vitest';
import { formatResults, mergeResults, parseResults } from '../../../bench/compare/results.ts';
import { madeUpResults } from './made-up-results.ts';

describe('results', () => {
  it('are read as they were written', () => {
    const results = madeUpResults();
    expect(parseResults(formatResults(results))).toEqual(results);
    const { growth: _, ...without } = results;
    expect(parseResults(formatResults(without))).toEqual(without);
  });

  it('have a line per run, for readable diffs', () => {
    const results = madeUpResults();
    const runs = results.scenarios.reduce((sum, scenario) => sum + scenario.runs.length, 0);
    expect(formatResults(results).split('\n').length).toBeGreaterThan(runs);
  });

  it('are refused when they are something else', () => {
    expect(() => parseResults('{"scenarios": 3}')).toThrow(/scenarios/);
  });

  it('are replaced scenario by scenario, in the order of the page', () => {
    const before = madeUpResults();
    const [first, second, third] = before.scenarios;
    if (first === undefined || second === undefined || third === undefined) throw new Error('there are three');
    const old = { ...before, scenarios: [third, first] };
    const now = { machine: before.machine, versions: { Node: '25.0.0' }, scenarios: [{ ...second, date: 'now' }] };
    const merged = mergeResults(old, now, [first.name, second.name, third.name]);
    expect(merged.scenarios.map(({ name }) => name)).toEqual([first.name, second.name, third.name]);
    expect(merged.scenarios[1]?.date).toBe('now');
    expect(merged.versions).toEqual({ Node: '25.0.0' });
    expect(merged.growth).toEqual(before.growth);
    expect(merged.closedLoop).toEqual(before.closedLoop);
  });
});
