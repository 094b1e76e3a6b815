/** A job that a member knows. */
export interface KnownJob {
  readonly member: string;
  readonly node: string;
  /** As `formatAddress` writes its pod. */
  readonly address: string;
  readonly id: string;
  /** Slots of its pod that it has. */
  readonly slots: number;
  /** Since when it is known, in monotonic milliseconds. */
  readonly since: number;
}

/** The jobs of one pod. */
interface PodJobs {
  readonly jobs: Map<string, KnownJob>;
  /** Their filters are gone, and the slots that they have: until the pod was asked, they count as running. */
  readonly orphans: Map<string, number>;
  /** They have ended for their filter, though the pod may still name them. */
  readonly ended: Set<string>;
}

/** The jobs of one service that queue filters know, and those whose filters are gone. */
export class KnownJobs {
  readonly #pods = new Map<string, PodJobs>();
  readonly #isAsked: (address: string) => boolean;

  /** `isAsked`: whether a pod is asked for its jobs. Of no other one will ever be heard that a job is over. */
  constructor(isAsked: (address: string) => boolean) {
    this.#isAsked = isAsked;
  }

  /** A member knows this job. */
  add(job: KnownJob): void {
    this.#change(job.address, ({ jobs, orphans, ended }) => {
      jobs.set(keyOf(job), job);
      orphans.delete(job.id);
      ended.delete(job.id);
    });
  }

  /** A member says that it is over. */
  remove(job: Pick<KnownJob, 'member' | 'address' | 'id'>): void {
    this.#change(job.address, ({ jobs, ended }) => {
      jobs.delete(keyOf(job));
      if (this.#isAsked(job.address)) ended.add(job.id);
    });
  }

  /** A member tells anew what it has. */
  forget(member: string): void {
    this.#takeAll(member);
  }

  /** A member has died: its jobs go on, and nobody knows of them. */
  orphan(member: string): void {
    for (const { address, id, slots } of this.#takeAll(member))
      if (this.#isAsked(address)) this.#change(address, ({ orphans }) => orphans.set(id, slots));
  }

  /** The jobs that a member knows. */
  of(member: string): readonly KnownJob[] {
    return [...this.#pods.values()].flatMap(({ jobs }) => [...jobs.values()].filter((job) => job.member === member));
  }

  /** The jobs at a pod. */
  at(address: string): readonly KnownJob[] {
    return [...(this.#pods.get(address)?.jobs.values() ?? [])];
  }

  /**
   * How many slots those of these jobs of a pod have, and of those that went on without their filter, that no filter knows. `usual`: the
   * slots of one of which only its pod has ever told.
   */
  unknownAt(address: string, running: ReadonlySet<string> | undefined, usual = 1): number {
    const { orphans, ended = [] } = this.#pods.get(address) ?? {};
    const slots = new Map([...(running ?? [])].map((id) => [id, usual]));
    for (const [id, own] of orphans ?? []) slots.set(id, own);
    for (const { id } of this.at(address)) slots.delete(id);
    for (const id of ended) slots.delete(id);
    return [...slots.values()].reduce((sum, own) => sum + own, 0);
  }

  /** A pod has said what it has; or it is gone, and has none. */
  said(address: string, running: ReadonlySet<string>): void {
    this.#change(address, ({ orphans, ended }) => {
      for (const id of orphans.keys()) if (!running.has(id)) orphans.delete(id);
      for (const id of ended) if (!running.has(id)) ended.delete(id);
    });
  }

  /** Takes out all that a member knows. */
  #takeAll(member: string): readonly KnownJob[] {
    const taken = this.of(member);
    for (const job of taken) this.#change(job.address, ({ jobs }) => jobs.delete(keyOf(job)));
    return taken;
  }

  #change(address: string, change: (pod: PodJobs) => void): void {
    const pod = this.#pods.get(address) ?? { jobs: new Map(), orphans: new Map(), ended: new Set() };
    change(pod);
    if (pod.jobs.size + pod.orphans.size + pod.ended.size > 0) this.#pods.set(address, pod);
    else this.#pods.delete(address);
  }
}

function keyOf({ member, id }: Pick<KnownJob, 'member' | 'id'>): string {
  return `${member} ${id}`;
}
