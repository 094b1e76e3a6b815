import type { Clock } from '../base/clock.ts';
import type { ServiceName } from '../model/service.ts';
import type { MemberId, SlotsEvent, WaitingRequest } from '../slots/events.ts';
import type { Member } from '../slots/member.ts';

/** What is asked with. */
export interface WaitingRequestsOptions {
  readonly clock: Clock;
  /** The queue filters whose stream is open. */
  readonly members: () => readonly Member[];
  /** Writes what there is to say to one of them. */
  readonly flush: (member: Member) => void;
}

/** A request that waits, and where. */
export interface WaitingAt extends WaitingRequest {
  readonly member: MemberId;
}

/** Who waits for a service. */
export interface WaitingAnswer {
  /** The oldest first. */
  readonly requests: readonly WaitingAt[];
  /** All, those that are not listed included. */
  readonly waiting: number;
  /** Queue filters that did not answer in time. */
  readonly silent: number;
}

/** A filter that has not answered by then is left out, in milliseconds. */
const PATIENCE_MS = 1000;

type List = Extract<SlotsEvent, { kind: 'waiting list' }>;

/** Asks the queue filters who waits, and has them take a request out of the queue. */
export class WaitingRequests {
  readonly #options: WaitingRequestsOptions;
  readonly #asked = new Map<string, (list: List) => void>();

  constructor(options: WaitingRequestsOptions) {
    this.#options = options;
  }

  /** Takes what filters answer. */
  record(event: SlotsEvent): void {
    if (event.kind === 'waiting list') this.#asked.get(keyOf(event, event.query))?.(event);
  }

  /** At most so many of those that wait for a service, over all queue filters. */
  async list(service: ServiceName, most: number): Promise<WaitingAnswer> {
    const lists = await Promise.all(this.#options.members().map((member) => this.#ask(member, service, most)));
    const found = lists.filter((list) => list !== undefined);
    const requests = found.flatMap(({ node, epoch, requests: own }) =>
      own.map((request) => ({ ...request, member: { node, epoch } })),
    );
    return {
      requests: requests.sort((a, b) => b.ageMs - a.ageMs).slice(0, most),
      waiting: found.reduce((sum, { waiting }) => sum + waiting, 0),
      silent: lists.length - found.length,
    };
  }

  /** Has a waiting request answered with 503; it may have got its slot meanwhile. */
  cancel(service: ServiceName, { member: { node, epoch }, id }: Pick<WaitingAt, 'member' | 'id'>): void {
    const member = this.#options.members().find((one) => one.id.node === node && one.id.epoch === epoch);
    if (member === undefined) return;
    member.request({ kind: 'cancel', service, id });
    this.#options.flush(member);
  }

  #ask(member: Member, service: ServiceName, most: number): Promise<List | undefined> {
    const { clock, flush } = this.#options;
    const key = keyOf(member.id, member.askWaiting(service, most, clock.monotonic()));
    return new Promise((resolve) => {
      const finish = (list: List | undefined) => {
        cancel();
        this.#asked.delete(key);
        resolve(list);
      };
      const cancel = clock.after(PATIENCE_MS, () => finish(undefined));
      this.#asked.set(key, finish);
      flush(member);
    });
  }
}

function keyOf({ node, epoch }: MemberId, query: number): string {
  return `${query} ${epoch} ${node}`;
}
