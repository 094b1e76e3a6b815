import type { PodChange } from '../scenarios/scenario.ts';

/** A request as far as slots are concerned; all times by one clock, in milliseconds. */
export interface SlotUse {
  readonly sent: number;
  /** When its pod began to work on it, and which pod that was; undefined when none did. */
  readonly started: number | undefined;
  readonly pod: number | undefined;
  /** When its pod was done with it, or it failed. */
  readonly ended: number;
}

/** Slot time lost and used, in milliseconds. */
export interface LostSlots {
  readonly ms: number;
  readonly busyMs: number;
  /** `ms` as a share of both. */
  readonly share: number;
}

interface Event {
  readonly at: number;
  readonly waiting?: number;
  readonly busy?: { readonly pod: number; readonly by: number };
  readonly change?: PodChange;
}

/**
 * Integrates over time the smaller of free slots and waiting requests. A request waits until a worker has begun on it,
 * be it in a proxy's line or inside a pod that has more than it can work on. `changes` by the clock of the requests.
 */
export function lostSlots(
  uses: readonly SlotUse[],
  { members, limit, changes }: { members: number; limit: number; changes: readonly PodChange[] },
): LostSlots {
  const events: Event[] = uses.flatMap(({ sent, started, pod, ended }): readonly Event[] => {
    const waits = [
      { at: sent, waiting: 1 },
      { at: Math.max(sent, started ?? ended), waiting: -1 },
    ];
    if (started === undefined || pod === undefined) return waits;
    return [...waits, { at: started, busy: { pod, by: 1 } }, { at: Math.max(started, ended), busy: { pod, by: -1 } }];
  });
  events.push(...changes.map((change) => ({ at: change.at, change })));
  events.sort((a, b) => a.at - b.at);
  const slots = new Slots(members, limit);
  let waiting = 0;
  let since: number | undefined;
  const sum = { ms: 0, busyMs: 0 };
  for (const { at, ...event } of events) {
    const passed = at - (since ?? at);
    sum.ms += passed * Math.min(slots.free, waiting);
    sum.busyMs += passed * slots.busy;
    since = at;
    waiting += event.waiting ?? 0;
    if (event.busy !== undefined) slots.use(event.busy.pod, event.busy.by);
    if (event.change !== undefined) slots.apply(event.change);
  }
  const all = sum.ms + sum.busyMs;
  return { ...sum, share: all === 0 ? 0 : sum.ms / all };
}

/** Which slots there are and which are busy. A pod that has left has none, but may still be busy. */
class Slots {
  readonly #limit: number;
  readonly #busy = new Map<number, number>();
  #live: Set<number>;
  busy = 0;
  free: number;

  constructor(members: number, limit: number) {
    this.#limit = limit;
    this.#live = new Set(Array.from({ length: members }, (_, pod) => pod));
    this.free = members * limit;
  }

  use(pod: number, by: number): void {
    this.#busy.set(pod, (this.#busy.get(pod) ?? 0) + by);
    this.busy += by;
    this.#count();
  }

  apply(change: PodChange): void {
    if (change.kind === 'dies') this.#live.delete(change.pod);
    else if (change.kind === 'returns') this.#live.add(change.pod);
    else this.#live = new Set(change.members);
    this.#count();
  }

  #count(): void {
    this.free = [...this.#live].reduce((sum, pod) => sum + Math.max(0, this.#limit - (this.#busy.get(pod) ?? 0)), 0);
  }
}
