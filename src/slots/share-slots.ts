/** A gate that retires: its line is to be worked off before the new gate's. */
export interface OldGate {
  /** Slots it had until now. */
  readonly slots: number;
  /** Slots in use there; undefined: not known yet. */
  readonly inUse: number | undefined;
}

/** How the slots of a service's pods are shared between its old gates, oldest first, and the present one. */
export interface SharedSlots {
  /** For each old gate its slots; undefined: it is empty and can go. */
  readonly old: readonly (number | undefined)[];
  readonly present: number;
  /** The oldest gate at which somebody may wait, by its place in `old`; undefined: nobody does. */
  readonly line: number | undefined;
}

/**
 * First come, first served across gates: whoever waits at an older gate goes first, so that gate gets all slots
 * until one of them stays free, which shows that nobody waits there any more. Then it keeps those in use.
 */
export function shareSlots(total: number, gates: readonly OldGate[]): SharedSlots {
  let left = total;
  const old = gates.map(({ slots, inUse }) => {
    if (inUse === 0 && slots > 0) return undefined;
    const share = inUse === undefined || inUse >= slots ? left : Math.min(inUse, left);
    left -= share;
    return share;
  });
  const line = gates.findIndex(({ slots, inUse }) => inUse === undefined || inUse >= slots);
  return { old, present: left, line: line < 0 ? undefined : line };
}
