// Which VMs of one Envoy carry its services: one per worker, and during an upgrade of the code the old ones beside the new ones.
// They are listed in one record that all of them see (Envoy's shared data). Each writes the whole record with compare-and-set: it
// reads `cells`, calls `plan`, writes, and calls `commit` if nobody else wrote in between; else all of that again.
//
// Pure. Compiles with tsc and asc.
import { Floats } from './columns.ts';

/** The layout of the record. Another one is not read. */
const FORMAT: f64 = 2;
// The record: its format, the next number to give, how many members, then each: number, whether it shares, a counter, its first number.
const NEXT: i32 = 1;
const COUNT: i32 = 2;
const HEADER: i32 = 3;
const ROW: i32 = 4;

// Whether a member shares: not yet; everything that it uses is in the records; and it has been replaced, gives no more signs of
// life, and leaves when its last request has ended.
const ALONE: f64 = 0;
const SHARES: f64 = 1;
const RETIRED: f64 = 2;

/** So long without a sign of life, a member is silent. */
export const SILENT_MS: f64 = 3000;
/**
 * One that was alone, and does not answer a new one for so long, is dead: what it used cannot be known, and counts no more. By
 * then the guard has ended its requests.
 */
const UNHEARD_MS: f64 = 4000;
/** A member that gave no sign of life for so long was not running. */
const STOPPED_MS: f64 = 1000;
/** Number of a member that has none yet. */
export const NOBODY: f64 = 0;

export class Membership {
  /** The record as it was read, and as it is to be written. */
  cells: Floats = new Floats();
  size: i32 = 0;
  /** This member's number. Numbers grow, and are never given twice. */
  me: f64 = NOBODY;
  /** Its first number, which it keeps whatever number it takes: what it has beside slots is under this one. */
  first: f64 = NOBODY;
  /** Nobody else is there: nothing need be shared. */
  alone: bool = true;
  /** Every other member has everything that it uses in the records of the services: new slots may be taken. */
  active: bool = false;
  /** The slots of a member that was silent so long are free again, whatever still runs in them. 0: never. */
  reclaimAfter: f64 = 0;
  /** At the last `commit` others were members than at the one before, or one of them had been replaced. */
  changed: bool = false;
  /** Members at the last `commit`, and those of them that were silent. */
  count: i32 = 0;
  silent: i32 = 0;

  private buried: Floats = new Floats();
  private buriedCount: i32 = 0;
  private planned: f64 = NOBODY;
  private plannedFirst: f64 = NOBODY;
  private lastCommit: f64 = 0;
  private nextNumber: f64 = 0;
  private numbers: Floats = new Floats();
  private counters: Floats = new Floats();
  private states: Floats = new Floats();
  private heardAt: Floats = new Floats();
  private firsts: Floats = new Floats();
  private seen: i32 = 0;

  /** Makes room for a record of `size` cells, which the caller then reads into `cells`. */
  prepare(size: i32): void {
    // Room for one more member than there are.
    this.cells.grow(size + HEADER + ROW);
    this.size = size;
  }

  /**
   * What to write: this member with a sign of life. `shares`: everything that it uses is in the records of the services.
   * `renew`: it takes a new number, so that what the records have under its old one no longer counts.
   */
  plan(shares: bool, renew: bool, now: f64): void {
    if (this.size < HEADER || this.cells.get(0) !== FORMAT) this.begin();
    if (this.reclaimAfter > 0 && now - this.lastCommit <= STOPPED_MS) this.reclaim(now);
    for (let i: i32 = 0; i < this.buriedCount; i++) {
      const dead = this.rowOf(this.buried.get(i));
      if (dead >= 0) this.remove(dead);
    }
    let row = this.rowOf(this.me);
    if (row < 0) row = this.add();
    else if (renew) this.cells.set(row, this.takeNumber());
    this.planned = this.cells.get(row);
    this.plannedFirst = this.cells.get(row + 3);
    this.cells.set(row + 1, shares && this.countOf() > 1 ? SHARES : ALONE);
    this.cells.add(row + 2, 1);
  }

  /** It was written. */
  commit(now: f64): void {
    this.me = this.planned;
    this.buriedCount = 0;
    this.first = this.plannedFirst;
    this.count = this.countOf();
    this.nextNumber = this.cells.get(NEXT);
    this.alone = this.count === 1;
    this.listen(now);
  }

  /** What to write when this member ends. It holds no slot any more. */
  planLeave(): void {
    const row = this.rowOf(this.me);
    if (row >= 0) this.remove(row);
  }

  /** What to write when it has been replaced, but has requests that go on. */
  planRetire(): void {
    const row = this.rowOf(this.me);
    if (row >= 0) this.cells.set(row + 1, RETIRED);
  }

  /** Another member has ended: `plan` removes it, and what it used is free. */
  bury(number: f64): void {
    this.buried.grow(this.buriedCount + 1);
    this.buried.set(this.buriedCount++, number);
  }

  /** A member of this number was there, and is not any more. */
  isGone(number: f64): bool {
    if (number >= this.nextNumber) return false;
    for (let i: i32 = 0; i < this.seen; i++) if (this.numbers.get(i) === number) return false;
    return true;
  }

  /** A member gives no sign of life. */
  isSilent(number: f64, now: f64): bool {
    const i = this.seenAt(number);
    return i >= 0 && number !== this.me && now - this.heardAt.get(i) >= SILENT_MS;
  }

  /** What a member has under its first number is nobody's: it is not there any more. */
  isFirstGone(first: f64): bool {
    if (first >= this.nextNumber) return false;
    for (let i: i32 = 0; i < this.seen; i++) if (this.firsts.get(i) === first) return false;
    return true;
  }

  /** A member of this first number is there, and can say something. */
  speaks(first: f64, now: f64): bool {
    for (let i: i32 = 0; i < this.seen; i++) {
      if (this.firsts.get(i) === first) return !this.isSilent(this.numbers.get(i), now);
    }
    // It came after this member has looked.
    return first >= this.nextNumber;
  }

  /** It can hear something as well: one that has been replaced can not. */
  hears(first: f64, now: f64): bool {
    for (let i: i32 = 0; i < this.seen; i++) {
      if (this.firsts.get(i) === first && this.states.get(i) === RETIRED) return false;
    }
    return this.speaks(first, now);
  }

  /** Whether this member tells what is the same for all of them: one of them does. */
  tells(): bool {
    for (let i: i32 = 0; i < this.seen; i++) if (this.states.get(i) !== RETIRED) return this.numbers.get(i) === this.me;
    return true;
  }

  /** The number of a member, by its place in the list. */
  member(i: i32): f64 {
    return this.numbers.get(i);
  }

  private begin(): void {
    this.cells.grow(HEADER + ROW);
    this.cells.set(0, FORMAT);
    this.cells.set(NEXT, 1);
    this.cells.set(COUNT, 0);
    this.size = HEADER;
  }

  private countOf(): i32 {
    return this.cells.get(COUNT) as i32;
  }

  /** Where a member stands; below 0: nowhere. */
  private rowOf(number: f64): i32 {
    for (let row = HEADER; row < this.size; row += ROW) if (this.cells.get(row) === number) return row;
    return -1;
  }

  private takeNumber(): f64 {
    const number = this.cells.get(NEXT);
    this.cells.set(NEXT, number + 1);
    return number;
  }

  private add(): i32 {
    const row = this.size;
    this.size += ROW;
    this.cells.grow(this.size);
    const number = this.takeNumber();
    this.cells.set(row, number);
    this.cells.set(row + 1, ALONE);
    this.cells.set(row + 2, 0);
    this.cells.set(row + 3, number);
    this.cells.add(COUNT, 1);
    return row;
  }

  private remove(row: i32): void {
    for (let i = row; i < this.size - ROW; i++) this.cells.set(i, this.cells.get(i + ROW));
    this.size -= ROW;
    this.cells.add(COUNT, -1);
  }

  private reclaim(now: f64): void {
    for (let row = this.size - ROW; row >= HEADER; row -= ROW) {
      const number = this.cells.get(row);
      if (number === this.me || this.cells.get(row + 1) === RETIRED) continue;
      const i = this.seenAt(number);
      const unchanged = i >= 0 && this.counters.get(i) === this.cells.get(row + 2);
      if (unchanged && now - this.heardAt.get(i) >= this.reclaimAfter) this.remove(row);
    }
  }

  private seenAt(number: f64): i32 {
    for (let i: i32 = 0; i < this.seen; i++) if (this.numbers.get(i) === number) return i;
    return -1;
  }

  /** Learns who is there, who gives signs of life, and who shares. */
  private listen(now: f64): void {
    this.numbers.grow(this.count);
    this.counters.grow(this.count);
    this.states.grow(this.count);
    this.heardAt.grow(this.count);
    this.firsts.grow(this.count);
    this.active = true;
    this.silent = 0;
    // It did not run itself (a process that was stopped, a machine without time): nobody else is to blame.
    const stopped = now - this.lastCommit > STOPPED_MS;
    this.lastCommit = now;
    this.changed = this.count !== this.seen;
    let at: i32 = 0;
    for (let row = HEADER; row < this.size; row += ROW) {
      if (at >= this.seen || this.numbers.get(at) !== this.cells.get(row)) this.changed = true;
      this.listenTo(at, row, stopped, now);
      if (this.cells.get(row) !== this.me) {
        const unheard = now - this.heardAt.get(at);
        if (unheard >= SILENT_MS) this.silent++;
        if (unheard < UNHEARD_MS && this.cells.get(row + 1) === ALONE) this.active = false;
      }
      at++;
    }
    this.seen = at;
  }

  /** Brings place `at` of what was seen up to date with a row. Numbers of the record keep their order, so they only move up. */
  private listenTo(at: i32, row: i32, stopped: bool, now: f64): void {
    const number = this.cells.get(row);
    const counter = this.cells.get(row + 2);
    let before = at;
    while (before < this.seen && this.numbers.get(before) !== number) before++;
    const state = this.cells.get(row + 1);
    const retired = state === RETIRED;
    if (retired && before < this.seen && this.states.get(before) !== RETIRED) this.changed = true;
    const heard = stopped || retired || before >= this.seen || this.counters.get(before) !== counter;
    const heardAt = heard ? now : this.heardAt.get(before);
    this.numbers.set(at, number);
    this.counters.set(at, counter);
    this.states.set(at, state);
    this.heardAt.set(at, heardAt);
    this.firsts.set(at, this.cells.get(row + 3));
  }
}
