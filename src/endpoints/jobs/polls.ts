import type { Clock } from '../../base/clock.ts';
import { sameMap } from '../../base/same.ts';
import { Timers } from '../../base/timers.ts';
import { formatAddress } from '../../model/locator.ts';
import type { ServiceWithPods } from '../../model/model.ts';
import type { Pod } from '../../model/pod.ts';
import type { ServiceName } from '../../model/service.ts';
import type { askJobs } from './ask.ts';
import { type KnownJob, KnownJobs } from './known-jobs.ts';

/** What `JobPolls` works with. */
export interface JobPollsOptions {
  readonly clock: Clock;
  readonly ask: typeof askJobs;
  /** Told when other slots of a service are taken by jobs than before. */
  readonly changed: (service: ServiceName) => void;
  /** Told of a job that a filter knows, and its pod does not any more. */
  readonly lost: (service: ServiceName, job: KnownJob) => void;
  /** Told once of a pod that says something else than a list of ids. */
  readonly unreadable: (service: ServiceName, address: string) => void;
}

/** Something that a filter tells of the jobs of a service. */
export interface MemberJobs {
  readonly member: string;
  readonly node: string;
  readonly service: ServiceName;
  readonly jobs: readonly Pick<KnownJob, 'address' | 'id' | 'slots'>[];
}

/** What is known of one pod. */
interface Asked {
  /** What it said last; undefined: it has not answered yet. */
  running: ReadonlySet<string> | undefined;
  /** Whether it was asked since `since`. */
  isAsked: boolean;
  /** What it said of an earlier time does not count: it may have taken a job since then that nobody was told of. */
  since: number;
  isUnreadable: boolean;
  /** Jobs that it did not name last time, though a filter knows them. */
  missing: ReadonlySet<string>;
}

interface Polled {
  service: ServiceWithPods;
  readonly pods: Map<string, Asked>;
  taken: ReadonlyMap<string, number>;
  cancel: () => void;
}

/** How often pods are asked; and those that have jobs which no filter knows. */
const INTERVAL_MS = 5000;
const SOON_MS = 1000;
const TIMEOUT_MS = 2000;

const NO_JOBS: ReadonlySet<string> = new Set();
const NOTHING: ReadonlyMap<string, number> = new Map();

/** Asks the pods of services with `async.poll` which jobs they have. */
export class JobPolls {
  readonly #options: JobPollsOptions;
  readonly #polled = new Map<ServiceName, Polled>();
  readonly #known = new Map<ServiceName, KnownJobs>();
  readonly #timers: Timers;

  constructor(options: JobPollsOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** From now on these services count. */
  follow(services: readonly ServiceWithPods[]): void {
    const wanted = new Map(services.flatMap((one) => (pathOf(one) === undefined ? [] : [[one.service.name, one]])));
    for (const [name, { cancel, pods }] of this.#polled) {
      if (wanted.has(name)) continue;
      cancel();
      this.#polled.delete(name);
      for (const address of pods.keys()) this.#of(name).said(address, NO_JOBS);
    }
    for (const [name, service] of wanted) {
      const polled = this.#polled.get(name);
      if (polled?.service === service) continue;
      if (polled === undefined) this.#begin(service);
      else this.#change(polled, service);
    }
  }

  /** How many slots of its pods jobs take that no filter knows, by address. */
  taken(name: ServiceName): ReadonlyMap<string, number> {
    return this.#polled.get(name)?.taken ?? NOTHING;
  }

  /** Whether a pod of a service with `async.poll` has not been asked yet: nobody knows what it does. */
  isUnasked(name: ServiceName, address: string): boolean {
    const polled = this.#polled.get(name);
    return polled !== undefined && polled.pods.get(address)?.isAsked !== true;
  }

  /** The jobs that a member has told, and that have not ended. */
  of(member: string): readonly (Pick<KnownJob, 'address' | 'id' | 'slots'> & { readonly service: ServiceName })[] {
    return [...this.#known].flatMap(([service, known]) => known.of(member).map((job) => ({ service, ...job })));
  }

  /** A member says everything that it has. `died`: other members of its node that are no more. */
  hello(all: readonly MemberJobs[], member: string, died: readonly string[]): void {
    this.died(died);
    for (const known of this.#known.values()) known.forget(member);
    const since = this.#options.clock.monotonic();
    for (const { node, service, jobs } of all)
      for (const { address, id, slots } of jobs) this.#of(service).add({ member, node, address, id, slots, since });
    for (const name of this.#polled.keys()) this.#count(name);
  }

  /** These members are no more, and their jobs may go on. */
  died(members: readonly string[]): void {
    for (const known of this.#known.values()) for (const member of members) known.orphan(member);
    if (members.length === 0) return;
    const now = this.#options.clock.monotonic();
    for (const [name, polled] of this.#polled) {
      // One that it had just sent to a pod may have become a job that it did not hear of.
      for (const asked of polled.pods.values()) Object.assign(asked, { isAsked: false, since: now });
      this.#count(name);
      this.#options.changed(name);
      polled.cancel();
      void this.#round(polled);
    }
  }

  /** A member says that a job has begun. */
  began(service: ServiceName, job: Omit<KnownJob, 'since'>): void {
    this.#of(service).add({ ...job, since: this.#options.clock.monotonic() });
    this.#count(service);
  }

  /** A member says that a job has ended. */
  ended(service: ServiceName, job: Pick<KnownJob, 'member' | 'address' | 'id'>): void {
    this.#of(service).remove(job);
  }

  /** Ends all questions. */
  stop(): void {
    this.#timers.stop();
    this.#polled.clear();
  }

  #of(service: ServiceName): KnownJobs {
    let known = this.#known.get(service);
    if (known === undefined) {
      known = new KnownJobs((address) => this.#polled.get(service)?.pods.has(address) === true);
      this.#known.set(service, known);
    }
    return known;
  }

  #begin(service: ServiceWithPods): void {
    const polled: Polled = { service, pods: new Map(), taken: NOTHING, cancel: () => {} };
    this.#polled.set(service.service.name, polled);
    this.#change(polled, service);
  }

  /** New pods are asked at once: until then nobody knows what they do. */
  #change(polled: Polled, service: ServiceWithPods): void {
    polled.service = service;
    const present = new Set(service.pods.map(formatAddress));
    for (const address of polled.pods.keys()) {
      if (present.has(address)) continue;
      polled.pods.delete(address);
      this.#of(service.service.name).said(address, NO_JOBS);
    }
    const isNew = [...present].some((address) => !polled.pods.has(address));
    for (const address of present)
      if (!polled.pods.has(address))
        polled.pods.set(address, {
          running: undefined,
          isAsked: false,
          since: Number.NEGATIVE_INFINITY,
          isUnreadable: false,
          missing: new Set(),
        });
    if (!isNew) return;
    polled.cancel();
    void this.#round(polled);
  }

  async #round(polled: Polled): Promise<void> {
    const { service, pods } = polled.service;
    const { name } = service;
    const path = pathOf(polled.service);
    if (path === undefined) return;
    const began = this.#options.clock.monotonic();
    const before = [...polled.pods].map(([address, { isAsked }]) => `${address} ${isAsked}`).join();
    await Promise.all(pods.map((pod) => this.#ask(polled, pod, { path, began })));
    // It may have gone meanwhile.
    if (this.#polled.get(name) !== polled) return;
    const after = [...polled.pods].map(([address, { isAsked }]) => `${address} ${isAsked}`).join();
    this.#count(name);
    if (before !== after) this.#options.changed(name);
    polled.cancel();
    const soon = polled.taken.size > 0;
    polled.cancel = this.#timers.after(soon ? SOON_MS : INTERVAL_MS, () => void this.#round(polled));
  }

  async #ask(
    polled: Polled,
    pod: Pod,
    { path, began }: { readonly path: string; readonly began: number },
  ): Promise<void> {
    const { ask, unreadable } = this.#options;
    const { name, protocol } = polled.service.service;
    const running = await ask({ pod, path, protocol, timeoutMs: TIMEOUT_MS });
    const address = formatAddress(pod);
    const asked = polled.pods.get(address);
    if (asked === undefined || began < asked.since) return;
    if (running === undefined && !asked.isAsked && !asked.isUnreadable) {
      asked.isUnreadable = true;
      unreadable(name, address);
    }
    // Who does not answer may still work.
    if (running !== undefined) this.#said(polled, address, asked, { running, began });
    asked.isAsked = true;
  }

  #said(
    {
      service: {
        service: { name },
      },
    }: Polled,
    address: string,
    asked: Asked,
    { running, began }: { readonly running: ReadonlySet<string>; readonly began: number },
  ): void {
    asked.running = running;
    const known = this.#of(name);
    known.said(address, running);
    // Before it counts as asked.
    this.#count(name);
    const gone = known.at(address).filter(({ id, since }) => since < began && !running.has(id));
    for (const job of gone) if (asked.missing.has(job.id)) this.#options.lost(name, job);
    asked.missing = new Set(gone.map(({ id }) => id));
  }

  /** Counts the jobs that no filter knows. */
  #count(name: ServiceName): void {
    const polled = this.#polled.get(name);
    if (polled === undefined) return;
    const known = this.#of(name);
    const taken = new Map<string, number>();
    for (const [address, { running }] of polled.pods) {
      const count = known.unknownAt(address, running, usualCost(polled.service));
      if (count > 0) taken.set(address, count);
    }
    const isSame = sameMap(taken, polled.taken);
    polled.taken = taken;
    if (!isSame) this.#options.changed(name);
  }
}

/** The slots of a job whose filter has not told them. */
function usualCost({ service: { discipline } }: ServiceWithPods): number {
  return discipline.kind === 'limited' ? (discipline.cost?.usual ?? 1) : 1;
}

function pathOf({ service: { discipline } }: ServiceWithPods): string | undefined {
  return discipline.kind === 'limited' ? discipline.jobs?.poll : undefined;
}
