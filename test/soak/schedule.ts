import type { PodMode } from '../e2e/kit/pod.ts';
import { type Random, seeded } from '../e2e/kit/random.ts';
import { changeLane, FIRST_SETUP, LANES, type Lane, type LaneChange, movePod, PODS, type Setup } from './setup.ts';

/** How a client speaks: over one HTTP/2 connection, over four, or HTTP/1.1. */
export type ClientKind = 'h2' | 'h2-many' | 'http1';

/** What requests of a load ask of their pods. */
export type WorkKind = 'short' | 'mixed' | 'long' | 'even';

/** Requests of one kind. */
export interface Load {
  readonly kind: 'load';
  readonly lane: Lane;
  readonly client: ClientKind;
  readonly work: WorkKind;
  /** How long they come; 0: all at once. */
  readonly ms: number;
  readonly count: number;
  /** Share of clients that go away before they have an answer. */
  readonly aborts: number;
  /** The odd answer that some ask for, and how many. */
  readonly odd?: string;
  readonly odds: number;
  readonly seed: number;
}

/** Something that happens. What it leaves behind is said whole, so that a schedule stays one when others are left out. */
export type Action =
  | Load
  | { readonly kind: 'edit'; readonly lane: Lane; readonly change: LaneChange }
  | { readonly kind: 'move'; readonly pod: number; readonly to?: Lane }
  | { readonly kind: 'pod'; readonly pod: number; readonly mode: PodMode; readonly ms: number }
  | { readonly kind: 'sluice'; readonly how: 'kill' | 'restart' | 'freeze'; readonly ms: number }
  | { readonly kind: 'envoy'; readonly how: 'kill' | 'freeze' | 'trap'; readonly ms: number }
  | { readonly kind: 'broken-file'; readonly ms: number };

/** An action, and when it happens in milliseconds from the start. */
export type Step = Action & { readonly at: number };

/** What a run does. */
export interface Schedule {
  readonly setup: Setup;
  readonly steps: readonly Step[];
  readonly ms: number;
}

/** Answers over HTTP/1.1 that nobody can read: none of them may take its pod from anybody. */
export const UNREADABLE = ['spaced-name', 'twice-a-length', '204-with-body', 'unasked-101', 'too-many-lines'] as const;

/** Ends of a connection in place of an answer. */
export const BROKEN = ['close', 'reset'] as const;

/** Requests per second of a lane while nothing special happens. */
const PER_SECOND = { a: 40, b: 35 } as const;

const SEGMENT_MS = 4000;

const EDIT_MS = 2500;
const POD_MS = 7000;
const PLANE_MS = 20_000;
const BURST_MS = 9000;

/** The schedule of a seed: the same for the same seed and length. */
export function scheduleOf(seed: number, ms: number): Schedule {
  const random = seeded(seed);
  const draft = new Draft(random);
  // The first seconds and the last ones are quiet.
  const events = [
    ...LANES.flatMap((lane) => every(random, { ms, gap: SEGMENT_MS, exact: true }, (at) => draft.segment(at, lane))),
    ...every(random, { ms, gap: BURST_MS, from: 1000 }, (at) => draft.burst(at)),
    ...every(random, { ms, gap: EDIT_MS, from: 1500 }, (at) => draft.edits(at)),
    ...every(random, { ms, gap: POD_MS, from: 2500 }, (at) => draft.podTrouble(at)),
    ...every(random, { ms, gap: PLANE_MS, from: 5000 }, (at) => draft.planeTrouble(at)),
  ].sort((a, b) => a.at - b.at);
  for (const { at, make } of events) make(at);
  return { setup: FIRST_SETUP, steps: draft.steps.sort((a, b) => a.at - b.at).filter(({ at }) => at < ms), ms };
}

interface Event {
  readonly at: number;
  readonly make: (at: number) => void;
}

interface Every {
  readonly ms: number;
  readonly gap: number;
  readonly from?: number;
  readonly exact?: boolean;
}

function every(random: Random, { ms, gap, from = 0, exact = false }: Every, make: (at: number) => void): Event[] {
  const events: Event[] = [];
  for (let at = from; at < ms; at += exact ? gap : gap * (0.3 + 1.4 * random())) events.push({ at, make });
  return events;
}

/** Makes steps one after the other, and knows what the route file says by then. */
class Draft {
  readonly steps: Step[] = [];
  readonly #random: Random;
  #setup = FIRST_SETUP;
  #names = 0;
  #planeFreeAt = 0;
  readonly #podFreeAt = new Map<number, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** A stretch of common load. */
  segment(at: number, lane: Lane): void {
    const share = this.#random() < 0.15 ? 1.6 : 0.5 + 0.6 * this.#random();
    const isOdd = this.#random() < 0.25;
    const { protocol } = this.#setup[lane];
    const kinds: readonly string[] = protocol === 'h2c' ? ['goaway'] : this.#random() < 0.75 ? UNREADABLE : BROKEN;
    this.#add({
      at,
      kind: 'load',
      lane,
      client: this.#one(['h2', 'h2', 'h2-many', 'http1', 'http1']),
      work: this.#one(['short', 'mixed', 'mixed']),
      ms: SEGMENT_MS,
      count: Math.round((PER_SECOND[lane] * share * SEGMENT_MS) / 1000),
      aborts: this.#one([0, 0.05, 0.05, 0.3]),
      ...(isOdd && { odd: this.#one(kinds) }),
      odds: isOdd ? (kinds === BROKEN ? 0.01 : 0.05) : 0,
      seed: this.#seed(),
    });
  }

  /** Many at once, or a few that take long. */
  burst(at: number): void {
    const isLong = this.#random() < 0.3;
    this.#add({
      at,
      kind: 'load',
      lane: this.#one(LANES),
      client: this.#one(['h2', 'h2-many', 'http1']),
      work: isLong ? 'long' : 'short',
      ms: 0,
      count: isLong ? this.#whole(1, 5) : this.#whole(20, 90),
      aborts: this.#one([0, 0, 0.2, 0.5]),
      odds: 0,
      seed: this.#seed(),
    });
  }

  /** One edit, or a few in quick succession. */
  edits(at: number): void {
    const count = this.#random() < 0.25 ? this.#whole(2, 4) : 1;
    for (let done = 0; done < count; done += 1) this.#edit(at + done * this.#whole(5, 150));
  }

  podTrouble(at: number): void {
    const pod = this.#whole(0, PODS - 1);
    if ((this.#podFreeAt.get(pod) ?? 0) > at) return;
    const ms = this.#whole(100, 3000);
    this.#podFreeAt.set(pod, at + ms + 500);
    const mode = this.#one<PodMode>([
      { kind: 'dead' },
      { kind: 'dead' },
      { kind: 'frozen' },
      { kind: 'status', status: 503 },
      { kind: 'status', status: 500 },
      { kind: 'garbage' },
      { kind: 'half' },
      { kind: 'hang-up' },
      { kind: 'slow-accept', ms: 300 },
    ]);
    this.#add({ at, kind: 'pod', pod, mode, ms });
  }

  planeTrouble(at: number): void {
    if (this.#planeFreeAt > at) return;
    const ms = this.#whole(50, 3000);
    this.#planeFreeAt = at + ms + 6000;
    const action = this.#one<Action>([
      { kind: 'sluice', how: 'kill', ms },
      { kind: 'sluice', how: 'kill', ms },
      { kind: 'sluice', how: 'restart', ms },
      { kind: 'sluice', how: 'freeze', ms },
      { kind: 'sluice', how: 'freeze', ms },
      { kind: 'envoy', how: 'kill', ms: Math.min(ms, 500) },
      { kind: 'envoy', how: 'freeze', ms: Math.min(ms, 1500) },
      { kind: 'envoy', how: 'trap', ms: 0 },
      { kind: 'broken-file', ms: Math.min(ms, 1000) },
    ]);
    // The worst moments are those around an edit.
    if (action.kind === 'sluice') this.#edit(at - this.#whole(0, 600));
    this.#add({ at, ...action });
  }

  #edit(at: number): void {
    const lane = this.#one(LANES);
    const choice = this.#random();
    if (choice < 0.2) this.#move(at);
    else this.#change(at, lane, this.#changeOf(lane, choice));
  }

  #changeOf(lane: Lane, choice: number): LaneChange {
    const { protocol } = this.#setup[lane];
    if (choice < 0.5) return { limit: this.#one([1, 2, 2, 3, 4]) };
    if (choice < 0.62) return { name: this.#name(lane) };
    if (choice < 0.72) return { protocol: protocol === 'http1' ? 'h2c' : 'http1' };
    if (choice < 0.8) return { queueMax: this.#one([20, 100, 300, 300]) };
    if (choice < 0.87) return { queueTimeoutMs: this.#one([0, 0, 2000, 5000]) };
    if (choice < 0.94) return { requestTimeoutMs: this.#one([0, 0, 2000, 4000]) };
    return { connectMs: this.#one([500, 1000, 2000]) };
  }

  /** A name that was not there yet, or (one in four) one that was. */
  #name(lane: Lane): string {
    if (this.#random() < 0.75) this.#names += 1;
    return `${lane}${this.#random() < 0.25 ? this.#whole(0, this.#names) : this.#names}`;
  }

  #move(at: number): void {
    const pod = this.#whole(0, PODS - 1);
    const places: readonly (Lane | undefined)[] = ['a', 'b', undefined];
    const isIn = (lane: Lane | undefined) => lane !== undefined && this.#setup[lane].pods.includes(pod);
    const others = places.filter((lane) => (lane === undefined ? LANES.some(isIn) : !isIn(lane)));
    const to = this.#one(others);
    const next = movePod(this.#setup, pod, to);
    // Each keeps two at least.
    if (LANES.some((lane) => next[lane].pods.length < 2)) return;
    this.#setup = next;
    this.#add({ at, kind: 'move', pod, ...(to !== undefined && { to }) });
  }

  #change(at: number, lane: Lane, change: LaneChange): void {
    this.#setup = changeLane(this.#setup, lane, change);
    this.#add({ at, kind: 'edit', lane, change });
  }

  #add(step: Step): void {
    this.steps.push({ ...step, at: Math.max(0, Math.round(step.at)) });
  }

  #one<T>(choices: readonly T[]): T {
    const chosen = choices[Math.floor(this.#random() * choices.length)];
    if (chosen === undefined && choices.length === 0) throw new Error('there is nothing to choose from');
    return chosen as T; // an index below the length; undefined may be one of the choices
  }

  #whole(from: number, to: number): number {
    return from + Math.floor(this.#random() * (to - from + 1));
  }

  #seed(): number {
    return Math.floor(this.#random() * 2 ** 31);
  }
}

/** What the route file says once these steps are done. */
export function setupAfter(setup: Setup, steps: readonly Step[]): Setup {
  return steps.reduce((before, step) => {
    if (step.kind === 'edit') return changeLane(before, step.lane, step.change);
    return step.kind === 'move' ? movePod(before, step.pod, step.to) : before;
  }, setup);
}

/** The part of a schedule from `from` to `to`, as a schedule of its own that begins with what the route file says by then. */
export function cut({ setup, steps }: Schedule, from: number, to: number): Schedule {
  const before = steps.filter(({ at }) => at < from);
  const within = steps.filter(({ at }) => at >= from && at < to);
  return {
    setup: setupAfter(setup, before),
    steps: within.map((step) => ({ ...step, at: step.at - from })),
    ms: to - from,
  };
}

/** A step in a line. */
export function stepText(step: Step): string {
  const { at, kind, ...rest } = step;
  return `${(at / 1000).toFixed(2).padStart(8)} s  ${kind} ${JSON.stringify(rest)}`;
}
