import type { Clock } from '../base/clock.ts';
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

const LOOK_MS = 250;
/** Work that is shorter than this is not worth a write, nor is a break that is. */
const SETTLED_MS = 1000;
const MOST_AT_ONCE = 8;
const ANSWER_MS = 15_000;
const AGAIN_MS = 10_000;

/**
 * Has Kubernetes take idle Pods first when a Deployment gets smaller: writes into each Pod whether it works on something. Two writes
 * for a long job, none for short ones.
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
    const { api, clock } = this.#options;
    const { isBusy } = known;
    known.isWriting = true;
    this.#writing += 1;
    const within = new Deadline(clock, this.#aborted.signal);
    within.set(ANSWER_MS, `no answer within ${ANSWER_MS / 1000} s`);
    const cost = isBusy ? COSTS.busy : COSTS.idle;
    const body = { metadata: { annotations: { [ANNOTATION]: cost } } };
    const answer = await api.write('PATCH', path, body, within.signal);
    within.end();
    this.#writing -= 1;
    known.isWriting = false;
    if (answer.ok) known.written = isBusy;
    else this.#failed(path, known, answer.errors[0]);
  }

  #failed(path: string, known: Known, failure: ApiFailure | undefined): void {
    if (this.#aborted.signal.aborted) return;
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

function pathOf({ namespace, name }: PodWork): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}
