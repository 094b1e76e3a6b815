import type { Health } from '../../kubernetes/health.ts';
import { formatAddress } from '../../model/locator.ts';
import { type Pod, samePods } from '../../model/pod.ts';
import { formatProblem, type Problem } from '../../model/problem.ts';
import type { SourceState } from '../../model/source.ts';
import type { Finding } from './find-pods.ts';

/** What was last found for a locator, and the pods that stay active while nothing better is known. */
export interface Found {
  /** Undefined until anything was found. */
  readonly pods: readonly Pod[] | undefined;
  readonly problems: readonly Problem[];
  /** Since when it cannot be told where the pods are, in milliseconds since the Unix epoch; undefined while it can. */
  readonly unclearSince: number | undefined;
}

/** Before anything was found. */
export const NOTHING_FOUND: Found = { pods: undefined, problems: [], unclearSince: undefined };

/** What holds after a new finding: equal pods stay the same array, and an unclear finding takes none away. */
export function afterFinding(before: Found, finding: Finding, now: number): Found {
  const { problems } = finding;
  if (finding.kind === 'unclear') return { ...before, problems, unclearSince: before.unclearSince ?? now };
  const pods = before.pods !== undefined && samePods(before.pods, finding.pods) ? before.pods : finding.pods;
  return { pods, problems, unclearSince: undefined };
}

/**
 * What a locator's source says. `needed` is the health of what the locator cannot do without; `minor` are problems of what
 * it can do without.
 */
export function stateOf(
  found: Found,
  needed: readonly Health[],
  minor: readonly Problem[],
): SourceState<readonly Pod[]> {
  const troubles = needed.flatMap(({ trouble }) => trouble ?? []);
  const problems = distinct([...troubles.map(({ problem }) => problem), ...found.problems, ...minor]);
  if (!needed.every(({ listed }) => listed)) return { kind: 'pending', problems };
  const value = found.pods ?? [];
  // With no pods to be kept there is nothing that could be out of date.
  const unclear = found.unclearSince !== undefined && value.length > 0 ? [found.unclearSince] : [];
  const since = [...troubles.map((trouble) => trouble.since), ...unclear];
  if (since.length === 0) return { kind: 'ready', value, problems };
  return { kind: 'stale', value, problems, since: Math.min(...since) };
}

/** Each once: what keeps Sluice from the API server keeps it from the Services and from the slices. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.toReversed().map((problem) => [formatProblem(problem), problem])).values()].reverse();
}

/** Whether nothing that anybody sees is different. */
export function sameState(a: SourceState<readonly Pod[]>, b: SourceState<readonly Pod[]>): boolean {
  const podsOf = (state: SourceState<readonly Pod[]>) => (state.kind === 'pending' ? undefined : state.value);
  const sinceOf = (state: SourceState<readonly Pod[]>) => (state.kind === 'stale' ? state.since : undefined);
  return (
    a.kind === b.kind &&
    podsOf(a) === podsOf(b) &&
    sinceOf(a) === sinceOf(b) &&
    a.problems.length === b.problems.length &&
    a.problems.every((problem, at) => sameProblem(problem, b.problems[at]))
  );
}

function sameProblem(a: Problem, b: Problem | undefined): boolean {
  return a === b || (b !== undefined && a.severity === b.severity && formatProblem(a) === formatProblem(b));
}

/** `2 ready, 1 draining: 10.0.0.1:80 10.0.0.2:80 (10.0.0.3:80)`: pods as a log line shows them, at most ten of them. */
export function describePods(pods: readonly Pod[]): string {
  const ready = pods.filter(({ state }) => state === 'ready').length;
  const names = pods
    .slice(0, 10)
    .map((pod) => (pod.state === 'ready' ? formatAddress(pod) : `(${formatAddress(pod)})`));
  const more = pods.length > 10 ? ' …' : '';
  return `${ready} ready, ${pods.length - ready} draining: ${names.join(' ')}${more}`;
}
