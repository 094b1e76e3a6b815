// The slots and the queue of a service, shared by the workers of one Envoy.
//
// Each service has one record that all workers see (Envoy's shared data): how many slots of each pod each of them uses, and since
// when its first requests wait. A worker that has an event reads the record, lets `plan` decide, and writes it with
// compare-and-set: if another one wrote in between, it decides anew. The limit holds because only a worker itself takes a slot,
// by the very write that counts it.
//
// Who a free slot is for is nowhere written: every plan works it out anew, for all free slots and all that wait. Where it is
// the request of another worker, it leaves the slot, and wakes that worker if nobody has. So after each write every free slot
// is for somebody who has been told to come and get it, and no message can be lost that would matter: who comes reads the
// record. A worker that does not come is passed by until it does.
//
// A pod of which a service gets no slots any more, as an edit gave it to another one, has limit 0 in the record of the one that loses it: what is
// in use there only becomes less. The one that gets it leaves so many slots alone, and hears of each that is given up.
//
// A request that takes several slots needs them of one pod. Where it is first and finds no pod with so many free ones, every plan leaves
// the free slots of the same pod alone, until they are enough: the one that has fewest to wait for. Those behind it go on to other
// pods, up to the next one that finds none.
//
// Pure: `cells` is the record, the caller reads and writes it. Compiles with tsc and asc.
import { Floats, Ints } from './columns.ts';
import { Membership } from './membership.ts';
import { CLASSES } from './order.ts';
import { NONE, Queues, TRYING } from './queue.ts';

/** The layout of the record. */
const FORMAT: f64 = 6;

// The record: format, how many members, how many pods, how often it was written, and for each class how far on its tenants are. Then the
// members, then the pods.
const MEMBERS: i32 = 1;
const PODS: i32 = 2;
const VERSION: i32 = 3;
const TURNS: i32 = 4;
const HEADER: i32 = TURNS + CLASSES;

// A member: its number, how many wait there, since when it is to come (0: it is not, below: it may not take slots yet), the key of the
// pod that keeps free slots for its first (0: none), and when the first that wait arrived.
const NUMBER: i32 = 0;
const WAITING: i32 = 1;
const WOKEN_AT: i32 = 2;
const KEEPS: i32 = 3;
const FIRST: i32 = 4;
/** So many arrivals are listed. Those behind came no earlier than the last of these. */
const LISTED: i32 = 4;
/** How many slots each of these takes. Those behind count as taking one. */
const COSTS: i32 = FIRST + LISTED;
const MEMBER_CELLS: i32 = COSTS + LISTED;

// A pod: its key and its limit, then a cell for each member.
const KEY: i32 = 0;
const LIMIT: i32 = 1;
const POD_CELLS: i32 = 2;

// Bits of a cell: whether that member has heard of the pod and not that it was removed, could use one more slot of it, and that only while nobody else uses any
// (it was ejected there, and gets one request first), has not heard of as high a limit as the record has, slots that requests there
// claim which are tried again at this pod, slots that it uses.
const KNOWN: i32 = 1;
const USABLE: i32 = 2;
const TRIED: i32 = 4;
const LOWER: i32 = 8;
const CLAIM_SHIFT: i32 = 4;
const CLAIMS_MAX: i32 = 127;
const USED_SHIFT: i32 = 11;

/** A worker that was woken and does not come for so long is passed by: it is busy with something else, or dead. */
const PATIENCE_MS: f64 = 20;

/** More pods than anybody is noted of. */
const STRAYS: i32 = 1024;

export class Workers {
  /** The record of one service as it was read, and as it is to be written. */
  cells: Floats = new Floats();
  size: i32 = 0;
  /** `plan` has changed it: it is to be written, and `commit` called if that was possible. */
  changed: bool = false;
  /** Members that are to be woken after the write. */
  wakeCount: i32 = 0;
  /** When the first of those that were woken, and have not come yet, is passed by. Infinity: no slot is left for anybody. */
  promisedUntil: f64 = Infinity;
  /** Slots of the service that a silent member uses: nobody can say whether something still runs there. */
  missing: i32 = 0;
  /** This worker can not be woken any more: it keeps its slots for those that wait here, and gets no others. */
  retired: bool = false;

  private queues: Queues;
  private membership: Membership;
  private keys: Floats = new Floats();
  private rowOfPod: Ints = new Ints();
  private podRoom: i32 = 0;
  private room: i32 = 0;

  // Of the plan that is being made.
  private members: i32 = 0;
  private rows: i32 = 0;
  private rowRoom: i32 = 0;
  private mine: i32 = 0;
  private elsewhere: i32 = 0;
  private podOfRow: Ints = new Ints();
  private used: Ints = new Ints();
  /** The slots of each that were used before. */
  private taken: Ints = new Ints();
  private free: Ints = new Ints();
  private freeInAll: i32 = 0;
  private isAnyClaimed: bool = false;
  private passed: Ints = new Ints();
  private promised: Ints = new Ints();
  private granted: Ints = new Ints();
  private claimed: Ints = new Ints();
  private now: f64 = 0;
  private firstOwn: i32 = NONE;
  private nextOwn: i32 = NONE;
  private listedOwn: i32 = NONE;
  private ownLeft: i32 = 0;
  /** Of those that wait here one that takes several slots, and for which free ones are kept. */
  private keptOwn: i32 = NONE;
  /** The row of the pod that keeps them. */
  private keepingOwn: i32 = NONE;
  private wakes: Floats = new Floats();
  /** Slots were given up of a pod that the service has lost. */
  private fell: bool = false;

  // Slots of pods that a service has lost, and that this worker was never told of: by the key of the pod.
  private service: i32 = NONE;
  private strayCount: i32 = 0;
  private strayRoom: i32 = 0;
  private strayServices: Ints = new Ints();
  private strayKeys: Floats = new Floats();
  private strayUsed: Ints = new Ints();
  /** Those were others before the last `commit`: everything is to be planned anew. */
  straysChanged: bool = false;

  constructor(queues: Queues, membership: Membership) {
    this.queues = queues;
    this.membership = membership;
    queues.listed = LISTED;
  }

  /** What a pod is called in the records: the same number in all workers. */
  name(pod: i32, key: f64): void {
    if (pod >= this.podRoom) {
      this.podRoom = pod < 32 ? 64 : pod * 2;
      this.keys.grow(this.podRoom);
      this.rowOfPod.grow(this.podRoom);
    }
    this.keys.set(pod, key);
    this.rowOfPod.set(pod, 0);
  }

  /** Makes room for a record of `size` cells, which the caller then reads into `cells`. */
  prepare(size: i32): void {
    this.reserve(size);
    this.size = size;
  }

  private reserve(size: i32): void {
    if (size <= this.room) return;
    this.room = size > this.room * 2 ? size : this.room * 2;
    this.cells.grow(this.room);
    this.queues.grown = true;
  }

  /** Decides what the record of a service is to be. Nothing is done yet: another worker may write first. */
  plan(s: i32, now: f64): void {
    this.changed = false;
    this.wakeCount = 0;
    this.promisedUntil = Infinity;
    this.fell = false;
    if (this.size < HEADER || this.cells.get(0) !== FORMAT) this.begin();
    this.members = this.cells.get(MEMBERS) as i32;
    this.rows = this.cells.get(PODS) as i32;
    this.enterMembers();
    this.enterPods(s);
    this.noteStrays(s);
    this.service = s;
    if (this.queues.order.fair(s)) this.enterTurns(s);
    this.ownLeft = this.queues.waiting(s);
    this.now = now;
    // Who it is kept for is decided anew as well.
    this.queues.putKeptBack(s);
    this.firstOwn = this.queues.nextWaiting(s, now);
    this.nextOwn = this.firstOwn;
    this.keptOwn = NONE;
    this.keepingOwn = NONE;
    this.listedOwn = this.queues.firstWaiting(s);
    this.countMissing(now);
    this.assign(now);
    this.enterWaiting();
    if (this.fell) this.wakeAll();
    this.dropRows();
    this.size = this.rowAt(this.rows);
    if (this.changed) this.cells.add(VERSION, 1);
  }

  /** The record was written: this worker has the slots that the plan gave it. */
  commit(s: i32): void {
    let inAll: i32 = 0;
    for (let i = 0; i < this.rows; i++) inAll += this.inUseOf(i);
    this.queues.noteInAll(s, inAll, this.cells.get(VERSION));
    let p = this.queues.anyPod(s);
    for (let left = this.queues.podCount(s); left > 0; left--) {
      const row = this.rowOfPod.get(p);
      const isIn = row < this.rows && this.podOfRow.get(row) === p;
      this.queues.notePodInAll(p, isIn ? this.inUseOf(row) : 0);
      this.queues.grant(p, isIn ? this.granted.get(row) : 0);
      this.queues.grantClaims(p, isIn ? this.claimed.get(row) : 0);
      const next = this.queues.podAfter(p);
      if (!this.queues.givesSlots(p)) this.queues.setOthers(p, isIn ? this.used.get(row) - this.ownUsed(row) : 0);
      p = next;
    }
    this.queues.setElsewhere(s, this.elsewhere);
    let strays: i32 = 0;
    for (let k = 0; k < this.strayCount; k++) if (this.strayServices.get(k) === s) strays++;
    this.queues.setStrays(s, strays);
    this.queues.sharers = this.members;
  }

  /** The slots of a pod that all workers use, with those that this one is given, and without those that are left for others. */
  private inUseOf(row: i32): i32 {
    return this.granted.get(row) + this.claimed.get(row) + this.taken.get(row);
  }

  /** A member to wake. */
  wake(i: i32): f64 {
    return this.wakes.get(i);
  }

  // ---- The record ----

  private memberAt(j: i32): i32 {
    return HEADER + j * MEMBER_CELLS;
  }

  private rowAt(i: i32): i32 {
    return HEADER + this.members * MEMBER_CELLS + i * (POD_CELLS + this.members);
  }

  private cellAt(i: i32, j: i32): i32 {
    return this.rowAt(i) + POD_CELLS + j;
  }

  private write(at: i32, value: f64): void {
    if (this.cells.get(at) === value) return;
    this.cells.set(at, value);
    this.changed = true;
  }

  private begin(): void {
    this.prepare(HEADER);
    this.cells.set(0, FORMAT);
    this.cells.set(MEMBERS, 0);
    this.cells.set(PODS, 0);
    this.cells.set(VERSION, 0);
    for (let c = 0; c < CLASSES; c++) this.cells.set(TURNS + c, 0);
    this.changed = true;
  }

  /** Tenants take turns over all workers: who has something to do after a pause begins where the others are, wherever these are. */
  private enterTurns(s: i32): void {
    for (let c: i32 = 0; c < CLASSES; c++) {
      const turns = this.queues.order.turnsOf(s, c);
      const told = this.cells.get(TURNS + c);
      if (turns > told) this.write(TURNS + c, turns);
      else this.queues.order.hearTurns(s, c, told);
    }
  }

  /** This member has a column, and those that are gone have none. */
  private enterMembers(): void {
    this.mine = NONE;
    for (let j = this.members - 1; j >= 0; j--) {
      const number = this.cells.get(this.memberAt(j) + NUMBER);
      if (number === this.membership.me) this.mine = j;
      else if (this.membership.isGone(number)) {
        this.removeMember(j);
        if (this.mine !== NONE) this.mine--;
      }
    }
    if (this.mine === NONE) this.addMember();
    this.passed.grow(this.members);
    this.promised.grow(this.members);
    this.wakes.grow(this.members);
  }

  private addMember(): void {
    const before = this.members;
    const rows = this.rowAt(0);
    const stride = POD_CELLS + before;
    this.members = before + 1;
    this.reserve(this.rowAt(this.rows));
    for (let i = this.rows - 1; i >= 0; i--) {
      this.cells.set(this.cellAt(i, before), 0);
      for (let k = stride - 1; k >= 0; k--) this.cells.set(this.rowAt(i) + k, this.cells.get(rows + i * stride + k));
    }
    this.mine = before;
    this.cells.set(MEMBERS, this.members as f64);
    const at = this.memberAt(before);
    for (let k = 0; k < MEMBER_CELLS; k++) this.cells.set(at + k, k >= FIRST && k < COSTS ? Infinity : 0);
    this.cells.set(at + NUMBER, this.membership.me);
    this.changed = true;
  }

  private removeMember(j: i32): void {
    const rows = this.rowAt(0);
    const stride = POD_CELLS + this.members;
    this.members--;
    for (let at = this.memberAt(j); at < this.rowAt(0); at++) this.cells.set(at, this.cells.get(at + MEMBER_CELLS));
    for (let i = 0; i < this.rows; i++) {
      const to = this.rowAt(i);
      const from = rows + i * stride;
      for (let k = 0; k < POD_CELLS + j; k++) this.cells.set(to + k, this.cells.get(from + k));
      for (let k = POD_CELLS + j; k < stride - 1; k++) this.cells.set(to + k, this.cells.get(from + k + 1));
    }
    this.cells.set(MEMBERS, this.members as f64);
    this.changed = true;
  }

  // ---- Pods ----

  /** What this worker knows of the pods, and uses of them. */
  private enterPods(s: i32): void {
    this.isAnyClaimed = false;
    this.growRows(this.rows + this.queues.podCount(s));
    for (let i = 0; i < this.rows; i++) this.clearRow(i);
    let p = this.queues.anyPod(s);
    for (let left = this.queues.podCount(s); left > 0; left--) {
      this.enterPod(p);
      p = this.queues.podAfter(p);
    }
    for (let i = 0; i < this.rows; i++) {
      if (this.podOfRow.get(i) === NONE) this.leaveRow(i);
      this.count(i);
    }
  }

  private enterPod(p: i32): void {
    const row = this.findRow(p);
    this.podOfRow.set(row, p);
    this.rowOfPod.set(p, row);
    // The newest that Sluice said holds, whichever worker it said it to. One that is retired is told nothing any more.
    const isNew = this.cells.get(this.cellAt(row, this.mine)) === 0 && this.isUnknown(row);
    const says = isNew || (this.queues.isNews(p) && !this.retired);
    if (says) this.write(this.rowAt(row) + LIMIT, this.queues.isRemoved(p) ? 0 : (this.queues.podLimitOf(p) as f64));
    this.writeOwn(row);
  }

  /** What it uses of a pod, with what this plan gives it, and whether it can use one more. */
  private writeOwn(row: i32): void {
    const p = this.podOfRow.get(row);
    const used = this.ownUsed(row);
    const limit = this.cells.get(this.rowAt(row) + LIMIT);
    if (limit === 0 && (this.cells.get(this.cellAt(row, this.mine)) as i32) >> USED_SHIFT > used) this.fell = true;
    let bits: i32 = this.queues.isRemoved(p) ? 0 : KNOWN;
    if (this.queues.slotsForOne(p) < (this.cells.get(this.rowAt(row) + LIMIT) as i32)) bits |= LOWER;
    if (this.queues.podSlotsOf(p) > used) bits |= this.queues.podState(p) === TRYING ? USABLE | TRIED : USABLE;
    let claims = this.queues.claimsOf(p) - this.claimed.get(row);
    if (claims > CLAIMS_MAX) claims = CLAIMS_MAX;
    this.write(this.cellAt(row, this.mine), (bits | (claims << CLAIM_SHIFT) | (used << USED_SHIFT)) as f64);
  }

  private ownUsed(row: i32): i32 {
    return this.queues.podInUseOf(this.podOfRow.get(row)) + this.granted.get(row) + this.claimed.get(row);
  }

  private findRow(p: i32): i32 {
    const key = this.keys.get(p);
    const cached = this.rowOfPod.get(p);
    if (cached < this.rows && this.cells.get(this.rowAt(cached) + KEY) === key) return cached;
    for (let i = 0; i < this.rows; i++) if (this.cells.get(this.rowAt(i) + KEY) === key) return i;
    const row = this.rows++;
    this.clearRow(row);
    this.reserve(this.rowAt(this.rows));
    this.cells.set(PODS, this.rows as f64);
    this.cells.set(this.rowAt(row) + KEY, key);
    this.cells.set(this.rowAt(row) + LIMIT, 0);
    for (let j = 0; j < this.members; j++) this.cells.set(this.cellAt(row, j), 0);
    this.changed = true;
    return row;
  }

  /** No member knows this pod or uses slots of it. */
  private isUnknown(row: i32): bool {
    const end = this.cellAt(row, this.members);
    for (let at = this.cellAt(row, 0); at < end; at++) if (this.cells.get(at) !== 0) return false;
    return true;
  }

  /** A pod that this worker does not know, or no more: it was removed, and the others will hear of it. */
  private leaveRow(i: i32): void {
    const at = this.cellAt(i, this.mine);
    const cell = this.cells.get(at) as i32;
    if ((cell & KNOWN) !== 0 && !this.retired) this.write(this.rowAt(i) + LIMIT, 0);
    // Its last request has ended since: those that have the pod now may have its slots.
    if (cell >> USED_SHIFT > 0) this.fell = true;
    this.write(at, 0);
  }

  private count(i: i32): void {
    let used: i32 = 0;
    let bits: i32 = 0;
    const end = this.cellAt(i, this.members);
    for (let at = this.cellAt(i, 0); at < end; at++) {
      const cell = this.cells.get(at) as i32;
      used += cell >> USED_SHIFT;
      bits |= cell;
    }
    this.used.set(i, used);
    this.taken.set(i, used);
    if (((bits >> CLAIM_SHIFT) & CLAIMS_MAX) !== 0) this.isAnyClaimed = true;
  }

  private clearRow(i: i32): void {
    this.podOfRow.set(i, NONE);
    this.granted.set(i, 0);
    this.claimed.set(i, 0);
  }

  private growRows(rows: i32): void {
    if (rows <= this.rowRoom) return;
    this.rowRoom = rows * 2;
    rows = this.rowRoom;
    this.podOfRow.grow(rows);
    this.used.grow(rows);
    this.taken.grow(rows);
    this.free.grow(rows);
    this.granted.grow(rows);
    this.claimed.grow(rows);
  }

  /** Pods that nobody knows and nobody uses go. */
  private dropRows(): void {
    for (let i = this.rows - 1; i >= 0; i--) {
      if (this.isKept(i)) continue;
      const last = --this.rows;
      if (i < last) {
        const stride = POD_CELLS + this.members;
        for (let k = 0; k < stride; k++) this.cells.set(this.rowAt(i) + k, this.cells.get(this.rowAt(last) + k));
        const moved = this.podOfRow.get(last);
        this.podOfRow.set(i, moved);
        this.used.set(i, this.used.get(last));
        this.taken.set(i, this.taken.get(last));
        this.granted.set(i, this.granted.get(last));
        this.claimed.set(i, this.claimed.get(last));
        if (moved !== NONE) this.rowOfPod.set(moved, i);
      }
      this.cells.set(PODS, this.rows as f64);
      this.changed = true;
    }
  }

  private isKept(i: i32): bool {
    return this.podOfRow.get(i) !== NONE || !this.isUnknown(i);
  }

  private countMissing(now: f64): void {
    this.missing = 0;
    if (this.membership.silent === 0) return;
    for (let j = 0; j < this.members; j++) {
      if (!this.isSilent(j, now)) continue;
      for (let i = 0; i < this.rows; i++) this.missing += (this.cells.get(this.cellAt(i, j)) as i32) >> USED_SHIFT;
    }
  }

  private isSilent(j: i32, now: f64): bool {
    return this.membership.silent > 0 && this.membership.isSilent(this.cells.get(this.memberAt(j) + NUMBER), now);
  }

  // ---- Who gets the free slots ----

  /** Every free slot is for the oldest request of all workers. */
  private assign(now: f64): void {
    this.countFree();
    for (let j = 0; j < this.members; j++) {
      this.promised.set(j, 0);
      this.passed.set(j, this.doesCome(j, now) ? 0 : 1);
    }
    if (this.isAnyClaimed) for (let i = 0; i < this.rows; i++) this.assignClaims(i, now);
    let isKeeping = false;
    while (this.freeInAll > 0) {
      const j = this.oldest();
      if (j === NONE) return;
      const cost = this.costOfNext(j);
      const row = this.bestRow(j, cost);
      if (row === NONE && cost > 1) {
        // One at a time.
        if (isKeeping) return;
        isKeeping = true;
        this.keep(j, cost);
      } else if (row === NONE) this.passed.set(j, 1);
      else {
        this.use(row, cost);
        if (j === this.mine) this.takeSlots(row, cost);
        else this.promise(j, now);
      }
    }
  }

  /** The pod that a member can use, and where the fewest slots have to become free for its next request, keeps those that it has. */
  private keep(j: i32, cost: i32): void {
    const best = this.keeping(j, cost);
    if (best !== NONE) {
      this.freeInAll -= this.free.get(best);
      this.free.set(best, 0);
    }
    if (j === this.mine) {
      this.keptOwn = this.nextOwn;
      this.keepingOwn = best;
      this.nextOwn = this.followingOwn();
    } else this.promised.add(j, 1);
  }

  private keeping(j: i32, cost: i32): i32 {
    // Which pod it is, the member itself knows best: what it has heard of the limits may be older or newer than the record.
    const said = j === this.mine ? 0 : this.cells.get(this.memberAt(j) + KEEPS);
    let best: i32 = NONE;
    let most: i32 = -1;
    for (let i = 0; i < this.rows; i++) {
      const limit = this.cells.get(this.rowAt(i) + LIMIT) as i32;
      const cell = this.cells.get(this.cellAt(i, j)) as i32;
      if (limit < cost || (cell & KNOWN) === 0) continue;
      if (said !== 0 && this.cells.get(this.rowAt(i) + KEY) === said && this.promised.get(j) === 0) return i;
      if (limit - this.used.get(i) <= most || !this.mayEverTake(i, j, cell, cost)) continue;
      best = i;
      most = limit - this.used.get(i);
    }
    return best;
  }

  /** The slots that the next request of a member takes. */
  private costOfNext(j: i32): i32 {
    // One that takes more than any pod has is told so when it gets any.
    if (j === this.mine) return this.costOf(this.nextOwn);
    const k = this.promised.get(j);
    const cost: i32 = k < LISTED ? (this.cells.get(this.memberAt(j) + COSTS + k) as i32) : 1;
    return cost < 1 ? 1 : cost;
  }

  private costOf(r: i32): i32 {
    return this.queues.mayCost(r) ? this.queues.order.costOf(r) : 1;
  }

  /** Whether a slot may be for a member. */
  private doesCome(j: i32, now: f64): bool {
    // Before all others have said what they use it takes nothing.
    if (j === this.mine) return this.membership.active;
    const at = this.memberAt(j);
    const since = this.cells.get(at + WOKEN_AT);
    return since === 0 || (since > 0 && now < since + PATIENCE_MS);
  }

  /** Requests that Envoy tries again come first: they have waited already, and can go nowhere else. */
  private assignClaims(i: i32, now: f64): void {
    let free = this.free.get(i);
    for (let j = 0; j < this.members && free > 0; j++) {
      if (this.passed.get(j) !== 0) continue;
      let claims = ((this.cells.get(this.cellAt(i, j)) as i32) >> CLAIM_SHIFT) & CLAIMS_MAX;
      for (; claims > 0 && free > 0; claims--) {
        free--;
        this.use(i, 1);
        if (j === this.mine) this.takeClaim(i);
        else this.wakeFor(j, now);
      }
    }
  }

  private countFree(): void {
    this.freeInAll = 0;
    for (let i = 0; i < this.rows; i++) {
      const limit = this.cells.get(this.rowAt(i) + LIMIT) as i32;
      const used = this.used.get(i) + this.passing(i);
      const free = limit > used ? limit - used : 0;
      this.free.set(i, free);
      this.freeInAll += free;
    }
  }

  /** What other services have at a pod that they have lost. */
  private passing(i: i32): i32 {
    const p = this.podOfRow.get(i);
    let slots: i32 = p === NONE ? 0 : this.queues.passing(p);
    const key = this.cells.get(this.rowAt(i) + KEY);
    for (let k = 0; k < this.strayCount; k++)
      if (this.strayKeys.get(k) === key && this.strayServices.get(k) !== this.service) slots += this.strayUsed.get(k);
    return slots;
  }

  /** Notes what is in use at pods that the service has lost, and that this worker does not know. */
  private noteStrays(s: i32): void {
    const before = this.strayMark(s);
    for (let k = this.strayCount - 1; k >= 0; k--) {
      if (this.strayServices.get(k) !== s) continue;
      const last = --this.strayCount;
      this.strayServices.set(k, this.strayServices.get(last));
      this.strayKeys.set(k, this.strayKeys.get(last));
      this.strayUsed.set(k, this.strayUsed.get(last));
    }
    for (let i = 0; i < this.rows; i++) {
      if (this.podOfRow.get(i) !== NONE || this.used.get(i) === 0) continue;
      const k = this.strayCount++;
      if (k >= this.strayRoom) {
        this.strayRoom = k < 8 ? 16 : k * 2;
        this.strayServices.grow(this.strayRoom);
        this.strayKeys.grow(this.strayRoom);
        this.strayUsed.grow(this.strayRoom);
      }
      this.strayServices.set(k, s);
      this.strayKeys.set(k, this.cells.get(this.rowAt(i) + KEY));
      this.strayUsed.set(k, this.used.get(i));
    }
    this.straysChanged = this.strayMark(s) !== before;
  }

  /** How many slots are noted of a service, and of how many pods. */
  private strayMark(s: i32): i32 {
    let mark: i32 = 0;
    for (let k = 0; k < this.strayCount; k++)
      if (this.strayServices.get(k) === s) mark += this.strayUsed.get(k) * STRAYS + 1;
    return mark;
  }

  /** All others look at what their services may have now. */
  private wakeAll(): void {
    for (let j = 0; j < this.members; j++) {
      const number = this.cells.get(this.memberAt(j) + NUMBER);
      let isWoken = j === this.mine;
      for (let w = 0; w < this.wakeCount && !isWoken; w++) isWoken = this.wakes.get(w) === number;
      if (!isWoken) this.wakes.set(this.wakeCount++, number);
    }
  }

  /** The member with the oldest request among those that can use a free slot. */
  private oldest(): i32 {
    if (this.retired && this.nextOwn !== NONE && this.passed.get(this.mine) === 0) return this.mine;
    let best: i32 = NONE;
    let since: f64 = Infinity;
    for (let j = 0; j < this.members; j++) {
      if (this.passed.get(j) !== 0) continue;
      const arrival = this.arrivalAt(j);
      if (arrival < since) {
        best = j;
        since = arrival;
      }
    }
    return best;
  }

  /** When the first of those that wait at a member, and have no slot in this plan, arrived; Infinity: there is none. */
  private arrivalAt(j: i32): f64 {
    if (j === this.mine) return this.nextOwn === NONE ? Infinity : this.queues.orderKey(this.nextOwn, this.now);
    const at = this.memberAt(j);
    const k = this.promised.get(j);
    if (k >= (this.cells.get(at + WAITING) as i32)) return Infinity;
    return this.cells.get(at + FIRST + (k < LISTED ? k : LISTED - 1));
  }

  /** The pod that a member can use with the fewest slots in use, among those with so many free. */
  private bestRow(j: i32, cost: i32): i32 {
    let best: i32 = NONE;
    let fewest: i32 = 0x7fffffff;
    for (let i = 0; i < this.rows && fewest > 0; i++) {
      if (this.free.get(i) < cost || this.used.get(i) >= fewest) continue;
      const cell = this.cells.get(this.cellAt(i, j)) as i32;
      if ((cell & USABLE) === 0 || ((cell & TRIED) !== 0 && this.used.get(i) > 0)) continue;
      if (cost > 1 && !this.mayTake(i, j, cell, cost)) continue;
      if (this.retired && !this.isKnownElsewhere(i)) continue;
      best = i;
      fewest = this.used.get(i);
    }
    return best;
  }

  /** Whether as many free slots of a pod as a request takes are so many for this member. Of others that is not always known. */
  private mayTake(row: i32, j: i32, cell: i32, cost: i32): bool {
    return j === this.mine ? this.ownFree(row) >= cost : (cell & LOWER) === 0;
  }

  private mayEverTake(row: i32, j: i32, cell: i32, cost: i32): bool {
    return j === this.mine ? this.queues.slotsForOne(this.podOfRow.get(row)) >= cost : (cell & LOWER) === 0;
  }

  /** One that is retired does not hear that a pod is removed. Where it is alone, nobody does. */
  private isKnownElsewhere(row: i32): bool {
    if (this.members === 1) return true;
    for (let j = 0; j < this.members; j++) {
      if (j !== this.mine && ((this.cells.get(this.cellAt(row, j)) as i32) & KNOWN) !== 0) return true;
    }
    return false;
  }

  /** The slots of a pod that this worker could use, as far as it knows itself. */
  private ownFree(row: i32): i32 {
    const p = this.podOfRow.get(row);
    if (p === NONE) return 0;
    return this.queues.slotsForOne(p) - this.queues.podInUseOf(p) - this.granted.get(row) - this.claimed.get(row);
  }

  private use(row: i32, slots: i32): void {
    this.used.add(row, slots);
    this.free.add(row, -slots);
    this.freeInAll -= slots;
  }

  private takeSlots(row: i32, slots: i32): void {
    this.granted.add(row, slots);
    this.writeOwn(row);
    this.nextOwn = this.followingOwn();
    this.ownLeft--;
  }

  /** Any other that waits here: which one of them goes is decided when it goes. */
  private followingOwn(): i32 {
    let r = this.listedOwn;
    if (r === this.firstOwn && r !== NONE) r = this.queues.after(r);
    this.listedOwn = r === NONE ? NONE : this.queues.after(r);
    return r;
  }

  private takeClaim(row: i32): void {
    this.claimed.add(row, 1);
    this.writeOwn(row);
  }

  /** The slot is for the next request of another member. */
  private promise(j: i32, now: f64): void {
    this.promised.add(j, 1);
    this.wakeFor(j, now);
  }

  private wakeFor(j: i32, now: f64): void {
    const at = this.memberAt(j);
    if (this.cells.get(at + WOKEN_AT) === 0) {
      this.write(at + WOKEN_AT, now);
      this.wakes.set(this.wakeCount++, this.cells.get(at + NUMBER));
    }
    const until = this.cells.get(at + WOKEN_AT) + PATIENCE_MS;
    if (until < this.promisedUntil) this.promisedUntil = until;
  }

  // ---- Who waits ----

  private enterWaiting(): void {
    const at = this.memberAt(this.mine);
    this.write(at + WOKEN_AT, this.membership.active ? 0 : -1);
    this.write(at + WAITING, this.retired ? 0 : (this.ownLeft as f64));
    this.write(at + KEEPS, this.keepingOwn === NONE ? 0 : this.cells.get(this.rowAt(this.keepingOwn) + KEY));
    let r = this.retired ? NONE : this.keptOwn !== NONE ? this.keptOwn : this.nextOwn;
    for (let k = 0; k < LISTED; k++) {
      this.write(at + FIRST + k, r === NONE ? Infinity : this.queues.orderKey(r, this.now));
      this.write(at + COSTS + k, r === NONE ? 0 : (this.costOf(r) as f64));
      if (r !== NONE) r = r === this.keptOwn ? this.nextOwn : this.followingOwn();
    }
    this.elsewhere = 0;
    for (let j = 0; j < this.members; j++) {
      // Of one that is silent the guard has answered all that waited.
      if (j === this.mine || this.isSilent(j, this.now)) continue;
      this.elsewhere += this.cells.get(this.memberAt(j) + WAITING) as i32;
    }
  }
}
