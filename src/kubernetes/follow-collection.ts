import { type Clock, sleep } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { CountSourceEvent } from '../model/source.ts';
import type { ApiFailure, KubeApi, WatchHandlers } from './api.ts';
import { backoff } from './backoff.ts';
import type { Collection, CollectionSink } from './collection.ts';
import { Deadline } from './deadline.ts';
import { readEvent, readPage } from './watch-event.ts';
import type { WatchTiming } from './watch-timing.ts';

/** Objects per page of a list: so many are in memory at once as JSON. */
const PAGE_SIZE = 250;

/** What following needs from outside. */
export interface FollowTools {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** Evenly from 0 to 1. */
  readonly random: () => number;
  readonly timing: WatchTiming;
  readonly count?: CountSourceEvent;
}

/** How a round of list and watches came to its end. */
type End =
  /** Everything is to be listed anew; `soon`: without waiting. */
  | { readonly kind: 'relist'; readonly soon: boolean }
  | { readonly kind: 'failed'; readonly verb: 'list' | 'watch'; readonly failure: ApiFailure };

/** How one watch came to its end; `resume`: another one may go on from the same version. */
type WatchEnd = End | { readonly kind: 'resume' };

/** One watch while it lasts. */
interface Attempt {
  readonly within: Deadline;
  /** Undefined until the API server has accepted it; monotonic milliseconds. */
  openedAt: number | undefined;
  /** Why we ended it ourselves. */
  stop: 'relist' | ApiFailure | undefined;
}

/** How much later than asked for an API server may end a watch, in milliseconds. */
const OVERDUE_MS = 60_000;

/** Lists a collection and watches it, until `signal` is aborted, whatever happens to the API server. Never rejects. */
export async function followCollection<T>(
  collection: Collection<T>,
  sink: CollectionSink<T>,
  tools: FollowTools,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, count } = tools;
  const follower = new Follower(collection, sink, tools, signal);
  let failures = 0;
  while (!signal.aborted) {
    const end = await follower.round();
    if (signal.aborted) return;
    if (end.kind === 'failed') {
      count?.('failure');
      sink.failed(end.verb, end.failure, follower.heardAt);
    }
    failures = end.kind === 'relist' && end.soon ? 0 : failures + 1;
    if (failures === 0) continue;
    const asked = end.kind === 'failed' && end.failure.kind === 'status' ? (end.failure.retryAfterMs ?? 0) : 0;
    await sleep(clock, Math.max(asked, backoff(failures, random)), signal);
  }
}

class Follower<T> {
  readonly #collection: Collection<T>;
  readonly #sink: CollectionSink<T>;
  readonly #tools: FollowTools;
  readonly #signal: AbortSignal;
  #version = '';
  #relistAt = 0;
  /** When what is known was last known to be true, in milliseconds since the Unix epoch. */
  heardAt: number;

  constructor(collection: Collection<T>, sink: CollectionSink<T>, tools: FollowTools, signal: AbortSignal) {
    this.#collection = collection;
    this.#sink = sink;
    this.#tools = tools;
    this.#signal = signal;
    this.heardAt = tools.clock.now();
  }

  /** One list, and watches for as long as they go well. */
  async round(): Promise<End> {
    const { clock, random, timing } = this.#tools;
    const listed = await this.#list();
    if (!listed.ok) return failedTo('list', listed.errors);
    this.#relistAt = clock.monotonic() + timing.relist * (0.9 + random() / 5);
    this.#sink.replaced(listed.value);
    for (;;) {
      const end = await this.#watch();
      if (end.kind !== 'resume') return end;
    }
  }

  async #list(): Promise<Result<readonly T[], ApiFailure>> {
    const items: T[] = [];
    let next: string | undefined = '';
    while (next !== undefined) {
      const text: Result<string, ApiFailure> = await this.#page(next);
      if (!text.ok) return text;
      const page = readPage(text.value);
      if (!page.ok) return fail({ kind: 'malformed', message: page.errors.join(', ') });
      for (const object of page.value.items) {
        const item = this.#read(object);
        if (!item.ok) return item;
        if (item.value !== undefined) items.push(item.value);
      }
      this.heardAt = this.#tools.clock.now();
      this.#version = page.value.version;
      next = page.value.next;
    }
    return ok(items);
  }

  async #page(next: string): Promise<Result<string, ApiFailure>> {
    const within = this.#within();
    const query = { limit: String(PAGE_SIZE), ...(next === '' ? {} : { continue: next }) };
    const text = await this.#tools.api.get(this.#path(query), within.signal, this.#collection.part);
    within.end();
    if (text.ok) this.#tools.count?.('answer');
    return text;
  }

  async #watch(): Promise<WatchEnd> {
    const { api, clock } = this.#tools;
    const attempt: Attempt = { within: this.#within(), openedAt: undefined, stop: undefined };
    const path = this.#path({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version,
      timeoutSeconds: String(Math.max(1, Math.ceil((this.#relistAt - clock.monotonic()) / 1000))),
    });
    const result = await api.watch(path, this.#handlers(attempt), attempt.within.signal, this.#collection.part);
    attempt.within.end();
    return attempt.openedAt === undefined ? refused(result) : this.#endOf(attempt, attempt.openedAt);
  }

  #handlers(attempt: Attempt): WatchHandlers {
    const { clock, random, timing } = this.#tools;
    const heard = () => {
      this.heardAt = clock.now();
      attempt.within.set(timing.silence * (1 + random() / 5), 'the watch is silent');
    };
    return {
      open: () => {
        attempt.openedAt = clock.monotonic();
        heard();
        this.#sink.current();
      },
      line: (text) => {
        // What was in the same piece as the event that ended the watch is of no use: a list follows.
        if (attempt.stop !== undefined) return;
        heard();
        attempt.stop = this.#take(text);
        if (clock.monotonic() > this.#relistAt + OVERDUE_MS) attempt.stop ??= 'relist';
        if (attempt.stop !== undefined) attempt.within.abort('done');
      },
    };
  }

  #endOf({ within, stop }: Attempt, openedAt: number): WatchEnd {
    const { clock, timing } = this.#tools;
    if (stop !== undefined && stop !== 'relist') return failedTo('watch', [stop]);
    const now = clock.monotonic();
    const steady = now - openedAt >= timing.steady;
    const givenUp = within.signal.aborted;
    if (givenUp || !steady || now >= this.#relistAt) return { kind: 'relist', soon: steady };
    // The API server said good-bye, or the connection broke: the next watch begins where this one was.
    this.heardAt = clock.now();
    return { kind: 'resume' };
  }

  /** Acts on one event; what is returned ends the watch. */
  #take(text: string): Attempt['stop'] {
    const event = readEvent(text);
    if (!event.ok) return { kind: 'malformed', message: event.errors.join(', ') };
    // 410: too old to go on from; anything else is the API server's trouble, and the list will tell whether it lasts.
    if (event.value.kind === 'failed') return 'relist';
    if (event.value.kind !== 'bookmark') {
      this.#tools.count?.('change');
      const { kind, name, namespace, object } = event.value;
      const item = kind === 'put' ? this.#read(object) : ok(undefined);
      if (!item.ok) return item.errors[0];
      if (item.value === undefined) this.#sink.removed(name, namespace);
      else this.#sink.put(item.value);
    }
    this.#version = event.value.version;
    return undefined;
  }

  #read(object: unknown): Result<T | undefined, ApiFailure> {
    try {
      return ok(this.#collection.read(object));
    } catch (error) {
      return fail({
        kind: 'malformed',
        message: `an object that does not belong to ${this.#collection.path}: ${error}`,
      });
    }
  }

  #within(): Deadline {
    const { clock, timing } = this.#tools;
    const within = new Deadline(clock, this.#signal);
    within.set(timing.answer, `no answer within ${timing.answer / 1000} s`);
    return within;
  }

  #path(query: Readonly<Record<string, string>>): string {
    const { path, label, field } = this.#collection;
    const only = {
      ...(label === undefined ? {} : { labelSelector: label }),
      ...(field === undefined ? {} : { fieldSelector: field }),
    };
    return `${path}?${new URLSearchParams({ ...query, ...only })}`;
  }
}

function failedTo(verb: 'list' | 'watch', failures: readonly ApiFailure[]): End {
  return { kind: 'failed', verb, failure: failures[0] ?? { kind: 'malformed', message: 'no reason given' } };
}

/** The API server did not take the watch. */
function refused(result: Result<void, ApiFailure>): End {
  const failures: readonly ApiFailure[] = result.ok ? [] : result.errors;
  const expired = failures.some((failure) => failure.kind === 'status' && failure.code === 410);
  return expired ? { kind: 'relist', soon: false } : failedTo('watch', failures);
}
