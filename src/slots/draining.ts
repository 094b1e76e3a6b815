import { formatAddress } from '../model/locator.ts';
import { normalizePods, type Pod } from '../model/pod.ts';

/** A pod that gets no new request and may still be at work. */
export interface Draining {
  readonly pod: Pod;
  /** Clock time from when it was known to drain. */
  readonly since: number;
}

/** What Envoy reported about the pods of one service. */
export interface Report {
  /** Clock time up to which the report knows everything: what was in force then is in it. */
  readonly from: number;
  /** By `formatAddress`; a pod that is not there holds nothing. */
  readonly running: ReadonlyMap<string, number>;
}

/** What a step needs to know about one service. */
export interface DrainingInput {
  /** Those of the step before. */
  readonly draining: readonly Draining[];
  /** Pods that were in force until now, whatever their state. */
  readonly published: readonly Pod[];
  /** Pods the source has now. */
  readonly present: readonly Pod[];
  readonly report: Report | undefined;
  readonly now: number;
}

/** How long a gone pod is kept when nobody reports on it: no Envoy is connected that could. */
export const LONGEST_UNREPORTED_MS = 60_000;

/**
 * Which pods drain now: those the source says so of, and those that have left it with requests still running.
 * If Envoy forgot the latter, the gate would keep slots for requests that no pod counts, and a pod that comes
 * back while its old request runs would get one too many.
 */
export function stepDraining(input: DrainingInput): readonly Draining[] {
  const { published, present, report, now } = input;
  // Nothing left, nothing drains: true of all services but the one that changed.
  if (published === present && input.draining.length === 0 && present.every(({ state }) => state === 'ready'))
    return [];
  const before = new Map(input.draining.map((draining) => [formatAddress(draining.pod), draining]));
  const since = (pod: Pod): Draining =>
    before.get(formatAddress(pod)) ?? { pod: { ...pod, state: 'draining' }, since: now };
  const gone = leftOut(published, present).map(since);
  return [
    ...present.filter((pod) => pod.state === 'draining').map(since),
    ...gone.filter((draining) => {
      if (isReported(draining, report)) return runningOn(draining.pod, [draining], report) > 0;
      return now - draining.since < LONGEST_UNREPORTED_MS;
    }),
  ];
}

/** The pods that have left. Who stays is mostly the very same object, and then its address need not be looked at. */
function leftOut(published: readonly Pod[], present: readonly Pod[]): readonly Pod[] {
  const same = new Set(present);
  const others = published.filter((pod) => !same.has(pod));
  if (others.length === 0) return others;
  const here = new Set(present.map(formatAddress));
  return others.filter((pod) => !here.has(formatAddress(pod)));
}

/**
 * Requests that are known to run on a draining pod: none until a report made after it began to drain, so that
 * the gate is never given a slot that was free again already.
 */
export function runningOn(pod: Pod, draining: readonly Draining[], report: Report | undefined): number {
  const key = formatAddress(pod);
  const known = draining.find((other) => formatAddress(other.pod) === key);
  return known !== undefined && isReported(known, report) ? (report?.running.get(key) ?? 0) : 0;
}

function isReported({ since }: Draining, report: Report | undefined): boolean {
  return report !== undefined && report.from > since;
}

/** What is published: the (normalized) pods of the source, and those that drain. */
export function withDraining(present: readonly Pod[], draining: readonly Draining[]): readonly Pod[] {
  if (draining.length === 0) return present;
  return normalizePods([...present, ...draining.map(({ pod }) => pod)]);
}
