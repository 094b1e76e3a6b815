import { firstVisits } from '../e2e/kit/verdict.ts';
import { arePodsChanged, type History, overlaps, readAt, type Violation, versionsIn } from './history.ts';
import { isTroubled } from './judge-idle.ts';
import { LANES, type Lane } from './setup.ts';

/**
 * Two requests that were sent or arrive closer to each other have no order: they come over several connections, and on a busy
 * machine a process that is due waits for its turn.
 */
const TIE_MS = 400;

/**
 * Requests that look for a pod anew, as theirs has gone: they may be overtaken meanwhile. So many by whom nobody is overtaken
 * otherwise are too many in any case.
 */
const MOST_IN_TROUBLE = 60;

/** Those that look for a pod on their own while pods change, at a time. */
const MOST_APART = 2;

/** Those whose slots are in other hands after an edit. */
const MOST_IN_EDIT = 12;

interface Placed {
  readonly id: string;
  readonly sent: number;
  /** Its client has not said yet when it was sent: it had to connect first, maybe for long. */
  readonly isOpen: boolean;
  readonly arrived: number;
  readonly notBefore: number;
  readonly connection: number | undefined;
}

/** Requests that saw others start before them that were sent later. */
export function orderFaults(history: History): readonly Violation[] {
  const visits = new Map(firstVisits(history.visits).map((visit) => [visit.id, visit]));
  const placed = (lane: Lane): readonly Placed[] =>
    history.sent.flatMap((sent) => {
      const visit = visits.get(sent.id);
      if (sent.lane !== lane || visit === undefined) return [];
      const { result, asked } = sent;
      const { arrived, notBefore } = visit;
      const at = { sent: result?.sent ?? asked, isOpen: result === undefined };
      return [{ id: sent.id, ...at, arrived, notBefore, connection: result?.connection }];
    });
  return LANES.flatMap((lane) => laneFaults(history, lane, placed(lane)));
}

function laneFaults(history: History, lane: Lane, placed: readonly Placed[]): readonly Violation[] {
  const faults = overtaken(history, lane, placed);
  const apart = faults.filter(({ one }) => arePodsChanged(history, lane, one.sent, one.arrived));
  return faults.flatMap((fault) => {
    const isMeanwhile = ({ one }: Overtaken) =>
      overlaps({ from: one.sent, to: one.arrived }, fault.one.sent, fault.one.arrived);
    const isFew = apart.includes(fault) && apart.filter(isMeanwhile).length <= MOST_APART;
    return isFew ? [] : [fault.violation];
  });
}

interface Overtaken {
  readonly one: Placed;
  readonly violation: Violation;
}

function overtaken(history: History, lane: Lane, placed: readonly Placed[]): readonly Overtaken[] {
  const bySent = [...placed].sort((a, b) => a.sent - b.sent);
  return bySent.flatMap((one, index): Overtaken[] => {
    // Whether it waited is known when it ends. Who has not waited was not overtaken.
    if (one.isOpen || one.notBefore - one.sent < 2 * TIE_MS) return [];
    const later = bySent.slice(index + 1).filter((other) => other.sent < one.notBefore);
    // What came over several connections while Envoy stood still has no order that anybody could see.
    const read = readAt(history, one.sent);
    const isLater = (other: Placed) => {
      const isSame = one.connection !== undefined && other.connection === one.connection;
      return other.sent > (isSame ? one.sent : read) + TIE_MS;
    };
    const before = later.filter((other) => isLater(other) && other.arrived < one.notBefore - TIE_MS);
    if (before.length <= mostOvertaking(history, lane, one)) return [];
    const [worst] = before.slice(-1);
    const text = `${one.id} came to its pod ${(one.arrived - one.sent).toFixed(0)} ms after it was sent, after ${before.length} that were sent later, such as ${worst?.id}`;
    const about = [one.id, ...(worst ? [worst.id] : [])];
    return [{ one, violation: { rule: 'order', at: one.arrived, text, about } }];
  });
}

/** How many may overtake a request, given what happened while it waited. */
function mostOvertaking(history: History, lane: Lane, { sent, arrived }: Placed): number {
  const setups = versionsIn(history, sent, arrived).map(({ setup }) => setup[lane]);
  const names = new Set(setups.map(({ name }) => name));
  const slots = new Set(setups.map(({ limit, pods }) => `${limit} ${pods.join()}`));
  // Who waits under the old name has the slots of the old service first; more slots are those of the new one.
  if (names.size > 1 && slots.size > 1) return Number.POSITIVE_INFINITY;
  if (isTroubled(history, sent, arrived)) return MOST_IN_TROUBLE;
  const kinds = new Set(setups.map(({ name, protocol, pods }) => `${name} ${protocol} ${pods.join()}`));
  return kinds.size > 1 ? MOST_IN_EDIT : 0;
}
