import { formatAddress } from '../model/locator.ts';
import type { Pod } from '../model/pod.ts';
import type { Draining } from './draining.ts';

/** The pods of one service that Envoy has taken out, by `formatAddress`: clock time from when that was known. */
export type Ejected = ReadonlyMap<string, number>;

/** The pods, with the state that those have which are out. What the source says comes first: draining is for good. */
export function withEjected(pods: readonly Pod[], ejected: Ejected | undefined): readonly Pod[] {
  if (ejected === undefined) return pods;
  return pods.map((pod) =>
    pod.state === 'ready' && ejected.has(formatAddress(pod)) ? { ...pod, state: 'ejected' } : pod,
  );
}

/** Ejected pods as what they are to the gate: pods that get no new request and may still be at work. */
export function asDraining(pods: readonly Pod[], ejected: Ejected | undefined): readonly Draining[] {
  if (ejected === undefined) return [];
  return pods.flatMap((pod) => {
    const since = ejected.get(formatAddress(pod));
    return pod.state === 'ejected' && since !== undefined ? [{ pod, since }] : [];
  });
}

/** What is out now, with the times of what was out already. */
export function stepEjected<Id>(
  before: ReadonlyMap<Id, Ejected>,
  out: ReadonlyMap<Id, readonly string[]>,
  now: number,
): ReadonlyMap<Id, Ejected> {
  return new Map(
    [...out].map(([id, pods]) => [id, new Map(pods.map((pod) => [pod, before.get(id)?.get(pod) ?? now]))]),
  );
}
