import { Membership } from '../../envoy/filter/membership.ts';
import { ANSWERED, EJECTED, FAILED, NONE, POD_FORGOTTEN, Queues, TRYING, WORKING } from '../../envoy/filter/queue.ts';
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
  /** It is answered without a slot. */
  refused(vm: Vm, request: number): void;
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
  /** When to look whether others that were woken for a service came. */
  private readonly promisedUntil = new Map<number, number>();
  /** Slots by service that a silent member used, when it was last shared. */
  readonly missing = new Map<number, number>();
  private readonly costs: boolean;
  private published = false;
  private joined = false;

  /** `costs`: requests may take several slots. */
  constructor(
    services: readonly string[],
    data: SharedData,
    peers: () => readonly Vm[],
    witness: Witness,
    costs = false,
  ) {
    this.services = services;
    this.costs = costs;
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

  *arrive(service: number, cost: number, now: number, arrived: (request: number) => void): Callback {
    const r = this.queues.arriveAs(service, 0, NONE, cost, Number.POSITIVE_INFINITY, now);
    // It takes more than any pod has.
    if (r < 0) return;
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
    // The try before is over.
    this.queues.unclaim(request);
    this.forgetPods();
    const p = this.podMet(this.queues.serviceOf(request), pod);
    if (p === this.queues.podOf(request)) this.witness.moved(this, request, pod);
    else {
      this.queues.claim(request, p);
      this.queues.setConnected(request);
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
      this.namePod(this.queues.addPod(news.service, news.limit, false), news.service, news.pod);
    } else this.queues.setPod(p, news.limit, false);
    if (this.costs) this.queues.configureCost(news.service, this.mostSlots(news.service));
    yield* this.advance(now);
  }

  /** The pod at which Envoy tries a request: it may not have heard of it. */
  private podMet(service: number, pod: string): number {
    const known = this.pods.get(`${service}/${pod}`);
    if (known !== undefined) return known;
    const p = this.queues.addStranger(service);
    this.namePod(p, service, pod);
    return p;
  }

  private namePod(p: number, service: number, pod: string): void {
    this.workers.name(p, pod.charCodeAt(0));
    this.pods.set(`${service}/${pod}`, p);
    this.podNames.set(p, pod);
  }

  /** As Sluice tells it with the settings of a service. */
  private mostSlots(service: number): number {
    const pods = [...this.pods].filter(([key]) => key.startsWith(`${service}/`)).map(([, p]) => p);
    return Math.max(0, ...pods.filter((p) => !this.queues.isRemoved(p)).map((p) => this.queues.podLimitOf(p)));
  }

  /** The tick: what is due, and a sign of life. */
  *tick(now: number): Callback {
    this.queues.tick(now);
    for (let r = this.queues.expireClaim(now); r !== NONE; r = this.queues.expireClaim(now)) {
      this.queues.gone(r, now);
      this.witness.refused(this, r);
    }
    this.queues.nextDeadline();
    yield* this.beat(now);
    for (const [s, until] of this.promisedUntil) {
      if (now < until) continue;
      this.promisedUntil.delete(s);
      this.queues.unshared(s);
    }
    const all = this.queues.firstClaim() !== NONE;
    this.services.forEach((_, s) => {
      if (all || this.queues.waiting(s) > 0) this.queues.unshared(s);
    });
    yield* this.advance(now);
  }

  /** Newer code takes its place: it leaves when its last request has ended. */
  *retire(now: number): Callback {
    if (!this.joined) return;
    this.workers.retired = true;
    if (!this.queues.shared) yield* this.publish(now);
    yield* this.writeMembers(() => this.membership.planRetire());
    this.membership.commit(now);
    this.services.forEach((_, s) => {
      this.queues.unshared(s);
    });
    yield* this.advance(now);
  }

  /** The pod is in its configuration. */
  knows(service: number, pod: string): boolean {
    return this.pods.has(`${service}/${pod}`);
  }

  /** The pod was ejected, and gets one request first. */
  isTrying(service: number, pod: string): boolean {
    return this.isIn(TRYING, service, pod);
  }

  isEjected(service: number, pod: string): boolean {
    return this.isIn(EJECTED, service, pod);
  }

  private isIn(state: number, service: number, pod: string): boolean {
    const p = this.pods.get(`${service}/${pod}`);
    return p !== undefined && this.queues.podState(p) === state;
  }

  // ---- What they share ----

  private *advance(now: number): Callback {
    let some = false;
    do {
      some = false;
      do {
        if (!this.queues.shared) continue;
        for (let s = this.queues.takeUnshared(); s !== NONE; s = this.queues.takeUnshared()) yield* this.share(s, now);
      } while (this.goOnAgain());
      for (let s = this.queues.nextReady(); s !== NONE; s = this.queues.nextReady()) {
        const r = this.queues.start(s, now);
        if (r === NONE) continue;
        some = true;
        if (this.queues.state(r) === WORKING) this.begun(r);
        else {
          this.queues.gone(r, now);
          this.witness.refused(this, r);
        }
      }
    } while (this.queues.takeGivenBack() && some);
    this.forgetPods();
    if (this.workers.retired) yield* this.leaveIfDone(now);
  }

  /** Nobody calls it any more when its last request has ended. */
  private *leaveIfDone(now: number): Callback {
    let some = false;
    const refuse = (r: number) => {
      this.queues.gone(r, now);
      this.witness.refused(this, r);
      some = true;
    };
    for (let r = this.queues.firstClaim(); r !== NONE; r = this.queues.firstClaim()) {
      this.queues.end(r, FAILED, now);
      refuse(r);
    }
    this.services.forEach((_, s) => {
      if (this.queues.inUse(s) > 0) return;
      for (let r = this.queues.firstWaiting(s); r !== NONE; r = this.queues.firstWaiting(s)) {
        this.queues.takeOut(r);
        refuse(r);
      }
    });
    // Each answer calls it again.
    if (some) {
      yield* this.advance(now);
      return;
    }
    if (this.queues.requests > 0 || !this.joined) return;
    this.joined = false;
    yield* this.writeMembers(() => this.membership.planLeave());
    for (const peer of this.peers()) peer.inbox.push('');
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

  private forgetPods(): void {
    for (let i = 0; i < this.queues.eventCount; i++) {
      if (this.queues.eventKind(i) === POD_FORGOTTEN) this.forgetPod(this.queues.eventSubject(i));
    }
    this.queues.clearEvents();
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
    if (workers.promisedUntil !== Number.POSITIVE_INFINITY) this.promisedUntil.set(s, workers.promisedUntil);
    for (let i = 0; i < workers.wakeCount; i++) {
      this.peers()
        .find(({ membership }) => membership.me === workers.wake(i))
        ?.inbox.push(key);
    }
  }

  private *beat(now: number): Callback {
    const { membership, queues } = this;
    const wasActive = membership.active;
    this.joined = true;
    yield* this.beMember(false, now);
    if (!membership.alone && !queues.shared) {
      yield* this.publish(now);
      yield* this.beMember(false, now);
      for (const peer of this.peers()) if (peer !== this) peer.inbox.push('');
    } else if (membership.alone && queues.shared) {
      queues.shared = false;
      this.published = false;
      yield* this.beMember(true, now);
      this.services.forEach((_, s) => {
        queues.refresh(s);
      });
    }
    this.services.forEach((_, s) => {
      if (membership.changed) queues.sayAgain(s);
      else if (membership.active !== wasActive) queues.unshared(s);
    });
  }

  private *publish(now: number): Callback {
    const { queues } = this;
    yield* this.beMember(true, now);
    queues.shared = true;
    this.services.forEach((_, s) => {
      queues.refresh(s);
    });
    for (let s = queues.takeUnshared(); s !== NONE; s = queues.takeUnshared()) yield* this.share(s, now);
    this.published = true;
  }

  private *beMember(renew: boolean, now: number): Callback {
    yield* this.writeMembers(() => this.membership.plan(this.published, renew, now));
    this.membership.commit(now);
  }

  private *writeMembers(plan: () => void): Callback {
    for (;;) {
      const { cells, cas } = this.data.get(MEMBERS);
      this.readMembers(cells);
      plan();
      yield;
      if (this.data.set(MEMBERS, this.membersRecord(), cas)) return;
    }
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
