import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Answer,
  type AnswerState,
  isConfirming,
  noAnswers,
  sortIps,
  stepAnswers,
} from '../../../../src/endpoints/dns/answers.ts';

const CONFIRM = 5;
const absent: Answer = { kind: 'absent' };
const empty: Answer = { kind: 'empty' };
const failed: Answer = { kind: 'failed', reason: 'no answer' };

function addresses(...ips: string[]): Answer {
  return { kind: 'addresses', ips: sortIps(ips) };
}

function times(count: number, answer: Answer): Answer[] {
  return Array.from({ length: count }, () => answer);
}

/** The state after all answers, and everything that came into force on the way. */
function answered(...answers: Answer[]): { state: AnswerState; taken: (readonly string[])[] } {
  let state = noAnswers;
  const taken: (readonly string[])[] = [];
  for (const answer of answers) {
    const [next, ips] = stepAnswers(state, answer, CONFIRM);
    state = next;
    if (ips !== undefined) taken.push(ips);
  }
  return { state, taken };
}

describe('start-up', () => {
  test('the first addresses are taken at once', () => {
    expect(answered(addresses('10.0.0.1')).taken).toEqual([['10.0.0.1']]);
  });

  test('a name that does not exist, or has no address, is believed after five answers', () => {
    expect(answered(...times(4, absent)).state.inForce).toBeUndefined();
    expect(answered(...times(5, absent)).taken).toEqual([[]]);
    expect(answered(...times(5, empty)).taken).toEqual([[]]);
    expect(answered(...times(4, absent), addresses('10.0.0.1')).taken).toEqual([['10.0.0.1']]);
  });

  test('failures leave it unknown, with the reason', () => {
    const { state } = answered(...times(20, failed));
    expect(state).toMatchObject({ inForce: undefined, trouble: { kind: 'failed', reason: 'no answer' } });
    expect(isConfirming(state)).toBe(false);
  });
});

describe('a change', () => {
  const a = addresses('10.0.0.1');
  const b = addresses('10.0.0.1', '10.0.0.2');

  test('counts with the fifth equal answer, and everything known stays until then', () => {
    const before = answered(a, ...times(4, b)).state;
    expect(before).toMatchObject({ inForce: ['10.0.0.1'], trouble: undefined });
    expect(isConfirming(before)).toBe(true);
    const { state, taken } = answered(a, ...times(5, b));
    expect(taken).toEqual([['10.0.0.1'], ['10.0.0.1', '10.0.0.2']]);
    expect(isConfirming(state)).toBe(false);
  });

  test.each([
    ['the old answer', a],
    ['another answer', addresses('10.0.0.9')],
    ['a failure', failed],
    ['an empty answer', empty],
    ['an absent name', absent],
  ])('starts again after %s', (_, between) => {
    expect(answered(a, ...times(4, b), between, ...times(4, b)).state.inForce).toEqual(['10.0.0.1']);
    expect(answered(a, ...times(4, b), between, ...times(5, b)).state.inForce).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  test('after no pods at all it is confirmed like any other', () => {
    expect(answered(...times(5, absent), ...times(4, a)).state.inForce).toEqual([]);
    expect(answered(...times(5, absent), ...times(5, a)).state.inForce).toEqual(['10.0.0.1']);
  });
});

describe('trouble', () => {
  const pods = addresses('10.0.0.1', '10.0.0.2');

  test('a failure or an empty answer keeps the pods, however often', () => {
    expect(answered(pods, ...times(50, failed)).state).toMatchObject({
      inForce: ['10.0.0.1', '10.0.0.2'],
      trouble: { kind: 'failed' },
    });
    expect(answered(pods, ...times(50, empty)).state).toMatchObject({
      inForce: ['10.0.0.1', '10.0.0.2'],
      trouble: { kind: 'empty' },
    });
  });

  test('is over with the next usable answer', () => {
    expect(answered(pods, failed, pods).state.trouble).toBeUndefined();
    expect(answered(pods, empty, absent).state.trouble).toBeUndefined();
  });

  test('a name that does not exist in five answers in a row has no pods', () => {
    expect(answered(pods, ...times(4, absent)).state.inForce).toHaveLength(2);
    expect(answered(pods, ...times(5, absent)).taken.at(-1)).toEqual([]);
    expect(answered(pods, ...times(4, absent), failed, ...times(4, absent)).state.inForce).toHaveLength(2);
  });

  test('answers that never settle are told as such', () => {
    const turns = Array.from({ length: 40 }, (_, turn) => addresses(`10.0.1.${turn % 2}`));
    const { state } = answered(pods, ...turns);
    expect(state).toMatchObject({ inForce: ['10.0.0.1', '10.0.0.2'], trouble: { kind: 'unsettled' } });
    expect(answered(pods, ...turns, ...times(5, pods)).state.trouble).toBeUndefined();
    expect(answered(pods, ...turns, ...times(5, addresses('10.0.1.7'))).state).toMatchObject({
      inForce: ['10.0.1.7'],
      trouble: undefined,
    });
  });
});

describe('one family unknown', () => {
  const both = addresses('10.0.0.1', 'fd00::1');
  const half = (type: 'A' | 'AAAA', ...ips: string[]): Answer => ({
    kind: 'addresses',
    ips,
    unknown: { type, reason: 'SERVFAIL' },
  });

  test('keeps its addresses while the other follows its answers', () => {
    const { state } = answered(both, ...times(5, half('AAAA', '10.0.0.2')));
    expect(state).toMatchObject({ inForce: ['10.0.0.2', 'fd00::1'], trouble: { kind: 'half', type: 'AAAA' } });
    expect(answered(both, ...times(5, half('A', 'fd00::2'))).state.inForce).toEqual(['10.0.0.1', 'fd00::2']);
  });

  test('at start the other family is taken', () => {
    expect(answered(half('AAAA', '10.0.0.1')).state).toMatchObject({
      inForce: ['10.0.0.1'],
      trouble: { kind: 'half', reason: 'SERVFAIL' },
    });
  });
});

test('order and repetition make no difference', () => {
  expect(sortIps(['fd00::1', '10.0.0.2', '10.0.0.1', '10.0.0.2'])).toEqual(['10.0.0.1', '10.0.0.2', 'fd00::1']);
});

const anyAnswer: fc.Arbitrary<Answer> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.subarray(['10.0.0.1', '10.0.0.2', 'fd00::1'], { minLength: 1 }).map((ips) => addresses(...ips)),
  },
  { weight: 1, arbitrary: fc.constantFrom(absent, empty, failed) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Answer>(
      { kind: 'addresses', ips: ['10.0.0.1'], unknown: { type: 'AAAA', reason: 'x' } },
      { kind: 'addresses', ips: ['fd00::1'], unknown: { type: 'A', reason: 'x' } },
    ),
  },
);

describe('whatever is answered', () => {
  const sequences = fc.array(fc.tuple(anyAnswer, fc.integer({ min: 1, max: 7 })), { maxLength: 30 });

  test('nothing comes into force that the last answers in a row did not say, start-up aside', () => {
    fc.assert(
      fc.property(sequences, fc.integer({ min: 1, max: 6 }), (parts, confirm) => {
        const answers = parts.flatMap(([answer, count]) => times(count, answer));
        let state = noAnswers;
        for (const [index, answer] of answers.entries()) {
          const before = state;
          const [next, taken] = stepAnswers(state, answer, confirm);
          state = next;
          expect(next.inForce).toBe(taken ?? before.inForce);
          if (taken === undefined || before.inForce === undefined) continue;
          expect(taken).not.toEqual(before.inForce);
          const last = answers.slice(index + 1 - confirm, index + 1);
          expect(last).toHaveLength(confirm);
          for (const one of last) {
            if (one.kind === 'addresses') expect(taken).toEqual(expect.arrayContaining([...one.ips]));
            else expect([one.kind, taken]).toEqual(['absent', []]);
          }
        }
      }),
    );
  });

  test('five equal answers at the end are what is active, without trouble', () => {
    fc.assert(
      fc.property(sequences, fc.subarray(['10.0.0.1', '10.0.0.3', 'fd00::1'], { minLength: 1 }), (parts, ips) => {
        const answers = parts.flatMap(([answer, count]) => times(count, answer));
        const { state } = answered(...answers, ...times(CONFIRM, addresses(...ips)));
        expect(state).toMatchObject({ inForce: sortIps(ips), trouble: undefined });
        expect(isConfirming(state)).toBe(false);
      }),
    );
  });
});
