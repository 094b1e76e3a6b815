import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { type History, type Violation, versionsIn } from './history.ts';
import { LANES, type Lane } from './setup.ts';

/** What was given a slot before an edit was active may come to its pod a moment later. */
const ON_ITS_WAY_MS = 1000;

/** So much later all has been told of a moment. */
const KNOWN_MS = 1000;

/** Two ends of connections, written one after the other, are read so much apart. */
const TIE_MS = 2;

/** Pods that got a request beyond their limit, or of a service that does not have them. */
export function limitFaults(history: History): readonly Violation[] {
  const byPod = Map.groupBy(history.visits, ({ pod }) => pod);
  const left = new Map(
    history.sent.flatMap(({ id, result }) => (result?.outcome === 'aborted' ? [[id, result.ended] as const] : [])),
  );
  return [...byPod].flatMap(([pod, visits]) => {
    const number = history.pods.indexOf(pod);
    let held: PodRequest[] = [];
    return visits.flatMap((visit): Violation[] => {
      held = held.filter(({ ended }) => ended === undefined || ended > visit.arrived);
      held.push(visit);
      // What it had then is known a moment later: who leaves is told by the client first, and by the pod when it has read that.
      if (visit.arrived > history.now - KNOWN_MS) return [];
      return podFault(history, { pod, number, visit, held, left });
    });
  });
}

interface Arrival {
  readonly pod: string;
  readonly number: number;
  readonly visit: PodRequest;
  /** What the pod had then, this one included. */
  readonly held: readonly PodRequest[];
  /** When clients left. */
  readonly left: ReadonlyMap<string, number>;
}

function podFault(history: History, { pod, number, visit, held, left }: Arrival): Violation[] {
  const { arrived, id, path } = visit;
  const setups = versionsIn(history, arrived - ON_ITS_WAY_MS, arrived).map(({ setup }) => setup);
  const owners = setups.flatMap((setup) => LANES.filter((lane) => setup[lane].pods.includes(number)));
  const lane = LANES.find((one) => path.startsWith(`/${one}/`));
  const about = [id, pod];
  if (lane !== undefined && !owners.includes(lane) && !hadBefore(history, { number, lane, visit }))
    return [{ rule: 'pod', at: arrived, text: `${id} went to ${pod}, which is no pod of it`, about }];
  const limits = setups.flatMap((setup) =>
    LANES.filter((one) => setup[one].pods.includes(number)).map((one) => setup[one].limit),
  );
  const limit = Math.max(0, ...limits);
  // A pod without a processor may read a request long after its client has left: nothing is sent to it then.
  const cameLate = (one: PodRequest) => (left.get(one.id) ?? Number.POSITIVE_INFINITY) <= one.arrived;
  const strict = held.filter((one) => !hadLeft(one, arrived) && !cameLate(one));
  if (limits.length === 0 || strict.length <= limit) return [];
  const others = strict.map((one) => `${one.id} since ${(arrived - one.arrived).toFixed(1)} ms (${one.outcome})`);
  const text = `${pod} had ${strict.length} of ${limit}: ${others.join(', ')}`;
  return [{ rule: 'limit', at: arrived, text, about: [pod, ...strict.map((one) => one.id)] }];
}

/** Whether it has waited under a name that its service had when the pod was one of it: who waits there keeps what that had. */
function hadBefore(
  history: History,
  { number, lane, visit }: { readonly number: number; readonly lane: Lane; readonly visit: PodRequest },
): boolean {
  const sent = history.sent.find(({ id }) => id === visit.id);
  // It ended so long ago that only its pod still tells of it: it was judged when its client did.
  if (sent === undefined) return true;
  const setups = versionsIn(history, sent.asked, visit.arrived).map(({ setup }) => setup[lane]);
  return setups.some(({ name, pods }) => name !== setups.at(-1)?.name && pods.includes(number));
}

/** Whether its client had left by then, and the pod was only about to read it. */
function hadLeft({ outcome, endedNotBefore = Number.POSITIVE_INFINITY }: PodRequest, by: number): boolean {
  return outcome === 'aborted' && endedNotBefore <= by + TIE_MS;
}
