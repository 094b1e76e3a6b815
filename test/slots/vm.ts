import { Membership } from '../../envoy/filter/membership.ts';
import { ANSWERED, NONE, POD_FORGOTTEN, Queues, TRYING, WORKING } from '../../envoy/filter/queue.ts';
import { Workers } from '../../envoy/filter/workers.ts';

/** What all workers of an Envoy see: records, each written with compare-and-set. */
export class SharedData {
  private readonly records = new Map<string, { readonly cells: Float64Array; readonly cas: number }>();
  private cas = 0;

  get(key: string): { readonly cells: Float64Array; readonly cas: number } {
    return this.records.get(key) ?? { cells: new Float64Array(), cas: 0 };
  }

  set(key: string, cells: Float64Array, cas: number): boolean {
    if (this.get(key).cas !== cas) return false;
    this.records.set(key, { cells, cas: ++this.cas });
    return true;
  }
}

/** What Sluice says of a pod. `limit` undefined: it is removed. */
export interface PodNews {
  readonly service: number;
  readonly pod: string;
  readonly limit: number | undefined;
}

/** What happens to requests, for whoever judges. */
export interface Witness {
  started(vm: Vm, service: number, request: number, pod: string): void;
  moved(vm: Vm, request: number, pod: string): void;
}

/** The time in steps of a callback: between them other workers run. */
export type Callback = Generator<undefined, void, undefined>;

const MEMBERS = 'members';

/** The filter in one worker, as filter.ts and sharing.ts connect it to Envoy. Every callback stops between reading and writing. */
export class Vm {
  readonly queues = new Queues();
  readonly membership = new Membership();
  readonly workers = new Workers(this.queues, this.membership);
  /** Wakes: names of services, and '' for the list of members. */
  inbox: string[] = [];
  news: PodNews[] = [];
  private readonly services: readonly string[];
  private readonly data: SharedData;
  private readonly peers: () => readonly Vm[];
  private readonly witness: Witness;
  private readonly pods = new Map<string, number>();
  private readonly podNames = new Map<number, string>();
  private readonly offered = new Set<number>();
  /** Slots by service that a silent member used, when it was last shared. */
  readonly missing = new Map<number, number>();
  private published = false;

  constructor(services: readonly string[], data: SharedData, peers: () => readonly Vm[], witness: Witness) {
    this.services = services;
    this.data = data;
    this.peers = peers;
    this.witness = witness;
    for (const _ of services) {
      const s = this.queues.addService();
      this.queues.configure(s, 1000, 0, 0);
      this.queues.configureEjection(s, 0, 1, 10, 100);
    }
  }

  // ---- Callbacks ----

  *arrive(service: number, now: number, arrived: (request: number) => void): Callback {
    const r = this.queues.arrive(service, now);
    arrived(r);
    if (this.queues.state(r) === WORKING) this.begun(r);
    yield* this.advance(now);
    if (this.queues.shared && this.queues.isWaiting(r)) this.queues.stay(r);
  }

  *end(request: number, now: number): Callback {
    this.queues.end(request, ANSWERED, now);
    this.queues.gone(request, now);
    yield* this.advance(now);
  }

  /** The client leaves. */
  *abort(request: number, now: number): Callback {
    this.queues.gone(request, now);
    yield* this.advance(now);
  }

  /** The pod answers 503, and is ejected by that; the request ends. */
  *fail(request: number, now: number): Callback {
    this.queues.answered(request, 503, now);
    yield* this.end(request, now);
  }

  /** Envoy tries it again at another pod. */
  *retry(request: number, pod: string, now: number): Callback {
    const p = this.pods.get(`${this.queues.serviceOf(request)}/${pod}`);
    if (p !== undefined) {
      // The try before is over.
      this.queues.unclaim(request);
      if (p === this.queues.podOf(request)) this.witness.moved(this, request, pod);
      else this.queues.claim(request, p);
    }
    yield* this.advance(now);
  }

  *wake(now: number): Callback {
    const woken = this.inbox;
    this.inbox = [];
    if (woken.includes('')) yield* this.beat(now);
    for (const name of woken) if (name !== '') this.queues.unshared(this.services.indexOf(name));
    yield* this.advance(now);
  }

  *hear(now: number): Callback {
    const news = this.news.shift();
    if (news === undefined) return;
    const key = `${news.service}/${news.pod}`;
    const p = this.pods.get(key);
    if (news.limit === undefined) {
      if (p !== undefined) this.queues.removePod(p);
    } else if (p === undefined) {
      const added = this.queues.addPod(news.service, news.limit, false);
      this.workers.name(added, news.pod.charCodeAt(0));
      this.pods.set(key, added);
      this.podNames.set(added, news.pod);
    } else this.queues.setPod(p, news.limit, false);
    yield* this.advance(now);
  }

  /** The tick: what is due, and a sign of life. */
  *tick(now: number): Callback {
    this.queues.tick(now);
    this.queues.nextDeadline();
    yield* this.beat(now);
    for (const s of this.offered) this.queues.unshared(s);
    this.offered.clear();
    this.services.forEach((_, s) => {
      if (this.queues.waiting(s) > 0) this.queues.unshared(s);
    });
    yield* this.advance(now);
  }

  /** It is not used any more, and leaves the others. */
  *leave(): Callback {
    for (;;) {
      const { cells, cas } = this.data.get(MEMBERS);
      this.readMembers(cells);
      this.membership.planLeave();
      yield;
      if (this.data.set(MEMBERS, this.membersRecord(), cas)) break;
    }
    for (const peer of this.peers()) peer.inbox.push('');
  }

  /** The pod was ejected, and gets one request first. */
  isTrying(service: number, pod: string): boolean {
    const p = this.pods.get(`${service}/${pod}`);
    return p !== undefined && this.queues.podState(p) === TRYING;
  }

  // ---- What they share ----

  private *advance(now: number): Callback {
    do {
      if (!this.queues.shared) continue;
      for (let s = this.queues.takeUnshared(); s !== NONE; s = this.queues.takeUnshared()) yield* this.share(s, now);
    } while (this.goOnAgain());
    for (let s = this.queues.nextReady(); s !== NONE; s = this.queues.nextReady())
      this.begun(this.queues.start(s, now));
    for (let i = 0; i < this.queues.eventCount; i++) {
      if (this.queues.eventKind(i) === POD_FORGOTTEN) this.forgetPod(this.queues.eventSubject(i));
    }
    this.queues.clearEvents();
  }

  private goOnAgain(): boolean {
    let some = false;
    for (let r = this.queues.takeClaim(); r !== NONE; r = this.queues.takeClaim()) {
      this.witness.moved(this, r, this.podNames.get(this.queues.podOf(r)) ?? '');
      some = true;
    }
    return some;
  }

  private begun(r: number): void {
    this.witness.started(this, this.queues.serviceOf(r), r, this.podNames.get(this.queues.podOf(r)) ?? '');
  }

  private forgetPod(p: number): void {
    for (const [key, pod] of this.pods) if (pod === p) this.pods.delete(key);
    this.podNames.delete(p);
  }

  private *share(s: number, now: number): Callback {
    const { workers } = this;
    const key = this.services[s] ?? '';
    for (;;) {
      const { cells, cas } = this.data.get(key);
      workers.prepare(cells.length);
      cells.forEach((value, i) => {
        workers.cells.set(i, value);
      });
      workers.plan(s, now);
      yield;
      if (!workers.changed) break;
      if (
        this.data.set(
          key,
          Float64Array.from({ length: workers.size }, (_, i) => workers.cells.get(i)),
          cas,
        )
      )
        break;
    }
    workers.commit(s);
    this.missing.set(s, workers.missing);
    for (let i = 0; i < workers.wakeCount; i++) {
      this.offered.add(s);
      this.peers()
        .find(({ membership }) => membership.me === workers.wake(i))
        ?.inbox.push(key);
    }
  }

  private *beat(now: number): Callback {
    const { membership, queues } = this;
    const wasActive = membership.active;
    const wasAlone = membership.alone;
    yield* this.writeMembers(false, now);
    if (!membership.alone && !queues.shared) {
      yield* this.writeMembers(true, now);
      queues.shared = true;
      this.services.forEach((_, s) => {
        queues.refresh(s);
      });
      for (let s = queues.takeUnshared(); s !== NONE; s = queues.takeUnshared()) yield* this.share(s, now);
      this.published = true;
      yield* this.writeMembers(false, now);
      for (const peer of this.peers()) if (peer !== this) peer.inbox.push('');
    } else if (membership.alone && queues.shared) {
      queues.shared = false;
      this.published = false;
      this.services.forEach((_, s) => {
        queues.refresh(s);
      });
    }
    if (membership.active === wasActive && membership.alone === wasAlone) return;
    this.services.forEach((_, s) => {
      queues.unshared(s);
    });
  }

  private *writeMembers(renew: boolean, now: number): Callback {
    for (;;) {
      const { cells, cas } = this.data.get(MEMBERS);
      this.readMembers(cells);
      this.membership.plan(this.published, renew, now);
      yield;
      if (this.data.set(MEMBERS, this.membersRecord(), cas)) break;
    }
    this.membership.commit(now);
  }

  private readMembers(cells: Float64Array): void {
    this.membership.prepare(cells.length);
    cells.forEach((value, i) => {
      this.membership.cells.set(i, value);
    });
  }

  private membersRecord(): Float64Array {
    return Float64Array.from({ length: this.membership.size }, (_, i) => this.membership.cells.get(i));
  }
}
