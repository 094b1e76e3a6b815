// The slots and the queue of a service, shared by the workers of one Envoy.
//
// Each service has one record that all workers see (Envoy's shared data): how many slots of each pod each of them uses, and since
// when its first requests wait. A worker that has an event reads the record, lets `plan` decide, and writes it with
// compare-and-set: if another one wrote in between, it decides anew. So every free slot goes at once to the first request of
// all workers (the oldest, or by class: `orderKey` of queue.ts says when each arrived, and tells classes apart), whoever frees it, and the limit holds because a slot is taken by the very write that counts it. A slot for
// another worker's request is offered to it in the record, and that worker is woken. It has the slot once it has written so
// itself; until then anybody may take the offer back.
//
// Pure: `cells` is the record, the caller reads and writes it. Compiles with tsc and asc.
import { Floats, Ints } from './columns.ts';
import { Membership } from './membership.ts';
import { NONE, Queues, TRYING } from './queue.ts';

/** The layout of the record. */
const FORMAT: f64 = 1;

// The record: format, how many members, how many pods. Then the members, then the pods.
const MEMBERS: i32 = 1;
const PODS: i32 = 2;
const HEADER: i32 = 3;

// A member: its number, how many wait there, how many slots are offered to it and since when, a bound for the arrival of those
// whose arrival is not listed, and when the first ones arrived.
const NUMBER: i32 = 0;
const WAITING: i32 = 1;
const OFFERED: i32 = 2;
const OFFERED_AT: i32 = 3;
const BOUND: i32 = 4;
const FIRST: i32 = 5;
/** So many arrivals are listed. */
const LISTED: i32 = 4;
const MEMBER_CELLS: i32 = FIRST + LISTED;

// A pod: its key and its limit, then a cell for each member.
const KEY: i32 = 0;
const LIMIT: i32 = 1;
const POD_CELLS: i32 = 2;

// Bits of a cell: whether that member can use the pod, and only while nobody else does (it was ejected there, and gets one request
// first), slots that requests there claim which are tried again at this pod, slots that are offered to it, slots that it uses.
const USABLE: i32 = 1;
const TRIED: i32 = 2;
const CLAIM_SHIFT: i32 = 2;
const CLAIMS_MAX: i32 = 31;
const OFFER_SHIFT: i32 = 7;
const OFFERS_MAX: i32 = 31;
const USED_SHIFT: i32 = 12;

/** An offer that was not taken for so long is taken back: that worker is busy with something else, or dead. */
export const PATIENCE_MS: f64 = 20;

export class Workers {
  /** The record of one service as it was read, and as it is to be written. */
  cells: Floats = new Floats();
  size: i32 = 0;
  /** `plan` has changed it: it is to be written, and `commit` called if that was possible. */
  changed: bool = false;
  /** Slots that it offers to others: their workers are to be woken after the write. */
  wakeCount: i32 = 0;
  /** Slots of the service that a silent member uses: nobody can say whether something still runs there. */
  missing: i32 = 0;
  /** This worker can not be woken any more: it keeps its slots for those that wait here, and gets no others. */
  retired: bool = false;
  /** Offers that were taken back because nobody took them. */
  revoked: f64 = 0;

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
  private now: f64 = 0;
  private elsewhere: i32 = 0;
  private podOfRow: Ints = new Ints();
  private used: Ints = new Ints();
  private free: Ints = new Ints();
  private freeInAll: i32 = 0;
  private passed: Ints = new Ints();
  private granted: Ints = new Ints();
  private claimed: Ints = new Ints();
  private nextOwn: i32 = NONE;
  private firstOwn: i32 = NONE;
  private listedOwn: i32 = NONE;
  private ownLeft: i32 = 0;
  private wakes: Floats = new Floats();

  constructor(queues: Queues, membership: Membership) {
    this.queues = queues;
    this.membership = membership;
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
    this.now = now;
    this.wakeCount = 0;
    if (this.size < HEADER || this.cells.get(0) !== FORMAT) this.begin();
    this.members = this.cells.get(MEMBERS) as i32;
    this.rows = this.cells.get(PODS) as i32;
    this.enterMembers();
    this.enterPods(s);
    this.revoke(now);
    this.ownLeft = this.queues.waiting(s);
    this.firstOwn = this.queues.nextWaiting(s, now);
    this.nextOwn = this.firstOwn;
    this.listedOwn = this.queues.firstWaiting(s);
    this.countMissing(now);
    if (this.membership.active) this.assign(now);
    this.enterWaiting();
    this.dropRows(now);
    this.size = this.rowAt(this.rows);
  }

  /** The record was written: this worker has the slots that the plan gave it. */
  commit(s: i32): void {
    let p = this.queues.anyPod(s);
    for (let left = this.queues.podCount(s); left > 0; left--) {
      const row = this.rowOfPod.get(p);
      const isIn = row < this.rows && this.podOfRow.get(row) === p;
      this.queues.grant(p, isIn ? this.granted.get(row) : 0);
      this.queues.grantClaims(p, isIn ? this.claimed.get(row) : 0);
      p = this.queues.podAfter(p);
    }
    this.queues.setElsewhere(s, this.elsewhere);
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
    this.changed = true;
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
    for (let k = 0; k < MEMBER_CELLS; k++) this.cells.set(at + k, k < FIRST ? 0 : Infinity);
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

  /** What this worker knows of the pods, and uses of them. Slots that are offered to it are free again: it may get them below. */
  private enterPods(s: i32): void {
    this.growRows(this.rows + this.queues.podCount(s));
    for (let i = 0; i < this.rows; i++) this.podOfRow.set(i, NONE);
    let p = this.queues.anyPod(s);
    for (let left = this.queues.podCount(s); left > 0; left--) {
      this.enterPod(p);
      p = this.queues.podAfter(p);
    }
    for (let i = 0; i < this.rows; i++) {
      if (this.podOfRow.get(i) === NONE) this.leaveRow(i);
      this.count(i);
    }
    this.write(this.memberAt(this.mine) + OFFERED, 0);
  }

  private enterPod(p: i32): void {
    const row = this.findRow(p);
    this.podOfRow.set(row, p);
    this.rowOfPod.set(p, row);
    // The newest that Sluice said holds, whichever worker it said it to.
    if (this.queues.isNews(p))
      this.write(this.rowAt(row) + LIMIT, this.queues.isRemoved(p) ? 0 : (this.queues.podLimitOf(p) as f64));
    let usable: i32 = this.queues.podSlotsOf(p) > 0 ? USABLE : 0;
    if (usable !== 0 && this.queues.podState(p) === TRYING) usable |= TRIED;
    let claims = this.queues.claimsOf(p);
    if (claims > CLAIMS_MAX) claims = CLAIMS_MAX;
    const used = this.queues.podInUseOf(p) << USED_SHIFT;
    this.write(this.cellAt(row, this.mine), (usable | (claims << CLAIM_SHIFT) | used) as f64);
  }

  private findRow(p: i32): i32 {
    const key = this.keys.get(p);
    const cached = this.rowOfPod.get(p);
    if (cached < this.rows && this.cells.get(this.rowAt(cached) + KEY) === key) return cached;
    for (let i = 0; i < this.rows; i++) if (this.cells.get(this.rowAt(i) + KEY) === key) return i;
    const row = this.rows++;
    this.reserve(this.rowAt(this.rows));
    this.cells.set(PODS, this.rows as f64);
    this.cells.set(this.rowAt(row) + KEY, key);
    this.cells.set(this.rowAt(row) + LIMIT, 0);
    for (let j = 0; j < this.members; j++) this.cells.set(this.cellAt(row, j), 0);
    this.write(this.rowAt(row) + LIMIT, this.queues.podLimitOf(p) as f64);
    this.changed = true;
    return row;
  }

  /** A pod that this worker does not know, or no more: it was removed, and the others will hear of it. */
  private leaveRow(i: i32): void {
    const at = this.cellAt(i, this.mine);
    if (this.cells.get(at) === 0) return;
    if (((this.cells.get(at) as i32) & USABLE) !== 0) this.write(this.rowAt(i) + LIMIT, 0);
    this.write(at, 0);
  }

  private count(i: i32): void {
    let used: i32 = 0;
    for (let j = 0; j < this.members; j++) {
      const cell = this.cells.get(this.cellAt(i, j)) as i32;
      used += (cell >> USED_SHIFT) + ((cell >> OFFER_SHIFT) & OFFERS_MAX);
    }
    this.used.set(i, used);
    this.granted.set(i, 0);
    this.claimed.set(i, 0);
  }

  private growRows(rows: i32): void {
    if (rows <= this.rowRoom) return;
    this.rowRoom = rows * 2;
    rows = this.rowRoom;
    this.podOfRow.grow(rows);
    this.used.grow(rows);
    this.free.grow(rows);
    this.granted.grow(rows);
    this.claimed.grow(rows);
  }

  /** Pods that nobody knows and nobody uses go. */
  private dropRows(now: f64): void {
    for (let i = this.rows - 1; i >= 0; i--) {
      if (this.isKept(i, now)) continue;
      const last = --this.rows;
      if (i < last) {
        const stride = POD_CELLS + this.members;
        for (let k = 0; k < stride; k++) this.cells.set(this.rowAt(i) + k, this.cells.get(this.rowAt(last) + k));
        const moved = this.podOfRow.get(last);
        this.podOfRow.set(i, moved);
        this.used.set(i, this.used.get(last));
        this.granted.set(i, this.granted.get(last));
        this.claimed.set(i, this.claimed.get(last));
        if (moved !== NONE) this.rowOfPod.set(moved, i);
      }
      this.cells.set(PODS, this.rows as f64);
      this.changed = true;
    }
  }

  private isKept(i: i32, now: f64): bool {
    if (this.podOfRow.get(i) !== NONE) return true;
    for (let j = 0; j < this.members; j++) {
      if (this.cells.get(this.cellAt(i, j)) === 0) continue;
      // What a dead worker used there ended with the pod, once that is removed.
      const ended = this.cells.get(this.rowAt(i) + LIMIT) === 0;
      if (!ended || !this.membership.isSilent(this.cells.get(this.memberAt(j) + NUMBER), now)) return true;
    }
    return false;
  }

  // ---- Offers ----

  /** Takes back what was offered to a worker that does not answer. It says anew who waits there once it does. */
  private revoke(now: f64): void {
    for (let j = 0; j < this.members; j++) {
      const at = this.memberAt(j);
      if (j === this.mine || this.cells.get(at + OFFERED) === 0) continue;
      if (now - this.cells.get(at + OFFERED_AT) < PATIENCE_MS) continue;
      this.revoked += this.cells.get(at + OFFERED);
      this.write(at + OFFERED, 0);
      this.write(at + WAITING, 0);
      for (let i = 0; i < this.rows; i++) {
        const cell = this.cells.get(this.cellAt(i, j)) as i32;
        const offers = (cell >> OFFER_SHIFT) & OFFERS_MAX;
        this.used.add(i, -offers);
        this.write(this.cellAt(i, j), (cell - (offers << OFFER_SHIFT)) as f64);
      }
    }
  }

  private countMissing(now: f64): void {
    this.missing = 0;
    if (this.membership.silent === 0) return;
    for (let j = 0; j < this.members; j++) {
      if (!this.membership.isSilent(this.cells.get(this.memberAt(j) + NUMBER), now)) continue;
      for (let i = 0; i < this.rows; i++) this.missing += (this.cells.get(this.cellAt(i, j)) as i32) >> USED_SHIFT;
    }
  }

  // ---- Who gets the free slots ----

  /** Every free slot goes to the oldest request of all workers. */
  private assign(now: f64): void {
    this.countFree();
    for (let i = 0; i < this.rows; i++) this.assignClaims(i, now);
    for (let j = 0; j < this.members; j++) this.passed.set(j, 0);
    while (this.freeInAll > 0) {
      const j = this.oldest();
      if (j === NONE) return;
      const row = this.bestRow(j);
      if (row === NONE) {
        this.passed.set(j, 1);
        continue;
      }
      this.used.add(row, 1);
      this.free.add(row, -1);
      this.freeInAll--;
      if (j === this.mine) this.takeSlot(row);
      else this.offer(row, j, now);
    }
  }

  /** Requests that Envoy tries again come first: they have waited already, and can go nowhere else. */
  private assignClaims(i: i32, now: f64): void {
    // A pod that was removed, and has not been taken from Envoy yet, may get one.
    const removed = this.cells.get(this.rowAt(i) + LIMIT) === 0 && this.used.get(i) === 0;
    if (removed) {
      this.free.set(i, 1);
      this.freeInAll++;
    }
    for (let j = 0; j < this.members; j++) {
      const at = this.cellAt(i, j);
      while (this.free.get(i) > 0 && (((this.cells.get(at) as i32) >> CLAIM_SHIFT) & CLAIMS_MAX) > 0) {
        const isMine = j === this.mine;
        if (!isMine && (((this.cells.get(at) as i32) >> OFFER_SHIFT) & OFFERS_MAX) === OFFERS_MAX) break;
        const slot: i32 = isMine ? 1 << USED_SHIFT : 1 << OFFER_SHIFT;
        this.write(at, this.cells.get(at) + ((slot - (1 << CLAIM_SHIFT)) as f64));
        this.used.add(i, 1);
        this.free.add(i, -1);
        this.freeInAll--;
        if (isMine) this.claimed.add(i, 1);
        else this.announce(j, now);
      }
    }
    if (!removed || this.free.get(i) === 0) return;
    this.free.set(i, 0);
    this.freeInAll--;
  }

  private countFree(): void {
    this.freeInAll = 0;
    for (let i = 0; i < this.rows; i++) {
      const limit = this.cells.get(this.rowAt(i) + LIMIT) as i32;
      const free = limit > this.used.get(i) ? limit - this.used.get(i) : 0;
      this.free.set(i, free);
      this.freeInAll += free;
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

  /** When the first of those that wait at a member arrived; Infinity: nobody waits there. */
  private arrivalAt(j: i32): f64 {
    if (j === this.mine) return this.nextOwn === NONE ? Infinity : this.queues.orderKey(this.nextOwn, this.now);
    const at = this.memberAt(j);
    if (this.cells.get(at + WAITING) === 0) return Infinity;
    const first = this.cells.get(at + FIRST);
    return first === Infinity ? this.cells.get(at + BOUND) : first;
  }

  /** The pod that a member can use with the fewest requests. */
  private bestRow(j: i32): i32 {
    let best: i32 = NONE;
    let fewest: i32 = 0x7fffffff;
    for (let i = 0; i < this.rows; i++) {
      if (this.free.get(i) === 0 || this.used.get(i) >= fewest) continue;
      const cell = this.cells.get(this.cellAt(i, j)) as i32;
      if ((cell & USABLE) === 0 || ((cell >> OFFER_SHIFT) & OFFERS_MAX) === OFFERS_MAX) continue;
      if ((cell & TRIED) !== 0 && this.used.get(i) > 0) continue;
      best = i;
      fewest = this.used.get(i);
    }
    return best;
  }

  private takeSlot(row: i32): void {
    this.granted.add(row, 1);
    const at = this.cellAt(row, this.mine);
    this.write(at, this.cells.get(at) + ((1 << USED_SHIFT) as f64));
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

  private offer(row: i32, j: i32, now: f64): void {
    const cell = this.cellAt(row, j);
    this.write(cell, this.cells.get(cell) + ((1 << OFFER_SHIFT) as f64));
    this.announce(j, now);
    const at = this.memberAt(j);
    this.cells.add(at + WAITING, -1);
    // Those behind it arrived no earlier.
    if (this.cells.get(at + FIRST) !== Infinity) this.cells.set(at + BOUND, this.cells.get(at + FIRST));
    for (let k = FIRST; k < FIRST + LISTED - 1; k++) this.cells.set(at + k, this.cells.get(at + k + 1));
    this.cells.set(at + FIRST + LISTED - 1, Infinity);
  }

  /** A slot is offered to a member, which is woken for the first one. */
  private announce(j: i32, now: f64): void {
    const at = this.memberAt(j);
    if (this.cells.get(at + OFFERED) === 0) {
      this.cells.set(at + OFFERED_AT, now);
      this.wakes.set(this.wakeCount++, this.cells.get(at + NUMBER));
    }
    this.cells.add(at + OFFERED, 1);
  }

  // ---- Who waits ----

  private enterWaiting(): void {
    const at = this.memberAt(this.mine);
    this.write(at + WAITING, this.retired ? 0 : (this.ownLeft as f64));
    let r = this.retired ? NONE : this.nextOwn;
    for (let k = FIRST; k < FIRST + LISTED; k++) {
      this.write(at + k, r === NONE ? Infinity : this.queues.orderKey(r, this.now));
      if (r !== NONE) r = this.followingOwn();
    }
    this.elsewhere = 0;
    for (let j = 0; j < this.members; j++) {
      if (j !== this.mine) this.elsewhere += this.cells.get(this.memberAt(j) + WAITING) as i32;
    }
  }
}
