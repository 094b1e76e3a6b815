import type { PodRequest } from './pod-log.ts';

/** The most slots of each pod that its requests took at a time: each as many as its id says, `4x17`; one where it says nothing. */
export function slotPeaks(requests: readonly PodRequest[]): Readonly<Record<string, number>> {
  const most: Record<string, number> = {};
  for (const [pod, list = []] of Object.entries(Object.groupBy(requests, ({ pod: own }) => own))) {
    const changes = list.flatMap(({ id, arrived, ended }) => {
      const cost = Number(/^(\d+)x/.exec(id)?.[1] ?? 1);
      return [
        { at: arrived, by: cost },
        { at: ended ?? Number.POSITIVE_INFINITY, by: -cost },
      ];
    });
    let now = 0;
    for (const { by } of changes.sort((a, b) => a.at - b.at || a.by - b.by)) {
      now += by;
      most[pod] = Math.max(most[pod] ?? 0, now);
    }
  }
  return most;
}
