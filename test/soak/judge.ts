import type { PodRequest } from '../e2e/kit/pod-log.ts';
import type { History, Violation } from './history.ts';
import { answerFaults } from './judge-answers.ts';
import { idleFaults } from './judge-idle.ts';
import { limitFaults } from './judge-limits.ts';
import { orderFaults } from './judge-order.ts';

/** An edit is active by then, where Sluice and Envoy are well. */
const EDIT_MS = 30_000;

/**
 * What was not as it must be, as far as it can be said by now: no pod over its limit, and none asked that is not of the service;
 * nothing run twice; every request ended, by a good answer or by an error that has its reason; nobody waiting beside an idle
 * slot; nobody overtaken.
 */
export function judge(history: History): readonly Violation[] {
  return [
    ...limitFaults(history),
    ...twiceFaults(history),
    ...answerFaults(history),
    ...idleFaults(history),
    ...orderFaults(history),
    ...editFaults(history),
  ].sort((a, b) => a.at - b.at);
}

/** A request that has reached a pod is not tried again, whatever becomes of it. */
function twiceFaults({ visits }: History): readonly Violation[] {
  const seen = new Map<string, PodRequest>();
  return visits.flatMap((visit): Violation[] => {
    if (visit.id === '') return [];
    const before = seen.get(visit.id);
    seen.set(visit.id, visit);
    if (before === undefined) return [];
    const text = `${visit.id} was at ${visit.pod}, and ${(visit.arrived - before.arrived).toFixed(0)} ms before at ${before.pod}, which ended it as ${before.outcome}`;
    return [{ rule: 'twice', at: visit.arrived, text, about: [visit.id, visit.pod, before.pod] }];
  });
}

function editFaults({ versions, troubles, now }: History): readonly Violation[] {
  const last = versions.at(-1);
  if (last === undefined || last.settledAt !== undefined) return [];
  const since = Math.max(last.at, ...troubles.filter(({ kind }) => kind !== 'pod').map(({ to }) => to));
  if (now - since < EDIT_MS) return [];
  return [{ rule: 'edit', at: last.at, text: `an edit is not active after ${EDIT_MS} ms: ${last.missing}`, about: [] }];
}
