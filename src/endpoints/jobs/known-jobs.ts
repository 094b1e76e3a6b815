/** A job that a member knows. */
export interface KnownJob {
  readonly member: string;
  readonly node: string;
  /** As `formatAddress` writes its pod. */
  readonly address: string;
  readonly id: string;
  /** Since when it is known, in monotonic milliseconds. */
  readonly since: number;
}

/** The jobs of one service that queue filters know, and those whose filters are gone. */
export class KnownJobs {
  readonly #jobs = new Map<string, KnownJob>();
  /** By pod: until it was asked, they count as running. */
  readonly #orphans = new Map<string, Set<string>>();
  /** By pod: they have ended for their filter, though the pod may still name them. */
  readonly #ended = new Map<string, Set<string>>();

  /** A member knows this job. */
  add(job: KnownJob): void {
    this.#jobs.set(keyOf(job), job);
    this.#orphans.get(job.address)?.delete(job.id);
    this.#ended.get(job.address)?.delete(job.id);
  }

  /** A member says that it is over. */
  remove(job: Pick<KnownJob, 'member' | 'address' | 'id'>): void {
    this.#jobs.delete(keyOf(job));
    const ended = this.#ended.get(job.address) ?? new Set();
    this.#ended.set(job.address, ended.add(job.id));
  }

  /** A member tells anew what it has. */
  forget(member: string): void {
    for (const [key, job] of this.#jobs) if (job.member === member) this.#jobs.delete(key);
  }

  /** A member has died: its jobs go on, and nobody knows of them. */
  orphan(member: string): void {
    for (const [key, job] of this.#jobs) {
      if (job.member !== member) continue;
      this.#jobs.delete(key);
      const orphans = this.#orphans.get(job.address) ?? new Set();
      this.#orphans.set(job.address, orphans.add(job.id));
    }
  }

  /** The jobs at a pod. */
  at(address: string): readonly KnownJob[] {
    return [...this.#jobs.values()].filter((job) => job.address === address);
  }

  /** How many of these jobs of a pod, and of those that went on without their filter, no filter knows. */
  unknownAt(address: string, running: ReadonlySet<string> | undefined): number {
    const ids = new Set([...(running ?? []), ...(this.#orphans.get(address) ?? [])]);
    for (const { id } of this.at(address)) ids.delete(id);
    for (const id of this.#ended.get(address) ?? []) ids.delete(id);
    return ids.size;
  }

  /** A pod has said what it has. */
  said(address: string, running: ReadonlySet<string>): void {
    this.#orphans.delete(address);
    const ended = [...(this.#ended.get(address) ?? [])].filter((id) => running.has(id));
    if (ended.length === 0) this.#ended.delete(address);
    else this.#ended.set(address, new Set(ended));
  }
}

function keyOf({ member, address, id }: Pick<KnownJob, 'member' | 'address' | 'id'>): string {
  return `${member} ${address} ${id}`;
}
