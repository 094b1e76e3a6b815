import type { Problem } from './problem.ts';

/** What a source knows. `stale`: the last good value stays active, and why it may be out of date. */
export type SourceState<T> =
  | { readonly kind: 'pending'; readonly problems: readonly Problem[] }
  | { readonly kind: 'ready'; readonly value: T; readonly problems: readonly Problem[] }
  | {
      readonly kind: 'stale';
      readonly value: T;
      readonly problems: readonly Problem[];
      /** Milliseconds since the Unix epoch from when the value may be out of date. */
      readonly since: number;
    };

/** Something outside that changes by itself: the route file, the API server, DNS. */
export interface Source<T> {
  readonly name: string;
  /** What is known now; cheap, may be called at any time. */
  state(): SourceState<T>;
  /** Watches until `signal` is aborted, calling `changed` after every change of `state()`. Never rejects. */
  run(signal: AbortSignal, changed: () => void): Promise<void>;
}

/**
 * What happens between a source and whom it asks: an answer (to a list, a DNS query), a change (an event of a watch; other
 * addresses came into force), a failure (no good answer).
 */
export type SourceEvent = 'answer' | 'change' | 'failure';

/** Hears of every such event; must be cheap and not throw. */
export type CountSourceEvent = (event: SourceEvent) => void;

/** Where a source tells what happens to it; the caller has the logger. */
export type SourceLog = (
  level: 'debug' | 'info' | 'warn',
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;
