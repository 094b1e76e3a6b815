import { isIPv6 } from 'node:net';
import { assertNever } from '../../base/assert-never.ts';

/** An address family by the record that carries it. */
export type RecordType = 'A' | 'AAAA';

/** What one round of questions (A and AAAA) about a host gave. */
export type Answer =
  | {
      readonly kind: 'addresses';
      /** Sorted by `sortIps`, each once, at least one. */
      readonly ips: readonly string[];
      /** The other family's question failed, so nothing is known about its addresses. */
      readonly unknown?: { readonly type: RecordType; readonly reason: string };
    }
  /** The name exists but has no address. */
  | { readonly kind: 'empty' }
  /** The servers say that the name does not exist (NXDOMAIN). */
  | { readonly kind: 'absent' }
  /** No server gave a usable answer. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Why what is active may not be what is true. */
export type Trouble =
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'empty' }
  | { readonly kind: 'half'; readonly type: RecordType; readonly reason: string }
  /** Answers keep changing, so that none is ever confirmed. */
  | { readonly kind: 'unsettled' };

/** What the answers so far amount to. */
export interface AnswerState {
  /** The addresses that get traffic; undefined until the first usable answer. */
  readonly inForce: readonly string[] | undefined;
  /** Equal answers in a row up to now. */
  readonly run: { readonly ips: readonly string[]; readonly answers: number } | undefined;
  /** Usable answers since a run was last long enough to be believed. */
  readonly unsettled: number;
  readonly trouble: Trouble | undefined;
}

/** Before the first answer. */
export const noAnswers: AnswerState = { inForce: undefined, run: undefined, unsettled: 0, trouble: undefined };

/** So many runs' worth of answers without one confirmed run are reported as `unsettled`. */
const UNSETTLED_RUNS = 6;

/**
 * Takes one more answer in. The second value is the addresses that come into force, undefined when they stay as they
 * are.
 *
 * A changed answer counts once `confirm` equal answers came in a row, so that a moment in which pods restart, or two DNS
 * servers disagree, moves nothing; until then everything known stays active. Addresses are taken at once while
 * nothing is active (start-up): there is nothing to protect. A failure, or an empty answer while there are pods,
 * changes nothing and breaks the run; a name that does not exist, confirmed like any change, means no pods.
 */
export function stepAnswers(
  state: AnswerState,
  answer: Answer,
  confirm: number,
): readonly [AnswerState, (readonly string[])?] {
  switch (answer.kind) {
    case 'failed':
      return [interrupted(state, { kind: 'failed', reason: answer.reason })];
    case 'empty':
      if (state.inForce !== undefined && state.inForce.length > 0) return [interrupted(state, { kind: 'empty' })];
      return count(state, [], confirm);
    case 'absent':
      return count(state, [], confirm);
    case 'addresses':
      return countAddresses(state, answer, confirm);
    default:
      return assertNever(answer);
  }
}

/** A changed answer is being confirmed: the next question should come soon. */
export function isConfirming({ inForce, run }: AnswerState): boolean {
  return run !== undefined && (inForce === undefined || !sameIps(run.ips, inForce));
}

/** IPv4 before IPv6, each as text, each once: so that the order in which a server tells them does not matter. */
export function sortIps(ips: readonly string[]): readonly string[] {
  return [...new Set(ips)].sort((a, b) => Number(isIPv6(a)) - Number(isIPv6(b)) || (a < b ? -1 : 1));
}

function interrupted(state: AnswerState, trouble: Trouble): AnswerState {
  return { ...state, run: undefined, trouble };
}

function countAddresses(
  state: AnswerState,
  { ips, unknown }: Extract<Answer, { kind: 'addresses' }>,
  confirm: number,
): readonly [AnswerState, (readonly string[])?] {
  if (unknown === undefined) return count(state, ips, confirm);
  // Nothing is known of one family: its last addresses stay, and the other family still follows its answers.
  const kept = (state.inForce ?? []).filter((ip) => isIPv6(ip) === (unknown.type === 'AAAA'));
  const [next, taken] = count(state, sortIps([...ips, ...kept]), confirm);
  const half: AnswerState = { ...next, trouble: { kind: 'half', ...unknown } };
  return taken === undefined ? [half] : [half, taken];
}

function count(
  state: AnswerState,
  ips: readonly string[],
  confirm: number,
): readonly [AnswerState, (readonly string[])?] {
  const { inForce } = state;
  const answers = state.run !== undefined && sameIps(state.run.ips, ips) ? state.run.answers + 1 : 1;
  const run = { ips, answers };
  const believed = answers >= confirm || (inForce === undefined && ips.length > 0);
  if (believed && (inForce === undefined || !sameIps(inForce, ips)))
    return [{ inForce: ips, run, unsettled: 0, trouble: undefined }, ips];
  const unsettled = believed ? 0 : state.unsettled + 1;
  const trouble: Trouble | undefined = unsettled > UNSETTLED_RUNS * confirm ? { kind: 'unsettled' } : undefined;
  return [{ inForce, run, unsettled, trouble }];
}

function sameIps(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((ip, index) => ip === b[index]);
}
