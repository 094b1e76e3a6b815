import { describe, expect, test } from 'vitest';
import {
  afterFinding,
  describePods,
  type Found,
  NOTHING_FOUND,
  sameState,
  stateOf,
} from '../../../../src/endpoints/kube/locator-state.ts';
import type { Health } from '../../../../src/kubernetes/health.ts';
import type { Pod } from '../../../../src/model/pod.ts';
import type { Problem } from '../../../../src/model/problem.ts';

const pods = (...ips: readonly string[]): readonly Pod[] => ips.map((ip) => ({ ip, port: 80, state: 'ready' }));
const problem = (message: string): Problem => ({ severity: 'warning', subject: 'kubernetes ai/codec', message });
const GOOD: Health = { listed: true, trouble: undefined };
const UNSEEN: Health = { listed: false, trouble: undefined };
const bad = (since: number): Health => ({ listed: true, trouble: { problem: problem(`bad ${since}`), since } });

describe('afterFinding', () => {
  test('equal pods stay the same array', () => {
    const first = afterFinding(NOTHING_FOUND, { kind: 'found', pods: pods('1', '2'), problems: [] }, 1);
    const second = afterFinding(first, { kind: 'found', pods: pods('1', '2'), problems: [problem('x')] }, 2);
    expect(second.pods).toBe(first.pods);
    expect(second.problems).toEqual([problem('x')]);
  });
  test.each([
    [pods('1')],
    [pods('1', '3')],
    [[...pods('1'), { ip: '2', port: 81, state: 'ready' } as const]],
    [[...pods('1'), { ip: '2', port: 80, state: 'draining' } as const]],
  ])('other pods are other pods', (other) => {
    const first = afterFinding(NOTHING_FOUND, { kind: 'found', pods: pods('1', '2'), problems: [] }, 1);
    expect(afterFinding(first, { kind: 'found', pods: other, problems: [] }, 2).pods).toBe(other);
  });
  test('what is unclear takes no pods away, and remembers since when', () => {
    const first = afterFinding(NOTHING_FOUND, { kind: 'found', pods: pods('1'), problems: [] }, 1);
    const unclear = afterFinding(first, { kind: 'unclear', problems: [problem('x')] }, 5);
    expect(unclear).toEqual({ pods: first.pods, problems: [problem('x')], unclearSince: 5 });
    expect(afterFinding(unclear, { kind: 'unclear', problems: [] }, 9).unclearSince).toBe(5);
    const found = { kind: 'found', pods: pods('1'), problems: [] } as const;
    expect(afterFinding(unclear, found, 9)).toEqual({ ...first, pods: pods('1') });
  });
});

describe('stateOf', () => {
  const found: Found = { pods: pods('1'), problems: [problem('own')], unclearSince: undefined };
  test('pending until everything needed was listed, with what is in the way', () => {
    expect(stateOf(NOTHING_FOUND, [UNSEEN, GOOD], [])).toEqual({ kind: 'pending', problems: [] });
    expect(stateOf(NOTHING_FOUND, [GOOD, UNSEEN], [])).toEqual({ kind: 'pending', problems: [] });
    const trouble = { ...bad(7), listed: false };
    expect(stateOf(NOTHING_FOUND, [trouble], [])).toEqual({
      kind: 'pending',
      problems: [problem('bad 7')],
    });
  });
  test('ready with its problems', () => {
    expect(stateOf(found, [GOOD, GOOD], [problem('minor')])).toEqual({
      kind: 'ready',
      value: found.pods,
      problems: [problem('own'), problem('minor')],
    });
  });
  test('stale since the earliest trouble', () => {
    expect(stateOf(found, [bad(9), bad(8)], [])).toEqual({
      kind: 'stale',
      value: found.pods,
      problems: [problem('bad 9'), problem('bad 8'), problem('own')],
      since: 8,
    });
    expect(stateOf(found, [GOOD, bad(8)], [])).toMatchObject({ kind: 'stale', since: 8 });
    expect(stateOf({ ...found, unclearSince: 3 }, [GOOD, bad(8)], [])).toMatchObject({ since: 3 });
  });
  test('unclear with nothing to keep is ready and empty', () => {
    const nothing = { ...NOTHING_FOUND, unclearSince: 3, problems: [problem('own')] };
    expect(stateOf(nothing, [GOOD, GOOD], [])).toEqual({
      kind: 'ready',
      value: [],
      problems: [problem('own')],
    });
  });
});

describe('sameState', () => {
  const value = pods('1');
  const state = { kind: 'stale', value, problems: [problem('x')], since: 5 } as const;
  test('holds for an equal one with the same pods', () => {
    expect(sameState(state, { ...state, problems: [problem('x')] })).toBe(true);
    expect(sameState({ kind: 'pending', problems: [] }, { kind: 'pending', problems: [] })).toBe(true);
  });
  test.each([
    { kind: 'pending', problems: state.problems } as const,
    { kind: 'ready', value, problems: state.problems } as const,
    { ...state, value: pods('1') },
    { ...state, since: 6 },
    { ...state, problems: [] },
    { ...state, problems: [problem('y')] },
    { ...state, problems: [{ ...problem('x'), severity: 'error' as const }] },
  ])('fails for %j', (other) => {
    expect(sameState(state, other)).toBe(false);
    expect(sameState(other, state)).toBe(false);
  });
});

test('describePods is short', () => {
  expect(describePods([...pods('10.0.0.1'), { ip: 'fd00::1', port: 80, state: 'draining' }])).toBe(
    '1 ready, 1 draining: 10.0.0.1:80 ([fd00::1]:80)',
  );
  const many = pods(...Array.from({ length: 12 }, (_, pod) => `10.0.0.${pod}`));
  expect(describePods(many)).toMatch(/^12 ready, 0 draining: (10\.0\.0\.\d:80 ){10}…$/);
});
