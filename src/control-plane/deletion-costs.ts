import type { Clock } from '../base/clock.ts';
import { ok, type Result } from '../base/result.ts';
import { Timers } from '../base/timers.ts';
import type { ApiFailure, KubeWriter } from '../kubernetes/api.ts';
import { Deadline } from '../kubernetes/deadline.ts';
import type { SourceLog } from '../model/source.ts';

/** A Pod, and whether it works on a request. */
export interface PodWork {
  readonly namespace: string;
  readonly name: string;
  readonly isBusy: boolean;
}

/** What costs are written with. */
export interface DeletionCostsOptions {
  readonly api: KubeWriter;
  readonly clock: Clock;
  readonly log: SourceLog;
  /** All pods that are known now. */
  readonly pods: () => readonly PodWork[];
  /** The pair that this Sluice is among several; undefined: it is the only one. */
  readonly pair?: PairName | undefined;
}

/** One of several pairs of Sluice and Envoy. */
export interface PairName {
  /** Of its Pod. */
  readonly name: string;
  /** Whether the Pod of another one is gone. */
  readonly isGone: (name: string) => Promise<boolean>;
}

/** What is known of one Pod. */
interface Known {
  isBusy: boolean;
  /** Since when it has been so, in monotonic milliseconds. */
  since: number;
  /** What its annotation says; undefined: that is not known. */
  written: boolean | undefined;
  isWriting: boolean;
  /** Not before then: the last write failed. */
  notBefore: number;
}

/** The ReplicaSet controller takes Pods with a lower number first. */
const ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';
const COSTS = { busy: '1', idle: '0' };
/** Followed by the name of a pair that has work at this Pod. */
const BUSY = 'busy.sluice.dev/';

const LOOK_MS = 250;
/** Work that is shorter than this is not worth a write, nor is a break that is. */
const SETTLED_MS = 1000;
const MOST_AT_ONCE = 8;
const ANSWER_MS = 15_000;
const AGAIN_MS = 10_000;

/** A Pod, as far as it is looked at here. */
interface PatchedPod {
  readonly metadata?: {
    readonly resourceVersion?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/**
 * Has Kubernetes take idle Pods first when a Deployment gets smaller: writes into each Pod whether it works on something. Two writes
 * for a long job, none for short ones. Of several pairs each says for itself where it has work, and the last one that has none left
 * says that the Pod is idle.
 */
export class DeletionCosts {
  readonly #options: DeletionCostsOptions;
  readonly #known = new Map<string, Known>();
  readonly #timers: Timers;
  readonly #aborted = new AbortController();
  #writing = 0;
  #hasWarned = false;

  constructor(options: DeletionCostsOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** From now on, until `stop`. */
  start(): void {
    this.#timers.after(LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#timers.stop();
    this.#aborted.abort();
  }

  #look(): void {
    const now = this.#options.clock.monotonic();
    const pods = this.#options.pods();
    const present = new Set(pods.map(pathOf));
    for (const path of this.#known.keys()) if (!present.has(path)) this.#known.delete(path);
    for (const pod of pods) this.#note(pathOf(pod), pod.isBusy, now);
    for (const [path, known] of this.#known) {
      if (this.#writing >= MOST_AT_ONCE) return;
      const isSettled = now - known.since >= SETTLED_MS && now >= known.notBefore;
      if (isSettled && !known.isWriting && known.written !== known.isBusy) void this.#write(path, known);
    }
  }

  #note(path: string, isBusy: boolean, now: number): void {
    const known = this.#known.get(path);
    if (known === undefined) {
      this.#known.set(path, { isBusy, since: now, written: undefined, isWriting: false, notBefore: 0 });
    } else if (known.isBusy !== isBusy) {
      known.isBusy = isBusy;
      known.since = now;
    }
  }

  async #write(path: string, known: Known): Promise<void> {
    const { clock } = this.#options;
    const { isBusy } = known;
    known.isWriting = true;
    this.#writing += 1;
    const within = new Deadline(clock, this.#aborted.signal);
    within.set(ANSWER_MS, `no answer within ${ANSWER_MS / 1000} s`);
    const answer = isBusy ? await this.#setBusy(path, within.signal) : await this.#setIdle(path, within.signal);
    within.end();
    this.#writing -= 1;
    known.isWriting = false;
    if (answer.ok) known.written = isBusy;
    else this.#failed(path, known, answer.errors[0]);
  }

  #setBusy(path: string, signal: AbortSignal): Promise<Result<PatchedPod, ApiFailure>> {
    const { pair } = this.#options;
    const own = pair === undefined ? {} : { [markOf(pair)]: '1' };
    return this.#patch(path, { annotations: { [ANNOTATION]: COSTS.busy, ...own } }, signal);
  }

  async #setIdle(path: string, signal: AbortSignal): Promise<Result<PatchedPod, ApiFailure>> {
    const { pair } = this.#options;
    if (pair === undefined) return this.#patch(path, { annotations: { [ANNOTATION]: COSTS.idle } }, signal);
    const left = await this.#patch(path, { annotations: { [markOf(pair)]: null } }, signal);
    if (!left.ok) return left;
    const { annotations = {}, resourceVersion } = left.value.metadata ?? {};
    const others = Object.keys(annotations).filter((key) => key.startsWith(BUSY));
    const areGone = await Promise.all(others.map((key) => pair.isGone(key.slice(BUSY.length))));
    if (areGone.includes(false) || annotations[ANNOTATION] === COSTS.idle) return ok(left.value);
    // Unless another pair has begun something there meanwhile: then it is looked at anew.
    const cleared = Object.fromEntries(others.map((key) => [key, null]));
    return this.#patch(path, { resourceVersion, annotations: { ...cleared, [ANNOTATION]: COSTS.idle } }, signal);
  }

  async #patch(path: string, metadata: object, signal: AbortSignal): Promise<Result<PatchedPod, ApiFailure>> {
    const answer = await this.#options.api.write('PATCH', path, { metadata }, signal);
    // An API server answers with the type that was written.
    return answer.ok ? ok(JSON.parse(answer.value) as PatchedPod) : answer;
  }

  #failed(path: string, known: Known, failure: ApiFailure | undefined): void {
    if (this.#aborted.signal.aborted) return;
    // Somebody else has written to it.
    if (failure?.kind === 'status' && failure.code === 409) return;
    known.notBefore = this.#options.clock.monotonic() + AGAIN_MS;
    // It is gone.
    if (failure?.kind === 'status' && failure.code === 404) return;
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const isRight = failure?.kind === 'status' && failure.code === 403;
    this.#options.log('warn', 'the deletion cost of a Pod could not be written; tried again', {
      pod: path,
      message: failure?.message ?? 'no reason given',
      ...(isRight
        ? { fix: 'give Sluice the right to patch Pods: k8s/deletion-cost, or podDeletionCost of the chart' }
        : {}),
    });
  }
}

/** The name of an annotation has at most 63 characters. */
function markOf({ name }: PairName): string {
  return `${BUSY}${name.slice(-63)}`;
}

function pathOf({ namespace, name }: PodWork): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}
