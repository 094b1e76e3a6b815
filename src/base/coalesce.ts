import type { Clock } from './clock.ts';

/** How long a burst of changes may be gathered before it is acted upon, in milliseconds. */
export interface CoalesceOptions {
  /** Act once nothing has changed for this long. */
  readonly quiet: number;
  /** Act at the latest this long after the first change, however many follow. */
  readonly longest: number;
  readonly clock: Clock;
}

/** A trigger that gathers bursts of `poke()` into one call. */
export interface Coalesced {
  poke(): void;
  /** Forgets what is gathered and ignores later pokes. */
  stop(): void;
}

/** Calls `act` once per burst of `poke()`; see `CoalesceOptions` for when a burst ends. */
export function coalesce(act: () => void, { quiet, longest, clock }: CoalesceOptions): Coalesced {
  let cancel: (() => void) | undefined;
  let first = 0;
  let stopped = false;
  const fire = () => {
    cancel = undefined;
    act();
  };
  return {
    poke() {
      if (stopped) return;
      const now = clock.monotonic();
      if (cancel === undefined) first = now;
      cancel?.();
      cancel = clock.after(Math.max(0, Math.min(quiet, first + longest - now)), fire);
    },
    stop() {
      stopped = true;
      cancel?.();
      cancel = undefined;
    },
  };
}
