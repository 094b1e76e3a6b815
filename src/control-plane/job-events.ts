import type { JobPolls } from '../endpoints/jobs/polls.ts';
import type { ServiceName } from '../model/service.ts';
import type { JobEvent, JobReport, MemberId, SlotsEvent } from '../slots/events.ts';

/** What a queue filter of another Sluice tells of its jobs. */
export type RemoteJobs = MemberId &
  (
    | {
        readonly kind: 'hello';
        readonly services: readonly { readonly name: ServiceName; readonly jobs: readonly Job[] }[];
      }
    | { readonly kind: 'gone' }
    | { readonly kind: 'job'; readonly event: JobEvent }
  );

type Job = Pick<JobReport, 'address' | 'id' | 'slots'>;

/** Tells those who ask pods for their jobs what the queue filters know of them. */
export class JobEvents {
  readonly #polls: Pick<JobPolls, 'hello' | 'began' | 'ended' | 'died'>;
  /** The members by their key: their node, and whether their stream is open. */
  readonly #members = new Map<string, { readonly node: string; isOpen: boolean }>();

  constructor(polls: Pick<JobPolls, 'hello' | 'began' | 'ended' | 'died'>) {
    this.#polls = polls;
  }

  /** Takes what happens on the streams of the filters. */
  record(event: SlotsEvent | RemoteJobs): void {
    const member = memberKey(event);
    const { node } = event;
    if (event.kind === 'hello') {
      // The new VM of an Envoy that was started again takes the place of the old one.
      const died = [...this.#members].filter(([key, one]) => key !== member && one.node === node && !one.isOpen);
      for (const [key] of died) this.#members.delete(key);
      this.#members.set(member, { node, isOpen: true });
      const all = event.services.map(({ name, jobs }) => ({ member, node, service: name, jobs }));
      this.#polls.hello(
        all,
        member,
        died.map(([key]) => key),
      );
    } else if (event.kind === 'gone') {
      const known = this.#members.get(member);
      if (known !== undefined) known.isOpen = false;
    } else if (event.kind === 'job') {
      const { service, address, id, kind, slots } = event.event;
      if (kind === 'began') this.#polls.began(service, { member, node, address, id, slots });
      else this.#polls.ended(service, { member, address, id });
    }
  }

  /** These members are known to have ended: their jobs may go on. */
  died(members: readonly MemberId[]): void {
    const keys = members.map(memberKey);
    for (const key of keys) this.#members.delete(key);
    this.#polls.died(keys);
  }
}

/** A member as one text. */
export function memberKey({ node, epoch }: MemberId): string {
  return `${epoch} ${node}`;
}
