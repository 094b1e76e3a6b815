import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import type { SourceLog } from '../model/source.ts';
import type { KubeWriter } from './api.ts';
import { backoff } from './backoff.ts';
import { Deadline } from './deadline.ts';

/** A status, or a part of it, as JSON has it. */
export type Status = Readonly<Record<string, unknown>>;

/** A status that an object is to have. */
export interface WantedStatus {
  /** Names the object among all. */
  readonly key: string;
  /** Where the object is. */
  readonly path: string;
  /** Of the object that the status was made for: it is not written over another one. */
  readonly resourceVersion: string;
  /** What the object has now. */
  readonly before: Status;
  /** What it is to have; keys that are not here stay. */
  readonly status: Status;
}

/** What came of a write; `same`: the object had all of it, and is as it was. */
export type StatusWrite = 'changed' | 'same' | 'failed';

/** What a writer works with. */
export interface StatusWriterOptions {
  readonly api: KubeWriter;
  readonly clock: Clock;
  readonly log: SourceLog;
  /** Evenly from 0 to 1. */
  readonly random: () => number;
  /** Takes the object as it is after a write, as the API server answered. */
  readonly onWritten: (wanted: WantedStatus, object: unknown) => void;
  /** Something that was being written may have to be written again: what is wanted is to be told anew. */
  readonly onStale: () => void;
  /** Hears of every write; must be cheap and not throw. */
  readonly count?: ((result: StatusWrite) => void) | undefined;
}

/** So many statuses are written at the same time. */
const MOST_AT_ONCE = 16;

/** Longest time for one write, in milliseconds. */
const ANSWER_MS = 15_000;

/**
 * Writes the statuses that are wanted, and only those that differ from what an object has. A write that fails is tried
 * again with what is wanted then; one that comes too late, because the object has changed, is left to the next round.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #waiting = new Map<string, WantedStatus>();
  readonly #writing = new Set<string>();
  /** Objects to be looked at again once their write has ended. */
  readonly #stale = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** What came of the last write of each: an API server leaves out what its version does not know. */
  readonly #results = new Map<string, { readonly wanted: Status; readonly got: Status }>();
  #signal: AbortSignal | undefined;
  #written = 0;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** How many statuses were written. */
  get written(): number {
    return this.#written;
  }

  /** Every status that is wanted now, in place of what was wanted before. */
  want(all: readonly WantedStatus[]): void {
    this.#waiting.clear();
    for (const wanted of all) {
      if (this.#writing.has(wanted.key)) this.#stale.add(wanted.key);
      else if (!this.#isThere(wanted)) this.#waiting.set(wanted.key, wanted);
    }
    this.#next();
  }

  /** Writes until `signal` is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#next();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#waiting.clear();
  }

  /** Whether the object has all of the wanted status, or all that the API server takes of it. */
  #isThere({ key, before, status }: WantedStatus): boolean {
    if (hasAll(before, status)) return true;
    const result = this.#results.get(key);
    return result !== undefined && hasAll(before, result.got) && hasAll(result.wanted, status);
  }

  #next(): void {
    const signal = this.#signal;
    if (signal === undefined || signal.aborted) return;
    for (const [key, wanted] of this.#waiting) {
      if (this.#writing.size >= MOST_AT_ONCE) return;
      this.#waiting.delete(key);
      this.#writing.add(key);
      void this.#write(wanted, signal).then(() => {
        this.#writing.delete(key);
        if (this.#stale.delete(key)) this.#options.onStale();
        this.#next();
      });
    }
  }

  async #write(wanted: WantedStatus, signal: AbortSignal): Promise<void> {
    const { key, path, resourceVersion, status } = wanted;
    const { api, clock, log, random, onWritten, count } = this.#options;
    const within = new Deadline(clock, signal);
    within.set(ANSWER_MS, `no answer within ${ANSWER_MS / 1000} s`);
    const body = { metadata: { resourceVersion }, status };
    const answer = await api.write('PATCH', `${path}/status`, body, within.signal);
    within.end();
    if (signal.aborted) return;
    if (answer.ok) {
      this.#written++;
      this.#failures.delete(key);
      const object: unknown = JSON.parse(answer.value);
      count?.(versionOf(object) === resourceVersion ? 'same' : 'changed');
      this.#results.set(key, { wanted: status, got: statusOf(object) });
      onWritten(wanted, object);
      return;
    }
    count?.('failed');
    const [failure] = answer.errors;
    // 409: the object has changed, and its watch tells of it. 404: it is gone.
    if (failure?.kind === 'status' && (failure.code === 409 || failure.code === 404)) return;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const message = failure?.message ?? 'no reason given';
    if (failures === 1) log('warn', 'a status could not be written; tried again', { object: key, message });
    clock.after(backoff(failures, random), () => {
      if (!signal.aborted) this.#options.onStale();
    });
  }
}

function statusOf(object: unknown): Status {
  if (typeof object !== 'object' || object === null || !('status' in object)) return {};
  const { status } = object;
  // Of an object's own JSON: a map or nothing.
  return typeof status === 'object' && status !== null ? (status as Status) : {};
}

function versionOf(object: unknown): unknown {
  if (typeof object !== 'object' || object === null || !('metadata' in object)) return undefined;
  const { metadata } = object;
  return typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata
    ? metadata.resourceVersion
    : undefined;
}

function hasAll(has: Status, wanted: Status): boolean {
  return Object.entries(wanted).every(([key, value]) => isDeepStrictEqual(has[key], value));
}
