import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import {
  arePodsChanged,
  type History,
  lanesIn,
  overlaps,
  readAt,
  type Sent,
  type Trouble,
  type Violation,
} from './history.ts';
import { BROKEN, UNREADABLE } from './schedule.ts';

/** From a pod's end of an answer to the client's: on a busy machine, with a connection that the pod breaks. */
const DELIVERY_MS = 2000;

/** Nothing waits or runs longer, whatever happens. */
const LONGEST_MS = 90_000;

/** A filter that was started anew, and the requests it had, need so much more. */
const AFTER_TROUBLE_MS = 1000;

/** A filter that has failed is started anew by then. */
const TRAPPED_MS = 5000;

/** By then all workers know that nobody waits in a filter that has failed. */
const FORGOTTEN_MS = 1000;

/** A client that leaves waits until Envoy has read that; and shorter standstills of the machine are not noted. */
const LEFT_MS = 200;

/** Who is tried again at a pod that its service has no slots of waits so long for some. */
const NO_SLOTS_MS = 10_000;

/** Timeouts are exact, the clocks of this process and of Envoy's ticks are not. */
const EARLY_MS = 50;

interface Ended {
  readonly sent: Sent;
  readonly result: LoadResult;
  readonly visits: readonly PodRequest[];
  /** When each request reached its first pod. */
  readonly starts: ReadonlyMap<string, number>;
}

/** Requests that ended in a way that nothing explains, too late, or not at all. */
export function answerFaults(history: History): readonly Violation[] {
  const visits = Map.groupBy(history.visits, ({ id }) => id);
  const starts = new Map([...history.visits].reverse().map(({ id, arrived }) => [id, arrived] as const));
  return history.sent.flatMap((sent): Violation[] => {
    const { result, id } = sent;
    const own = visits.get(id) ?? [];
    if (result === undefined) return openFaults(history, sent, own);
    const one = { sent, result, visits: own, starts };
    const reason = isGood(one) ? lateness(history, one) : explanation(history, one) ? undefined : wording(one);
    return reason === undefined
      ? []
      : [{ rule: 'answer', at: result.ended, text: reason, about: [id, ...own.map(({ pod }) => pod)] }];
  });
}

function wording({ result, visits }: Ended): string {
  const { id, outcome, status, error = '', body } = result;
  const seen = visits.map(
    (visit) => `${visit.pod} (${visit.outcome}, ${(visit.arrived - result.sent) | 0} ms after it was sent)`,
  );
  const after = `after ${(result.ended - result.sent).toFixed(0)} ms`;
  return `${id}: ${outcome} ${status} ${error} ${after}, seen by ${seen.join(', ') || 'no pod'}: ${body.slice(0, 200)}`;
}

/** A pod's own whole answer to this very request. */
function isGood({ sent, result, visits }: Ended): boolean {
  const { outcome, status, body } = result;
  return (
    outcome === 'answered' && status === 200 && body.includes(`"url":"/${sent.lane}/${sent.id}"`) && visits.length > 0
  );
}

/** A good answer that came long after its pod had sent it. */
function lateness(history: History, { result, visits }: Ended): string | undefined {
  const ended = visits.at(-1)?.ended ?? result.ended;
  const late = result.ended - ended;
  if (late < DELIVERY_MS || isEnvoyAway(history, ended, result.ended)) return undefined;
  return `${result.id}: its answer came ${late.toFixed(0)} ms after its pod had sent it`;
}

function openFaults(history: History, { id, asked }: Sent, visits: readonly PodRequest[]): Violation[] {
  const { now } = history;
  const last = visits.at(-1);
  const about = [id, ...visits.map(({ pod }) => pod)];
  if (last?.ended !== undefined && now - last.ended > DELIVERY_MS && !isEnvoyAway(history, last.ended, now)) {
    const text = `${id}: ${last.pod} ended it (${last.outcome}) ${(now - last.ended).toFixed(0)} ms ago, and its client has heard nothing`;
    return [{ rule: 'stuck', at: last.ended, text, about }];
  }
  if (now - asked < LONGEST_MS) return [];
  return [{ rule: 'stuck', at: asked, text: `${id} has no end after ${LONGEST_MS} ms`, about }];
}

function isEnvoyAway({ troubles }: History, from: number, to: number): boolean {
  return troubles.some(
    ({ kind, ...one }) => (kind === 'envoy' || kind === 'machine') && overlaps(one, from - AFTER_TROUBLE_MS, to),
  );
}

function explanation(history: History, one: Ended): boolean {
  const { sent, result } = one;
  if (result.outcome === 'aborted') return sent.aborts;
  return (
    isByEnvoy(history, one) ||
    isByTrap(history, one) ||
    isRefused(history, one) ||
    isTimeout(history, one) ||
    isTaken(history, one) ||
    isAsked(one) ||
    isByPod(history, one)
  );
}

/** Envoy was killed meanwhile, or was not there. */
function isByEnvoy({ troubles }: History, { sent, result }: Ended): boolean {
  const isKill = (one: Trouble) => one.kind === 'envoy' && one.how === 'kill';
  return result.outcome === 'failed' && troubles.some((one) => isKill(one) && overlaps(one, sent.asked, result.ended));
}

/** The filter has failed meanwhile: what it had is answered within 5 s. */
function isByTrap({ troubles }: History, { sent, result }: Ended): boolean {
  const isTold = result.status === 503 ? result.body.includes('queue failed') : result.outcome === 'failed';
  return (
    isTold &&
    troubles.some(
      ({ how, from, to }) => how === 'trap' && overlaps({ from, to: to + TRAPPED_MS }, sent.asked, result.ended),
    )
  );
}

/** The queue was full: at least as many were under way to a pod. */
function isRefused(history: History, { sent, result, starts }: Ended): boolean {
  if (result.status !== 429 || !result.body.includes('queue full')) return false;
  const max = Math.min(...lanesIn(history, sent.lane, result.sent, result.ended).map(({ queueMax }) => queueMax));
  const waiting = history.sent.filter((other) => {
    if (other.lane !== sent.lane || other.id === sent.id) return false;
    const to = Math.min(starts.get(other.id) ?? history.now, heardBy(history, other));
    return other.asked <= result.ended && to >= result.sent;
  });
  return waiting.length >= max;
}

/** Until when a request may have been one for Envoy. */
function heardBy(history: History, { result }: Sent): number {
  if (result === undefined) return history.now;
  // Other workers learn a moment later that a failed one has none any more.
  if (result.body.includes('queue failed')) return result.ended + FORGOTTEN_MS;
  return result.outcome === 'aborted' ? readAt(history, result.ended) + LEFT_MS : result.ended;
}

/** It has waited, or was worked on, for as long as it may. */
function isTimeout(history: History, { sent, result, visits }: Ended): boolean {
  const lanes = lanesIn(history, sent.lane, sent.asked, result.ended);
  const took = result.ended - result.sent + EARLY_MS;
  const isOver = (ms: number) => ms > 0 && took >= ms;
  if (result.status === 503 && result.body.includes('waited too long') && visits.length === 0)
    return lanes.some(({ queueTimeoutMs }) => isOver(queueTimeoutMs));
  // After the headers the answer only breaks off.
  const isEnd = result.status === 504 || (result.outcome === 'failed' && visits.length > 0);
  return isEnd && lanes.some(({ requestTimeoutMs }) => isOver(requestTimeoutMs));
}

/** It was tried again at a pod that its service has no more. */
function isTaken(history: History, { sent, result, visits }: Ended): boolean {
  if (result.status !== 503 || !result.body.includes('has just been removed') || visits.length > 0) return false;
  const isLate = result.ended - result.sent + EARLY_MS >= NO_SLOTS_MS;
  return isLate && arePodsChanged(history, sent.lane, sent.asked, result.ended);
}

/** It had asked for what it got. */
function isAsked({ sent: { odd }, result, visits }: Ended): boolean {
  if (odd === undefined || visits.length === 0) return false;
  if (UNREADABLE.some((one) => one === odd)) return result.status === 502 && result.body.includes('unreadable answer');
  return BROKEN.some((one) => one === odd) && result.status === 502;
}

/** The pod that it was at was in trouble; one that is killed may not have read yet what it was sent. */
function isByPod(history: History, { sent, result, visits }: Ended): boolean {
  const { outcome, status } = result;
  const pods = history.troubles.flatMap((one) => (one.kind === 'pod' ? [one] : []));
  const meanwhile = pods.filter((one) => overlaps(one, sent.asked, result.ended));
  const [visit] = visits;
  if (visit !== undefined) {
    const own = meanwhile.filter(({ pod }) => pod === visit.pod);
    if (visit.outcome === 'refused') return own.some(({ how }) => how === `status ${status}`);
    return own.some(({ how }) => BREAKS.has(how)) && (status === 502 || status === 503 || outcome === 'failed');
  }
  const numbers = lanesIn(history, sent.lane, sent.asked, result.ended).flatMap(({ pods: own }) => own);
  const addresses = new Set(numbers.map((number) => history.pods[number]));
  return status === 502 && meanwhile.some(({ pod, how }) => BREAKS.has(how) && addresses.has(pod));
}

/** Troubles of a pod in which it breaks connections. */
const BREAKS: ReadonlySet<string> = new Set(['dead', 'garbage', 'half', 'hang-up']);
