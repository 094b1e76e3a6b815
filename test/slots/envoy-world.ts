// One Envoy with several workers whose callbacks interleave at every read and write; pods that judge. Every step is decided by
// three numbers.

import { SILENT_MS } from '../../envoy/filter/membership.ts';
import { type Callback, SharedData, Vm, type Witness } from './vm.ts';
import { Broken, type Step } from './world.ts';

const SERVICES = ['work', 'other'];
const PODS: readonly (readonly [service: number, pod: string])[] = [
  [0, 'p'],
  [0, 'q'],
  [1, 'r'],
];
/** Where a request is that waits for a slot to be tried again. */
const NOWHERE = '';
const MOST_VMS = 6;
const PATIENT_MS = 25;
const BEAT_MS = 250;

const WEIGHTS = {
  go: 40,
  arrive: 14,
  end: 12,
  abort: 2,
  fail: 1,
  retry: 3,
  wake: 12,
  hear: 6,
  tick: 2,
  freeze: 1,
  thaw: 2,
  changeLimit: 1,
  removePod: 0.5,
  trap: 0.3,
  orphanEnds: 3,
  upgrade: 0.3,
  succeed: 0.5,
  replace: 1,
  startWorker: 0.5,
  calm: 0.5,
  goOn: 0.5,
  heal: 0.2,
} as const;
type What = keyof typeof WEIGHTS;
const ALWAYS: readonly What[] = ['go', 'arrive', 'end', 'wake', 'hear', 'tick', 'thaw', 'orphanEnds'];

/** A mixture of its own for each seed: some faults never happen in it, others often. */
export function envoyMixtureOf(random: () => number): readonly What[] {
  return (Object.keys(WEIGHTS) as What[]).flatMap((what) => {
    const factors = ALWAYS.includes(what) ? [0.5, 1, 2] : [0, 0, 0.3, 1, 3];
    const factor = factors[Math.floor(random() * factors.length)] ?? 1;
    return Array.from({ length: Math.round(WEIGHTS[what] * 4 * factor) }, () => what);
  });
}

interface Worker {
  readonly vm: Vm;
  /** The callback that it is in. */
  callback: Callback | undefined;
  frozen: boolean;
  /** Newer code gets the new requests. It is called when a request of its own ends, and for nothing else. */
  old: boolean;
  /** Newer code runs beside it, and is to take its place. */
  succeeded: boolean;
  started: boolean;
}

interface Request {
  readonly service: number;
  readonly worker: Worker;
  readonly place: number;
  readonly arrived: number;
  /** Slots of one pod that it takes. */
  readonly cost: number;
  pod: string | undefined;
  /** The pod where it waits for a slot to be tried again. */
  claims: string | undefined;
  /** Its client has left, or its pod is done, and the worker is hearing so. */
  ending: boolean;
}

export class EnvoyWorld implements Witness {
  readonly counts = new Map<string, number>();
  /** The most older requests of its service that waited, known to all, when a request started. */
  overtaken = 0;
  now = 0;
  private readonly data = new SharedData();
  private readonly mixture: readonly What[];
  private readonly pace: number;
  private workers: Worker[] = [];
  /** What each pod has to do for VMs that trapped: Envoy notices only when it answers. */
  private orphans: string[] = [];
  private trapped = 0;
  /** Whether requests take up to three slots. */
  private readonly costs: boolean;
  private readonly limits: Map<string, number>;
  private readonly bounds: Map<string, number>;
  private readonly running = new Map<string, number>();
  private readonly requests = new Set<Request>();

  /** A step takes up to twice `pace` milliseconds. */
  constructor(mixture: readonly What[], workers: number, { pace = 1, costs = false } = {}) {
    this.mixture = mixture;
    this.pace = pace;
    this.costs = costs;
    this.limits = new Map(PODS.map(([, pod]) => [pod, costs ? 3 : 1]));
    this.bounds = new Map(this.limits);
    for (let i = 0; i < workers; i++) this.addWorker();
  }

  /** All workers have started and heard of all pods. */
  begin(): void {
    this.quiet();
  }

  step([what, a, b]: Step): void {
    this.now += (b % 3) * this.pace;
    const name = this.mixture[what % this.mixture.length];
    if (name !== undefined) this[name](a, b);
    this.endOld();
    this.lowerBounds();
  }

  // ---- Workers ----

  private addWorker(): void {
    const vm = new Vm(SERVICES, this.data, () => this.workers.map((worker) => worker.vm), this, this.costs);
    for (const [service, pod] of PODS) vm.news.push({ service, pod, limit: this.limits.get(pod) });
    this.workers.push({ vm, callback: undefined, frozen: false, old: false, succeeded: false, started: false });
  }

  private startWorker(): void {
    if (this.workers.length < MOST_VMS) this.addWorker();
  }

  /** Newer code: a new VM in each worker beside the old ones, which are told that they are. */
  private upgrade(): void {
    const before = this.workers.filter(({ started, old }) => started && !old);
    if (before.length === 0 || before.some(({ callback, frozen }) => callback !== undefined || frozen)) return;
    for (const worker of before) {
      this.addWorker();
      this.retire(worker);
    }
    this.seen('upgrades');
  }

  /** The same in one worker, and for a while both hear of everything. */
  private succeed(a: number): void {
    const worker = pick(
      this.workers.filter(({ started, old, succeeded }) => started && !old && !succeeded),
      a,
    );
    if (worker === undefined || this.workers.length >= MOST_VMS) return;
    worker.succeeded = true;
    this.addWorker();
  }

  private replace(a: number): void {
    const worker = pick(
      this.idle().filter(({ succeeded, old }) => succeeded && !old),
      a,
    );
    if (worker === undefined) return;
    this.retire(worker);
    this.seen('replaced VMs');
  }

  private retire(worker: Worker): void {
    worker.old = true;
    this.run(worker, worker.vm.retire(this.now));
  }

  /** An old VM without requests ends. */
  private endOld(): void {
    this.workers = this.workers.filter((worker) => {
      const ends = worker.old && worker.callback === undefined && !this.isBusy(worker.vm);
      if (ends) this.seen('ended VMs');
      return !ends;
    });
  }

  private isBusy(vm: Vm): boolean {
    return [...this.requests].some(({ worker }) => worker.vm === vm);
  }

  /** A trap: the VM is gone and a new one starts. Pods go on with what it had sent them; who waited there hangs. */
  private trap(a: number): void {
    const worker = pick(
      this.workers.filter(({ old }) => !old),
      a,
    );
    if (worker === undefined) return;
    for (const request of this.requests) {
      if (request.worker !== worker) continue;
      if (request.pod !== undefined) for (let slot = 0; slot < request.cost; slot++) this.orphans.push(request.pod);
      this.requests.delete(request);
    }
    this.trapped++;
    this.workers = this.workers.filter((other) => other !== worker);
    this.addWorker();
    this.seen('traps');
  }

  private orphanEnds(a: number): void {
    if (this.orphans.length === 0) return;
    const [pod] = this.orphans.splice(a % this.orphans.length, 1);
    if (pod !== undefined) this.count(pod, -1);
  }

  private freeze(a: number): void {
    const worker = pick(this.workers, a);
    if (worker !== undefined) worker.frozen = true;
  }

  private thaw(a: number): void {
    const worker = pick(
      this.workers.filter(({ frozen }) => frozen),
      a,
    );
    if (worker !== undefined) worker.frozen = false;
  }

  private idle(): readonly Worker[] {
    return this.workers.filter(({ callback, frozen }) => callback === undefined && !frozen);
  }

  private run(worker: Worker, callback: Callback): void {
    if (worker.callback !== undefined) throw new Error('a callback within a callback');
    worker.callback = callback;
    this.resume(worker);
  }

  private resume(worker: Worker): void {
    if (worker.callback?.next().done === true) worker.callback = undefined;
  }

  private go(a: number): void {
    const worker = pick(
      this.workers.filter(({ callback, frozen }) => callback !== undefined && !frozen),
      a,
    );
    if (worker !== undefined) this.resume(worker);
  }

  // ---- Callbacks ----

  private arrive(a: number, b: number): void {
    const worker = pick(
      this.idle().filter(({ old, started }) => !old && started),
      a,
    );
    if (worker === undefined) return;
    const service = b % 4 === 0 ? 1 : 0;
    const cost = this.costs ? 1 + ([0, 0, 0, 1, 2][(b >> 2) % 5] ?? 0) : 1;
    const add = (place: number) => {
      this.requests.add({
        service,
        worker,
        place,
        arrived: this.now,
        cost,
        pod: undefined,
        claims: undefined,
        ending: false,
      });
    };
    this.run(worker, worker.vm.arrive(service, cost, this.now, add));
  }

  private end(a: number): void {
    const request = this.pickRequest(a, true);
    if (request !== undefined) this.endRequest(request);
  }

  private endRequest(request: Request): void {
    this.free(request);
    this.run(request.worker, request.worker.vm.end(request.place, this.now));
  }

  private abort(a: number): void {
    const request = this.pickRequest(a, false);
    if (request === undefined) return;
    this.free(request);
    this.run(request.worker, request.worker.vm.abort(request.place, this.now));
  }

  private fail(a: number): void {
    const request = this.pickRequest(a, true);
    if (request === undefined) return;
    this.free(request);
    this.run(request.worker, request.worker.vm.fail(request.place, this.now));
    this.seen('ejections');
  }

  /** A connection failed, so the first pod does not have it: Envoy tries another one that it has, where there may be no slot. */
  private retry(a: number, b: number): void {
    const request = this.pickRequest(a, true);
    const pod = PODS[b % PODS.length];
    // What one takes where it was not sent to depends on what is there.
    if (request === undefined || request.cost > 1 || pod === undefined || pod[0] !== request.service) return;
    if (pod[1] === request.pod) return;
    if (!request.worker.vm.knows(...pod)) this.seen('retries at pods that are not known');
    this.count(request.pod ?? '', -1);
    request.pod = NOWHERE;
    request.claims = undefined;
    const { worker, place } = request;
    this.run(worker, worker.vm.retry(place, pod[1], this.now));
    if (request.pod === NOWHERE && worker.vm.queues.isClaiming(place)) request.claims = pod[1];
    this.seen('retries');
  }

  private wake(a: number): void {
    const worker = pick(
      this.idle().filter(({ vm, old }) => vm.inbox.length > 0 && !old),
      a,
    );
    if (worker !== undefined) this.run(worker, worker.vm.wake(this.now));
  }

  private hear(a: number): void {
    const worker = pick(
      this.idle().filter(({ vm, started, old }) => vm.news.length > 0 && started && !old),
      a,
    );
    if (worker !== undefined) this.run(worker, worker.vm.hear(this.now));
  }

  private tick(a: number): void {
    const worker = pick(
      this.idle().filter(({ old }) => !old),
      a,
    );
    if (worker !== undefined) this.tickOf(worker);
  }

  private tickOf(worker: Worker): void {
    worker.started = true;
    this.run(worker, worker.vm.tick(this.now));
  }

  private pickRequest(a: number, working: boolean): Request | undefined {
    const idle = this.idle();
    return pick(
      [...this.requests].filter(
        ({ pod, worker, ending }) => !ending && idle.includes(worker) && (pod !== undefined) === working,
      ),
      a,
    );
  }

  private free(request: Request): void {
    request.ending = true;
    this.requests.delete(request);
    if (request.pod !== undefined) this.count(request.pod, -request.cost);
  }

  // ---- What the workers do ----

  started(vm: Vm, service: number, place: number, pod: string): void {
    const request = [...this.requests].find(
      (it) => it.worker.vm === vm && it.place === place && it.service === service,
    );
    if (request === undefined || request.pod !== undefined) throw new Broken('a request starts that does not wait');
    request.pod = pod;
    this.seen('starts');
    // One that was replaced, and is alone, has not heard of what changed since.
    if ((vm.workers.retired && vm.membership.alone) || this.isRemovedUnheard(pod)) this.count(pod, request.cost);
    else this.countStart(pod, request.cost);
    if (request.cost > 1) this.seen('large starts');
    this.overtake(request);
  }

  private overtake(request: Request): void {
    const older = [...this.requests].filter(
      (other) =>
        other.service === request.service &&
        other.pod === undefined &&
        other.arrived < request.arrived &&
        !other.worker.old &&
        other.worker.callback === undefined &&
        other.worker.vm.inbox.length === 0,
    );
    this.overtaken = Math.max(this.overtaken, older.length);
  }

  moved(vm: Vm, place: number, pod: string): void {
    const request = [...this.requests].find((it) => it.worker.vm === vm && it.place === place);
    if (request === undefined) return;
    request.pod = pod;
    request.claims = undefined;
    if (this.isRemovedUnheard(pod)) this.count(pod, 1);
    else this.countStart(pod);
  }

  /**
   * The pod was removed, and one that was replaced is never told. Those that came after it may not know the pod at all, so nobody says that
   * it has no slots any more.
   */
  private isRemovedUnheard(pod: string): boolean {
    const isUnheard = ({ vm }: Worker) =>
      vm.workers.retired && vm.news.some((news) => news.pod === pod && news.limit === undefined);
    return !this.limits.has(pod) && this.workers.some(isUnheard);
  }

  refused(vm: Vm, place: number): void {
    for (const it of this.requests) if (it.worker.vm === vm && it.place === place) this.requests.delete(it);
    this.seen('refused');
  }

  private countStart(pod: string, slots = 1): void {
    this.count(pod, slots);
    const running = this.running.get(pod) ?? 0;
    const bound = this.bounds.get(pod) ?? 0;
    if (running > bound) throw new Broken(`over the limit: ${running} on ${pod}, limit ${bound}`);
  }

  private count(pod: string, by: number): void {
    this.running.set(pod, (this.running.get(pod) ?? 0) + by);
  }

  // ---- Limits ----

  private changeLimit(a: number, b: number): void {
    this.tell(a, (b >> 3) % 4);
  }

  private removePod(a: number): void {
    this.tell(a, undefined);
  }

  private tell(a: number, limit: number | undefined): void {
    const chosen = pick(PODS, a);
    if (chosen === undefined) return;
    const [service, pod] = chosen;
    if (limit === undefined) this.limits.delete(pod);
    else this.limits.set(pod, limit);
    this.bounds.set(pod, Math.max(this.bounds.get(pod) ?? 0, limit ?? 0));
    for (const { vm } of this.workers) vm.news.push({ service, pod, limit });
    this.seen('changed limits');
  }

  /** A lowered limit holds once all workers have heard of it and no more is running. */
  private lowerBounds(): void {
    for (const [, pod] of PODS) {
      const limit = this.limits.get(pod) ?? 0;
      if ((this.bounds.get(pod) ?? 0) <= limit || (this.running.get(pod) ?? 0) > limit) continue;
      const all = this.workers.every(
        ({ vm, callback, old }) => (vm.news.length === 0 || old) && callback === undefined,
      );
      if (all) this.bounds.set(pod, limit);
    }
  }

  // ---- What must hold ----

  /** Everybody runs, everything is delivered, what was lost is proven. Then no slot is idle beside a waiting request. */
  private heal(): void {
    for (const worker of this.workers) worker.frozen = false;
    while (this.orphans.length > 0) this.orphanEnds(0);
    this.quiet();
    if (this.trapped > 0) {
      this.pass(SILENT_MS + BEAT_MS);
      this.quiet();
      this.judgeBesideDead();
      for (const { vm } of this.workers) vm.membership.reclaimAfter = SILENT_MS;
      this.pass(4 * BEAT_MS);
      for (const { vm } of this.workers) vm.membership.reclaimAfter = 0;
      this.trapped = 0;
    }
    this.quiet();
    this.lowerBounds();
    this.judge();
  }

  /** Nothing moves any more, except those that stand still. */
  private quiet(): void {
    // Some rounds of ticks: slots that nobody came for, ejected pods that return, members that were silent.
    for (let round = 0; round < 8; round++) {
      this.deliver();
      this.now += round < 4 ? PATIENT_MS : BEAT_MS;
      this.tickAll();
    }
  }

  private tickAll(): void {
    for (const worker of this.living()) {
      this.tickOf(worker);
      this.deliver();
    }
  }

  private living(): readonly Worker[] {
    return this.workers.filter(({ frozen, old }) => !frozen && !old);
  }

  /** So much time passes, with ticks in it. */
  private pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += BEAT_MS) {
      this.now += BEAT_MS;
      this.tickAll();
    }
  }

  private deliver(): void {
    for (let n = 0; n < 10_000; n++) {
      this.endOld();
      const worker = this.workers.find(
        ({ callback, vm, started, frozen, old }) =>
          !frozen && (callback !== undefined || (!old && (vm.inbox.length > 0 || (vm.news.length > 0 && started)))),
      );
      if (worker === undefined) return;
      if (worker.callback !== undefined) this.resume(worker);
      else if (worker.vm.inbox.length > 0) this.run(worker, worker.vm.wake(this.now));
      else this.run(worker, worker.vm.hear(this.now));
      this.now += n % 50 === 0 ? 1 : 0;
    }
    throw new Broken('they never stop talking');
  }

  /** Some stand still, for as long as it takes to see it. Beside them the others go on: nobody waits beside a free slot. */
  private goOn(a: number): void {
    this.freeze(a);
    const stand = this.workers.filter(({ frozen }) => frozen);
    // What one is doing right now, has heard of late, or uses without sharing is not known, nor what a dead one did.
    const isKnown = stand.every(
      ({ callback, vm }) => callback === undefined && vm.queues.shared && vm.news.length === 0,
    );
    if (stand.length === 0 || !isKnown || this.trapped > 0) return;
    this.deliver();
    this.quiet();
    this.lowerBounds();
    this.judge();
    this.seen('went on beside others that stand still');
  }

  /** All that was said is delivered, and no time passes: nobody waits beside a free slot, without a tick that would look again. */
  private calm(): void {
    const all = this.living();
    const isShared =
      all.length === this.workers.length && all.every(({ vm, started }) => started && vm.membership.active);
    if (!isShared || this.trapped > 0) return;
    this.deliver();
    this.lowerBounds();
    if (all.every(({ vm }) => vm.membership.active)) this.judge();
    this.seen('calm moments');
  }

  private judge(): void {
    const living = this.living();
    for (const [service, pod] of PODS) {
      if (living.some(({ vm }) => vm.isEjected(service, pod))) continue;
      const of = [...this.requests].filter((it) => it.service === service && living.includes(it.worker));
      const waiting = of.filter((it) => it.pod === undefined).length;
      const claims = of.filter((it) => it.claims === pod).length;
      const free = this.freeOf(service, pod);
      if (free > 0 && waiting > 0 && !this.costs)
        throw new Broken(`${waiting} wait while ${free} slots of ${pod} are free`);
      // For a large one of a worker that stands still slots may be kept.
      const first = this.costs && living.length < this.workers.length ? [] : this.firstWaiting(service, living);
      if (first.length > 0 && first.every(({ cost }) => cost <= free))
        throw new Broken(`the first of all waits while ${free} slots of ${pod} are free`);
      if (free > 0 && claims > 0) throw new Broken(`${claims} claim ${pod}, which is free`);
    }
  }

  /** Those of which none came before another, and before all others; more than one only where that is not known. */
  private firstWaiting(service: number, living: readonly Worker[]): readonly Request[] {
    const waiting = [...this.requests].filter(
      (it) =>
        it.service === service && it.pod === undefined && living.includes(it.worker) && it.cost <= this.most(service),
    );
    const arrived = Math.min(...waiting.map((it) => it.arrived));
    return waiting.filter((it) => it.arrived === arrived);
  }

  /** The highest limit of a pod. */
  private most(service: number): number {
    return Math.max(...PODS.filter(([of]) => of === service).map(([, pod]) => this.limits.get(pod) ?? 0));
  }

  /** Slots of a pod that those who wait may have. */
  private freeOf(service: number, pod: string): number {
    const limit = this.limits.get(pod) ?? 0;
    // After an ejection one request goes first.
    const isTrying = this.workers.some(({ vm, old }) => !old && vm.isTrying(service, pod));
    return (isTrying ? Math.min(limit, 1) : limit) - (this.running.get(pod) ?? 0);
  }

  /** Before the death of a VM is proven only what it used is missing. */
  private judgeBesideDead(): void {
    SERVICES.forEach((name, service) => {
      const living = this.living();
      const waiting = [...this.requests].filter(
        (it) => it.service === service && it.pod === undefined && living.includes(it.worker),
      ).length;
      if (this.costs) return;
      const free = PODS.filter(([of]) => of === service).reduce(
        (sum, [, pod]) => sum + Math.max(0, this.freeOf(service, pod)),
        0,
      );
      const missing = Math.max(...this.workers.map(({ vm }) => vm.missing.get(service) ?? 0));
      if (waiting > 0 && free > missing)
        throw new Broken(`${waiting} of ${name} wait, ${free} slots are free, ${missing} missing`);
    });
  }

  /** Ends with everything repaired, and everybody served. */
  finish(): void {
    this.heal();
    for (;;) {
      const request = [...this.requests].find(({ pod }) => pod !== undefined);
      if (request === undefined) break;
      this.endRequest(request);
      this.deliver();
      this.lowerBounds();
      this.judge();
    }
    SERVICES.forEach((_, service) => {
      const most = this.most(service);
      const waiting = [...this.requests].filter((it) => it.service === service && it.cost <= most).length;
      if (waiting > 0) throw new Broken(`${waiting} wait for ever`);
    });
  }

  private seen(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

function pick<T>(all: readonly T[], a: number): T | undefined {
  return all[a % all.length];
}
