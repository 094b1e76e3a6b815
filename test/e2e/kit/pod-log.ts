import { instant } from './instant.ts';
import { notBefore } from './turn.ts';

/** How a request ended at its pod; `running` while it has not. */
export type PodOutcome = 'running' | 'answered' | 'refused' | 'broken' | 'aborted';

/** One request as its pod saw it. All times are those of `instant()`. */
export interface PodRequest {
  /** The pod's `address:port`. */
  readonly pod: string;
  /** What the load called it; empty when it carried no id (a stray request, a health check). */
  readonly id: string;
  readonly path: string;
  /** When its headers had come: from here on the pod holds it. */
  readonly arrived: number;
  /** It cannot have come before this moment: earlier than `arrived` when the pods' thread was busy. See `notBefore()`. */
  readonly notBefore: number;
  /** When its body had come and the work began; undefined while that is still to come. */
  readonly started: number | undefined;
  /** When the pod let it go: just before the last byte of the answer is written, or when it learned of an abort. */
  readonly ended: number | undefined;
  /** What ended it cannot have come before this moment; see `notBefore()`. */
  readonly endedNotBefore?: number | undefined;
  readonly outcome: PodOutcome;
  /** Requests that the pod held when this one had arrived, this one included. */
  readonly held: number;
}

/** What a pod holds: a moment at which the number changed, and the number from then on. */
export interface Holding {
  readonly at: number;
  readonly held: number;
}

type Written = { -readonly [Key in keyof PodRequest]: PodRequest[Key] };

/** Hears of every request twice: when it has come, and when it has ended. */
export type Tell = (request: PodRequest) => void;

/** One request in the log, to be told when its work begins and how it ends; a second ending is ignored. */
export interface LogEntry {
  readonly ended: boolean;
  begin(): void;
  end(outcome: Exclude<PodOutcome, 'running'>): void;
}

/** What one pod holds and has held. */
export class PodLog {
  readonly pod: string;
  #held = 0;
  #peak = 0;
  #requests: Written[] = [];
  #changes: Holding[] = [];
  readonly #tell: Tell | undefined;

  constructor(pod: string, tell?: Tell) {
    this.pod = pod;
    this.#tell = tell;
  }

  /** Requests in progress now. */
  get held(): number {
    return this.#held;
  }

  /** The most requests that were ever in progress at the same time since the last `forget()`. */
  get peak(): number {
    return this.#peak;
  }

  /** Every request so far, in the order of their arrival. */
  get requests(): readonly PodRequest[] {
    return this.#requests;
  }

  /** The number of requests in progress over time, one entry per change. */
  get changes(): readonly Holding[] {
    return this.#changes;
  }

  /** Notes that a request has come. */
  arrive(id: string, path: string): LogEntry {
    const earliest = notBefore();
    const at = instant();
    this.#change(at, 1);
    const open = { started: undefined, ended: undefined, endedNotBefore: undefined, outcome: 'running' } as const;
    const request: Written = { pod: this.pod, id, path, arrived: at, notBefore: earliest, held: this.#held, ...open };
    this.#requests.push(request);
    this.#tell?.(request);
    return {
      get ended() {
        return request.ended !== undefined;
      },
      begin: () => {
        request.started = instant();
      },
      end: (outcome) => {
        if (request.ended !== undefined) return;
        request.endedNotBefore = notBefore();
        request.ended = instant();
        request.outcome = outcome;
        this.#change(request.ended, -1);
        this.#tell?.(request);
      },
    };
  }

  /** Forgets everything that has ended; what is in progress stays, and is the new peak. */
  forget(): void {
    this.#requests = this.#requests.filter((request) => request.ended === undefined);
    this.#changes = [];
    this.#peak = this.#held;
  }

  #change(at: number, by: 1 | -1): void {
    this.#held += by;
    this.#peak = Math.max(this.#peak, this.#held);
    this.#changes.push({ at, held: this.#held });
  }
}
