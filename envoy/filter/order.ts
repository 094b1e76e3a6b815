// Who goes next: the order of every queue, and nothing else.
//
// Those that wait for a service stand in its classes, the highest first; in a class the one that came first goes first, or with
// tenants the one of the tenant whose turn it is. Who has waited for as long as its class allows goes as one of the highest class.
//
// Turns are virtual time: each start moves a tenant on by the cost of the request, divided by the tenant's weight, and the tenant
// that is least far on is next. Who comes back after a pause begins where the others are. Tenants with requests that may start
// are in a pairing heap for each class, so ten thousand of them cost hardly more than ten.
//
// Pure, as queue.ts, which alone calls it: services and requests are its numbers. Compiles with tsc and asc.
import { Floats, Ints } from './columns.ts';

const NONE: i32 = -1;

/** A service has at most so many classes. */
export const CLASSES: i32 = 8;

/** What a class below the highest adds to the key of a request: more than any clock says in milliseconds. */
const CLASS_KEY: f64 = 1e13;
/** What it takes from the key of one that has waited long enough, where tenants take turns: it goes before all turns. */
const AGED_KEY: f64 = 1e12;

export class Order {
  /** Tenants that are known at a time, over all services. */
  tenantsMax: i32 = 20000;
  /** Since the last growth there is memory that nobody uses any more. */
  grown: bool = false;

  // Services.
  private classCount: Ints = new Ints();
  private isFair: Ints = new Ints();
  private tenantWaitingMax: Ints = new Ints();
  private tenantSlotsMax: Ints = new Ints();
  private tenantHeads: Ints = new Ints();

  // The classes of services: class c of service s is s * CLASSES + c.
  private maxWaits: Floats = new Floats();
  private heads: Ints = new Ints();
  private tails: Ints = new Ints();
  private counts: Ints = new Ints();
  private starts: Floats = new Floats();
  private waitSums: Floats = new Floats();
  private virtual: Floats = new Floats();
  private roots: Ints = new Ints();

  // Requests that wait: in their class in the order in which they came, and so in the flow of their tenant. What only tenants or
  // costs need has no room until a service asks for it; 0 is then a request of no tenant, for one slot.
  private requestRoom: i32 = 0;
  private hasTenants: bool = false;
  private hasCosts: bool = false;
  private next: Ints = new Ints();
  private prev: Ints = new Ints();
  private cames: Floats = new Floats();
  private classes: Ints = new Ints();
  private costs: Ints = new Ints();
  private tenants: Ints = new Ints();
  private flows: Ints = new Ints();
  // Of a service one may be set aside: it is next, and waits for its pod.
  private asides: Ints = new Ints();
  private flowNext: Ints = new Ints();
  private flowPrev: Ints = new Ints();

  // Tenants. Those with nothing at all are in the list of the idle, the longest idle first.
  private tenantRoom: i32 = 0;
  private tenantEnd: i32 = 0;
  private tenantService: Ints = new Ints();
  private tenantNext: Ints = new Ints();
  private tenantPrev: Ints = new Ints();
  private tenantFlows: Ints = new Ints();
  private tenantWaiting: Ints = new Ints();
  private tenantInUse: Ints = new Ints();
  private tenantWeights: Floats = new Floats();
  private tenantKept: Ints = new Ints();
  private isIdle: Ints = new Ints();
  private idleNext: Ints = new Ints();
  private idlePrev: Ints = new Ints();
  private idleHead: i32 = NONE;
  private idleTail: i32 = NONE;

  // Flows: the requests of a tenant in a class.
  private flowRoom: i32 = 0;
  private flowEnd: i32 = 0;
  private flowFree: i32 = NONE;
  private flowTenant: Ints = new Ints();
  private flowClass: Ints = new Ints();
  private flowSibling: Ints = new Ints();
  private flowHeads: Ints = new Ints();
  private flowTails: Ints = new Ints();
  private flowTimes: Floats = new Floats();
  // The heap of a class.
  private isInHeap: Ints = new Ints();
  private heapChild: Ints = new Ints();
  private heapNext: Ints = new Ints();
  private heapPrev: Ints = new Ints();
  private heapTurns: Floats = new Floats();
  private turns: f64 = 0;

  // ---- Services ----

  /** A service in which nobody waits: one class, no tenants. */
  reset(s: i32): void {
    this.classCount.set(s, 1);
    // Tenants of a service that had this number before stay known: they have nothing.
    this.setFair(s, false, 0, 0);
    for (let c = 0; c < CLASSES; c++) {
      const q = s * CLASSES + c;
      this.maxWaits.set(q, 0);
      this.heads.set(q, NONE);
      this.tails.set(q, NONE);
      this.counts.set(q, 0);
      this.starts.set(q, 0);
      this.waitSums.set(q, 0);
      this.roots.set(q, NONE);
    }
  }

  /** From now on there are so many classes, 0 the highest. Those that wait stay in the class that they have. */
  setClasses(s: i32, count: i32): void {
    let used = count < 1 ? 1 : count > CLASSES ? CLASSES : count;
    for (let c = used; c < CLASSES; c++) if (this.counts.get(s * CLASSES + c) > 0) used = c + 1;
    this.classCount.set(s, used);
  }

  /** So long a request of a class waits before it goes as one of the highest. 0: for ever. */
  setMaxWait(s: i32, c: i32, wait: f64): void {
    this.maxWaits.set(s * CLASSES + c, wait);
  }

  /** Tenants take turns, or not; so many requests of each may wait, and have slots (0: any number). */
  setFair(s: i32, fair: bool, waitingMax: i32, slotsMax: i32): void {
    if (fair && !this.hasTenants) {
      this.hasTenants = true;
      this.growTenantColumns();
    }
    this.isFair.set(s, fair ? 1 : 0);
    this.tenantWaitingMax.set(s, waitingMax);
    this.tenantSlotsMax.set(s, slotsMax);
    let t = this.tenantHeads.get(s) - 1;
    while (t !== NONE) {
      this.tenantWeights.set(t, 1);
      if (this.tenantKept.get(t) !== 0) {
        this.tenantKept.set(t, 0);
        this.idleIfEmpty(t);
      }
      this.placeAll(t);
      t = this.tenantNext.get(t);
    }
  }

  fair(s: i32): bool {
    return this.isFair.get(s) !== 0;
  }

  /** From now on requests may cost more than one slot. */
  allowCosts(): void {
    if (this.hasCosts) return;
    this.hasCosts = true;
    this.growCostColumns();
  }

  /** Whether some may have to wait beside free slots. */
  isBounded(s: i32): bool {
    return this.tenantSlotsMax.get(s) > 0;
  }

  /** Classes of a service, also those that only some that wait still have. */
  classesOf(s: i32): i32 {
    return this.classCount.get(s);
  }

  waitingIn(s: i32, c: i32): i32 {
    return this.counts.get(s * CLASSES + c);
  }

  /** How many of a class got a slot, and how long they had waited in all. */
  startsIn(s: i32, c: i32): f64 {
    return this.starts.get(s * CLASSES + c);
  }

  waitSumIn(s: i32, c: i32): f64 {
    return this.waitSums.get(s * CLASSES + c);
  }

  // ---- Requests ----

  /** What a request is that comes now, whether it will wait or not. */
  describe(r: i32, c: i32, tenant: i32, cost: i32, now: f64): void {
    this.classes.set(r, c);
    if (this.hasTenants) {
      this.tenants.set(r, tenant + 1);
      this.flows.set(r, 0);
    }
    if (this.hasCosts) {
      this.costs.set(r, cost - 1);
      this.asides.set(r, 0);
    }
    this.cames.set(r, now);
  }

  came(r: i32): f64 {
    return this.cames.get(r);
  }

  classOf(r: i32): i32 {
    return this.classes.get(r);
  }

  tenantOf(r: i32): i32 {
    return this.hasTenants ? this.tenants.get(r) - 1 : NONE;
  }

  private flowOfRequest(r: i32): i32 {
    return this.hasTenants ? this.flows.get(r) - 1 : NONE;
  }

  private isAside(r: i32): bool {
    return this.hasCosts && this.asides.get(r) !== 0;
  }

  costOf(r: i32): i32 {
    return this.hasCosts ? this.costs.get(r) + 1 : 1;
  }

  /** It waits from now on, behind those of its class. */
  join(r: i32, s: i32): void {
    const q = s * CLASSES + this.classes.get(r);
    const last = this.tails.get(q);
    this.prev.set(r, last);
    this.next.set(r, NONE);
    if (last === NONE) this.heads.set(q, r);
    else this.next.set(last, r);
    this.tails.set(q, r);
    this.counts.add(q, 1);
    if (this.tenantOf(r) !== NONE) this.joinFlow(r);
  }

  /** It waits from now on, at the place in its class that its age gives it; behind `before`, which is older and near, or NONE. */
  joinByAge(r: i32, s: i32, before: i32): void {
    const q = s * CLASSES + this.classes.get(r);
    let last = before;
    let next = last === NONE ? this.heads.get(q) : this.next.get(last);
    while (next !== NONE && this.cames.get(next) <= this.cames.get(r)) {
      last = next;
      next = this.next.get(last);
    }
    this.prev.set(r, last);
    this.next.set(r, next);
    if (last === NONE) this.heads.set(q, r);
    else this.next.set(last, r);
    if (next === NONE) this.tails.set(q, r);
    else this.prev.set(next, r);
    this.counts.add(q, 1);
    if (this.tenantOf(r) !== NONE) this.joinFlow(r);
  }

  /** It waits no more. */
  leave(r: i32, s: i32): void {
    const q = s * CLASSES + this.classes.get(r);
    const before = this.prev.get(r);
    const after = this.next.get(r);
    if (before === NONE) this.heads.set(q, after);
    else this.next.set(before, after);
    if (after === NONE) this.tails.set(q, before);
    else this.prev.set(after, before);
    this.counts.add(q, -1);
    if (this.isAside(r)) {
      this.asides.set(r, 0);
      if (this.flowOfRequest(r) !== NONE) {
        this.use(this.tenantOf(r), -this.costOf(r));
        this.leaveTenant(r);
      }
    } else if (this.flowOfRequest(r) !== NONE) this.leaveFlow(r);
  }

  /** It is next, and waits for its pod: others may go before it. Its tenant has its slots as if it had begun. */
  setAside(r: i32): void {
    this.asides.set(r, 1);
    if (this.flowOfRequest(r) === NONE) return;
    this.takeFromFlow(r);
    this.use(this.tenantOf(r), this.costOf(r));
  }

  /** A tenant has so many slots more, or less. */
  private use(t: i32, slots: i32): void {
    this.tenantInUse.add(t, slots);
    if (this.isBounded(this.tenantService.get(t))) this.placeAll(t);
  }

  /** It is one of the others again. */
  putBack(r: i32): void {
    this.asides.set(r, 0);
    const flow = this.flowOfRequest(r);
    if (flow === NONE) return;
    const first = this.flowHeads.get(flow);
    this.flowPrev.set(r, NONE);
    this.flowNext.set(r, first);
    if (first === NONE) this.flowTails.set(flow, r);
    else this.flowPrev.set(first, r);
    this.flowHeads.set(flow, r);
    this.use(this.tenantOf(r), -this.costOf(r));
    this.place(flow);
  }

  /** It has got a slot, or `cost` of them, after it has left the queue (or was never in it). */
  begin(r: i32, s: i32, wait: f64): void {
    const q = s * CLASSES + this.classes.get(r);
    this.starts.add(q, 1);
    this.waitSums.add(q, wait);
    const t = this.tenantOf(r);
    if (t !== NONE) this.charge(r, t, q);
  }

  /** It has no slot any more. */
  end(r: i32): void {
    const t = this.tenantOf(r);
    if (t === NONE) return;
    this.tenants.set(r, 0);
    this.use(t, -this.costOf(r));
    this.idleIfEmpty(t);
  }

  // ---- Who is next ----

  /** Who goes next; NONE: nobody may. */
  first(s: i32, now: f64): i32 {
    const classes = this.classCount.get(s);
    let best: i32 = NONE;
    let aged: i32 = NONE;
    for (let c: i32 = 0; c < classes; c++) {
      const q = s * CLASSES + c;
      if (this.counts.get(q) === 0) continue;
      if (best === NONE) best = this.nextIn(s, q);
      const oldest = this.oldestIn(q);
      if (oldest === NONE || !this.isAged(oldest, q, now) || this.isBound(oldest)) continue;
      if (aged === NONE || this.cames.get(oldest) < this.cames.get(aged)) aged = oldest;
    }
    if (aged === NONE || best === NONE) return best === NONE ? aged : best;
    return this.classes.get(best) === 0 && this.cames.get(best) <= this.cames.get(aged) ? best : aged;
  }

  private nextIn(s: i32, q: i32): i32 {
    const oldest = this.oldestIn(q);
    // Those that came before there were tenants go first.
    if (oldest === NONE) return NONE;
    if (this.isFair.get(s) === 0 || this.flowOfRequest(oldest) === NONE) return oldest;
    const flow = this.roots.get(q);
    return flow === NONE ? NONE : this.flowHeads.get(flow);
  }

  /** Who came first, but for the one that is set aside. */
  private oldestIn(q: i32): i32 {
    const oldest = this.heads.get(q);
    return oldest !== NONE && this.isAside(oldest) ? this.next.get(oldest) : oldest;
  }

  /** The class as which a request goes: the highest, if it has waited long enough. */
  rankOf(r: i32, s: i32, now: f64): i32 {
    const c = this.classes.get(r);
    return this.isAged(r, s * CLASSES + c, now) ? 0 : c;
  }

  private isAged(r: i32, q: i32, now: f64): bool {
    const most = this.maxWaits.get(q);
    return most > 0 && now - this.cames.get(r) >= most;
  }

  /**
   * The order of requests of different queues of a service: the smallest key goes first. The highest class, and who has waited
   * for as long as its class allows, has when it came; the others that, far behind. Where tenants take turns, it is how far on its tenant is in
   * this queue, on a clock that the queues share: `turnsOf` of each is told to the others.
   */
  keyOf(r: i32, s: i32, now: f64): f64 {
    const flow = this.isFair.get(s) === 0 ? NONE : this.flowOfRequest(r);
    if (flow !== NONE) {
      const c = this.classes.get(r);
      if (this.isAged(r, s * CLASSES + c, now)) return this.cames.get(r) - AGED_KEY;
      return (c as f64) * CLASS_KEY + this.flowTimes.get(flow);
    }
    return (this.rankOf(r, s, now) as f64) * CLASS_KEY + this.cames.get(r);
  }

  /** How far on the tenants of a class are: who comes after a pause begins there. */
  turnsOf(s: i32, c: i32): f64 {
    return this.virtual.get(s * CLASSES + c);
  }

  /** At another queue of the service they are so far on. Who came meanwhile, and did not know that, begins there as well. */
  hearTurns(s: i32, c: i32, turns: f64): void {
    const q = s * CLASSES + c;
    if (turns <= this.virtual.get(q)) return;
    this.virtual.set(q, turns);
    for (let flow = this.roots.get(q); flow !== NONE && this.flowTimes.get(flow) < turns; flow = this.roots.get(q)) {
      this.takeFromHeap(q, flow);
      this.flowTimes.set(flow, turns);
      this.addToHeap(q, flow);
    }
  }

  /** Who has waited longest; NONE: nobody waits. */
  oldest(s: i32): i32 {
    let oldest: i32 = NONE;
    for (let c: i32 = 0; c < this.classCount.get(s); c++) {
      const r = this.heads.get(s * CLASSES + c);
      if (r !== NONE && (oldest === NONE || this.cames.get(r) < this.cames.get(oldest))) oldest = r;
    }
    return oldest;
  }

  /** Who stands last, in the lowest class in which somebody waits; NONE: nobody waits. */
  newest(s: i32): i32 {
    let newest: i32 = NONE;
    for (let c: i32 = 0; c < this.classCount.get(s); c++) {
      const r = this.tails.get(s * CLASSES + c);
      if (r !== NONE) newest = r;
    }
    return newest;
  }

  /** All that wait, one class after the other, in each in the order in which they came: the first. */
  head(s: i32): i32 {
    return this.headFrom(s, 0);
  }

  /** The one after it. */
  after(r: i32, s: i32): i32 {
    const next = this.next.get(r);
    return next === NONE ? this.headFrom(s, this.classes.get(r) + 1) : next;
  }

  private headFrom(s: i32, from: i32): i32 {
    for (let c = from; c < this.classCount.get(s); c++) {
      if (this.counts.get(s * CLASSES + c) > 0) return this.heads.get(s * CLASSES + c);
    }
    return NONE;
  }

  // ---- Tenants ----

  /** A tenant of a service. Where there are too many the number of one with nothing, the longest idle; NONE: all have something. */
  addTenant(s: i32): i32 {
    let t: i32 = NONE;
    if (this.tenantEnd < this.tenantsMax) {
      t = this.tenantEnd++;
      if (t >= this.tenantRoom) this.growTenants();
    } else {
      t = this.idleHead;
      if (t === NONE) return NONE;
      this.takeFromIdle(t);
      this.forgetTenant(t);
    }
    this.tenantService.set(t, s);
    this.tenantFlows.set(t, NONE);
    this.tenantWaiting.set(t, 0);
    this.tenantInUse.set(t, 0);
    this.tenantWeights.set(t, 1);
    this.tenantKept.set(t, 0);
    const head = this.tenantHeads.get(s) - 1;
    this.tenantPrev.set(t, NONE);
    this.tenantNext.set(t, head);
    if (head !== NONE) this.tenantPrev.set(head, t);
    this.tenantHeads.set(s, t + 1);
    this.idleIfEmpty(t);
    return t;
  }

  /** Its share among those that have something to do. It is kept, idle or not, until `setFair`. */
  setWeight(t: i32, weight: f64): void {
    this.tenantWeights.set(t, weight);
    this.tenantKept.set(t, 1);
    this.busy(t);
  }

  /** Whether one more of its requests may wait. */
  mayWait(t: i32): bool {
    const most = this.tenantWaitingMax.get(this.tenantService.get(t));
    return most === 0 || this.tenantWaiting.get(t) < most;
  }

  /** Whether those that wait may, the newest of them as well. */
  mayStay(t: i32): bool {
    const most = this.tenantWaitingMax.get(this.tenantService.get(t));
    return most === 0 || this.tenantWaiting.get(t) <= most;
  }

  /** Whether a request of this cost of it may start, as far as the tenant is concerned. */
  mayStart(t: i32, cost: i32): bool {
    const most = this.tenantSlotsMax.get(this.tenantService.get(t));
    const inUse = this.tenantInUse.get(t);
    // One that costs more than a tenant may have goes alone.
    return most === 0 || inUse === 0 || inUse + cost <= most;
  }

  private isBound(r: i32): bool {
    const t = this.tenantOf(r);
    return t !== NONE && !this.mayStart(t, this.costOf(r));
  }

  /** Any tenant of a service, with `tenantAfter` all that are known. */
  anyTenant(s: i32): i32 {
    return this.tenantHeads.get(s) - 1;
  }

  tenantAfter(t: i32): i32 {
    return this.tenantNext.get(t);
  }

  waitingOf(t: i32): i32 {
    return this.tenantWaiting.get(t);
  }

  /** Slots that its requests have. */
  inUseOf(t: i32): i32 {
    return this.tenantInUse.get(t);
  }

  private forgetTenant(t: i32): void {
    const s = this.tenantService.get(t);
    const before = this.tenantPrev.get(t);
    const after = this.tenantNext.get(t);
    if (before === NONE) this.tenantHeads.set(s, after + 1);
    else this.tenantNext.set(before, after);
    if (after !== NONE) this.tenantPrev.set(after, before);
    let flow = this.tenantFlows.get(t);
    while (flow !== NONE) {
      const sibling = this.flowSibling.get(flow);
      this.flowSibling.set(flow, this.flowFree);
      this.flowFree = flow;
      flow = sibling;
    }
  }

  private busy(t: i32): void {
    if (this.isIdle.get(t) !== 0) this.takeFromIdle(t);
  }

  private idleIfEmpty(t: i32): void {
    if (this.isIdle.get(t) + this.tenantKept.get(t) + this.tenantWaiting.get(t) + this.tenantInUse.get(t) > 0) return;
    this.isIdle.set(t, 1);
    this.idleNext.set(t, NONE);
    this.idlePrev.set(t, this.idleTail);
    if (this.idleTail === NONE) this.idleHead = t;
    else this.idleNext.set(this.idleTail, t);
    this.idleTail = t;
  }

  private takeFromIdle(t: i32): void {
    const before = this.idlePrev.get(t);
    const after = this.idleNext.get(t);
    if (before === NONE) this.idleHead = after;
    else this.idleNext.set(before, after);
    if (after === NONE) this.idleTail = before;
    else this.idlePrev.set(after, before);
    this.isIdle.set(t, 0);
  }

  // ---- Flows ----

  private flowOf(t: i32, c: i32): i32 {
    for (let flow = this.tenantFlows.get(t); flow !== NONE; flow = this.flowSibling.get(flow)) {
      if (this.flowClass.get(flow) === c) return flow;
    }
    let flow = this.flowFree;
    if (flow !== NONE) {
      this.flowFree = this.flowSibling.get(flow);
    } else {
      flow = this.flowEnd++;
      if (flow >= this.flowRoom) this.growFlows();
    }
    this.flowTenant.set(flow, t);
    this.flowClass.set(flow, c);
    this.flowHeads.set(flow, NONE);
    this.flowTails.set(flow, NONE);
    this.flowTimes.set(flow, 0);
    this.isInHeap.set(flow, 0);
    this.flowSibling.set(flow, this.tenantFlows.get(t));
    this.tenantFlows.set(t, flow);
    return flow;
  }

  private joinFlow(r: i32): void {
    const t = this.tenantOf(r);
    const flow = this.flowOf(t, this.classes.get(r));
    this.busy(t);
    this.tenantWaiting.add(t, 1);
    this.flows.set(r, flow + 1);
    // Mostly the last one.
    let last = this.flowTails.get(flow);
    while (last !== NONE && this.cames.get(last) > this.cames.get(r)) last = this.flowPrev.get(last);
    const next = last === NONE ? this.flowHeads.get(flow) : this.flowNext.get(last);
    this.flowPrev.set(r, last);
    this.flowNext.set(r, next);
    if (next === NONE) this.flowTails.set(flow, r);
    else this.flowPrev.set(next, r);
    if (last !== NONE) {
      this.flowNext.set(last, r);
      return;
    }
    this.flowHeads.set(flow, r);
    this.place(flow);
  }

  private leaveFlow(r: i32): void {
    this.takeFromFlow(r);
    this.leaveTenant(r);
  }

  private leaveTenant(r: i32): void {
    const t = this.tenantOf(r);
    this.flows.set(r, 0);
    this.tenantWaiting.add(t, -1);
    this.idleIfEmpty(t);
  }

  private takeFromFlow(r: i32): void {
    const flow = this.flowOfRequest(r);
    const before = this.flowPrev.get(r);
    const after = this.flowNext.get(r);
    if (after === NONE) this.flowTails.set(flow, before);
    else this.flowPrev.set(after, before);
    if (before === NONE) this.flowHeads.set(flow, after);
    else this.flowNext.set(before, after);
    if (before === NONE) this.place(flow);
  }

  private charge(r: i32, t: i32, q: i32): void {
    const flow = this.flowOf(t, this.classes.get(r));
    this.busy(t);
    if (this.isInHeap.get(flow) === 0) this.catchUp(flow, q);
    const time = this.flowTimes.get(flow);
    this.flowTimes.set(flow, time + (this.costOf(r) as f64) / this.tenantWeights.get(t));
    this.tenantInUse.add(t, this.costOf(r));
    if (this.isBounded(this.tenantService.get(t))) this.placeAll(t);
    else this.place(flow);
    // One that goes out of turn, because it has waited long enough, takes no turns from those that are less far on.
    const root = this.roots.get(q);
    const now = root !== NONE && this.flowTimes.get(root) < time ? this.flowTimes.get(root) : time;
    if (now > this.virtual.get(q)) this.virtual.set(q, now);
  }

  /** Nobody saves up turns while it has nothing to do. */
  private catchUp(flow: i32, q: i32): void {
    if (this.flowTimes.get(flow) < this.virtual.get(q)) this.flowTimes.set(flow, this.virtual.get(q));
  }

  private placeAll(t: i32): void {
    for (let flow = this.tenantFlows.get(t); flow !== NONE; flow = this.flowSibling.get(flow)) this.place(flow);
  }

  /** A flow is in the heap of its class while its first request may start, at the place that its time gives it. */
  private place(flow: i32): void {
    const t = this.flowTenant.get(flow);
    const q = this.tenantService.get(t) * CLASSES + this.flowClass.get(flow);
    const r = this.flowHeads.get(flow);
    const wasInHeap = this.isInHeap.get(flow) !== 0;
    if (wasInHeap) this.takeFromHeap(q, flow);
    if (r === NONE || !this.mayStart(t, this.costOf(r))) return;
    if (!wasInHeap) this.catchUp(flow, q);
    this.addToHeap(q, flow);
  }

  // ---- The heap of a class ----

  private addToHeap(q: i32, flow: i32): void {
    this.isInHeap.set(flow, 1);
    this.turns += 1;
    this.heapTurns.set(flow, this.turns);
    this.heapChild.set(flow, NONE);
    this.heapNext.set(flow, NONE);
    this.heapPrev.set(flow, NONE);
    const root = this.roots.get(q);
    this.roots.set(q, root === NONE ? flow : this.link(root, flow));
  }

  private takeFromHeap(q: i32, flow: i32): void {
    this.isInHeap.set(flow, 0);
    const below = this.pair(this.heapChild.get(flow));
    if (this.roots.get(q) === flow) {
      this.roots.set(q, below);
      return;
    }
    const before = this.heapPrev.get(flow);
    const after = this.heapNext.get(flow);
    if (this.heapChild.get(before) === flow) this.heapChild.set(before, after);
    else this.heapNext.set(before, after);
    if (after !== NONE) this.heapPrev.set(after, before);
    if (below !== NONE) this.roots.set(q, this.link(this.roots.get(q), below));
  }

  /** Among equals the one that was placed first: they take turns. */
  private isBefore(a: i32, b: i32): bool {
    const x = this.flowTimes.get(a);
    const y = this.flowTimes.get(b);
    return x < y || (x === y && this.heapTurns.get(a) < this.heapTurns.get(b));
  }

  /** Makes one heap of two, and answers its root. */
  private link(a: i32, b: i32): i32 {
    const upper = this.isBefore(b, a) ? b : a;
    const lower = upper === a ? b : a;
    const child = this.heapChild.get(upper);
    this.heapNext.set(lower, child);
    if (child !== NONE) this.heapPrev.set(child, lower);
    this.heapPrev.set(lower, upper);
    this.heapChild.set(upper, lower);
    return upper;
  }

  /** Makes one heap of the children of a flow: in pairs, then all of those. */
  private pair(first: i32): i32 {
    let pairs: i32 = NONE;
    let a = first;
    while (a !== NONE) {
      const b = this.heapNext.get(a);
      const rest = b === NONE ? NONE : this.heapNext.get(b);
      const root = b === NONE ? a : this.link(a, b);
      this.heapNext.set(root, pairs);
      pairs = root;
      a = rest;
    }
    let root: i32 = NONE;
    while (pairs !== NONE) {
      const rest = this.heapNext.get(pairs);
      this.heapNext.set(pairs, NONE);
      this.heapPrev.set(pairs, NONE);
      root = root === NONE ? pairs : this.link(root, pairs);
      pairs = rest;
    }
    return root;
  }

  // ---- Room ----

  growServices(room: i32): void {
    this.classCount.grow(room);
    this.isFair.grow(room);
    this.tenantWaitingMax.grow(room);
    this.tenantSlotsMax.grow(room);
    this.tenantHeads.grow(room);
    this.maxWaits.grow(room * CLASSES);
    this.heads.grow(room * CLASSES);
    this.tails.grow(room * CLASSES);
    this.counts.grow(room * CLASSES);
    this.starts.grow(room * CLASSES);
    this.waitSums.grow(room * CLASSES);
    this.virtual.grow(room * CLASSES);
    this.roots.grow(room * CLASSES);
  }

  growRequests(room: i32): void {
    this.next.grow(room);
    this.prev.grow(room);
    this.cames.grow(room);
    this.classes.grow(room);
    this.requestRoom = room;
    if (this.hasTenants) this.growTenantColumns();
    if (this.hasCosts) this.growCostColumns();
  }

  private growTenantColumns(): void {
    this.tenants.grow(this.requestRoom);
    this.flows.grow(this.requestRoom);
    this.flowNext.grow(this.requestRoom);
    this.flowPrev.grow(this.requestRoom);
  }

  private growCostColumns(): void {
    this.costs.grow(this.requestRoom);
    this.asides.grow(this.requestRoom);
  }

  private growTenants(): void {
    const room: i32 = this.tenantRoom === 0 ? 64 : this.tenantRoom * 2;
    this.tenantRoom = room;
    this.tenantService.grow(room);
    this.tenantNext.grow(room);
    this.tenantPrev.grow(room);
    this.tenantFlows.grow(room);
    this.tenantWaiting.grow(room);
    this.tenantInUse.grow(room);
    this.tenantWeights.grow(room);
    this.tenantKept.grow(room);
    this.isIdle.grow(room);
    this.idleNext.grow(room);
    this.idlePrev.grow(room);
    this.grown = true;
  }

  private growFlows(): void {
    const room: i32 = this.flowRoom === 0 ? 64 : this.flowRoom * 2;
    this.flowRoom = room;
    this.flowTenant.grow(room);
    this.flowClass.grow(room);
    this.flowSibling.grow(room);
    this.flowHeads.grow(room);
    this.flowTails.grow(room);
    this.flowTimes.grow(room);
    this.isInHeap.grow(room);
    this.heapChild.grow(room);
    this.heapNext.grow(room);
    this.heapPrev.grow(room);
    this.heapTurns.grow(room);
    this.grown = true;
  }
}
