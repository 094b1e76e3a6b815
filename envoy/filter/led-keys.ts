// Which keys of requests are under way in an Envoy, and at which of its workers: records that all workers see (Envoy's shared data),
// each written with compare-and-set. A key leads at the worker that wrote it into its record first; others write themselves in as
// followers, and whoever takes the key out of its record reads by that who is to hear how it ended. So a key leads once, also beside
// workers that stand still, and nobody that follows is forgotten.
//
// A key is a number here, which two keys may share: then the second one is in conflict with the first.
//
// Pure: `cells` is a record, the caller reads and writes it. Compiles with tsc and asc.
import { Floats } from './columns.ts';
import { Membership } from './membership.ts';

// A key in a record: its number, the worker (its first number as a member) and which of its keys this is, how it stands, how many
// workers follow, then these.
const KEY: i32 = 0;
const WORKER: i32 = 1;
const SERIAL: i32 = 2;
const STATE: i32 = 3;
const FOLLOWERS: i32 = 4;
const HEADER: i32 = 5;

/** How a key stands. It may be followed; its answer has begun and is not kept; it has its answer, and is a job; it is over. */
export const OPEN: i32 = 0;
export const CLOSED: i32 = 1;
export const JOB: i32 = 2;
export const OVER: i32 = 3;

export class LedKeys {
  /** A record as it was read, and as it is to be written. */
  cells: Floats = new Floats();
  size: i32 = 0;
  /** The last call has changed it. */
  changed: bool = false;
  /** What `claim` has found: at which worker the key leads, as which of its keys, and how it stands. */
  worker: f64 = 0;
  serial: f64 = 0;
  state: i32 = OPEN;
  /** Workers that followed the key of the last `settle`. */
  followers: i32 = 0;

  private membership: Membership;
  private room: i32 = 0;
  private followed: Floats = new Floats();

  constructor(membership: Membership) {
    this.membership = membership;
  }

  /** Makes room for a record of `size` cells, which the caller then reads into `cells`. */
  prepare(size: i32): void {
    // Room for one more key, or one more follower, than there is.
    if (size + HEADER > this.room) {
      this.room = (size + HEADER) * 2;
      this.cells.grow(this.room);
    }
    this.size = size;
  }

  /** Whether this key leads here from now on, as number `serial` of this worker. If not, and `follows`, this worker follows it, where it may. */
  claim(key: f64, serial: f64, follows: bool): bool {
    this.changed = false;
    this.forgetGone();
    const at = this.find(key);
    if (at >= 0) {
      this.worker = this.cells.get(at + WORKER);
      this.serial = this.cells.get(at + SERIAL);
      this.state = this.cells.get(at + STATE) as i32;
      if (follows && this.state === OPEN && this.worker !== this.membership.first) this.follow(at);
      return false;
    }
    const end = this.size;
    this.size += HEADER;
    this.cells.set(end + KEY, key);
    this.cells.set(end + WORKER, this.membership.first);
    this.cells.set(end + SERIAL, serial);
    this.cells.set(end + STATE, OPEN as f64);
    this.cells.set(end + FOLLOWERS, 0);
    this.changed = true;
    return true;
  }

  /** Nobody may follow a key of this worker any more, unless somebody does. Whether somebody does. */
  closeUnfollowed(key: f64, serial: f64): bool {
    this.changed = false;
    const at = this.findOwn(key, serial);
    if (at < 0) return false;
    if (this.cells.get(at + FOLLOWERS) > 0) return true;
    this.setState(at, CLOSED);
    return false;
  }

  /** How a key of this worker stands from now on. Nobody follows it any more: `follower` has those that did. */
  settle(key: f64, serial: f64, state: i32): void {
    this.changed = false;
    this.followers = 0;
    const at = this.findOwn(key, serial);
    if (at < 0) return;
    this.followers = this.cells.get(at + FOLLOWERS) as i32;
    this.followed.grow(this.followers);
    for (let i = 0; i < this.followers; i++) this.followed.set(i, this.cells.get(at + HEADER + i));
    if (state === OVER) {
      this.cut(at, HEADER + this.followers);
      return;
    }
    if (this.followers > 0) this.cut(at + HEADER, this.followers);
    this.cells.set(at + FOLLOWERS, 0);
    this.setState(at, state);
  }

  /** The first number of a worker that followed. */
  follower(i: i32): f64 {
    return this.followed.get(i);
  }

  private find(key: f64): i32 {
    for (let at = 0; at < this.size; at += this.sizeAt(at)) if (this.cells.get(at + KEY) === key) return at;
    return -1;
  }

  private findOwn(key: f64, serial: f64): i32 {
    const at = this.find(key);
    if (at < 0 || this.cells.get(at + WORKER) !== this.membership.first) return -1;
    return this.cells.get(at + SERIAL) === serial ? at : -1;
  }

  private sizeAt(at: i32): i32 {
    return HEADER + (this.cells.get(at + FOLLOWERS) as i32);
  }

  private setState(at: i32, state: i32): void {
    if ((this.cells.get(at + STATE) as i32) === state) return;
    this.cells.set(at + STATE, state as f64);
    this.changed = true;
  }

  private follow(at: i32): void {
    const end = at + this.sizeAt(at);
    for (let i = at + HEADER; i < end; i++) if (this.cells.get(i) === this.membership.first) return;
    for (let i = this.size - 1; i >= end; i--) this.cells.set(i + 1, this.cells.get(i));
    this.size++;
    this.cells.set(end, this.membership.first);
    this.cells.add(at + FOLLOWERS, 1);
    this.changed = true;
  }

  /** What a worker had that is not there any more is nobody's. */
  private forgetGone(): void {
    let at: i32 = 0;
    while (at < this.size) {
      const size = this.sizeAt(at);
      if (this.membership.isFirstGone(this.cells.get(at + WORKER))) this.cut(at, size);
      else at += size;
    }
  }

  private cut(at: i32, count: i32): void {
    for (let i = at; i + count < this.size; i++) this.cells.set(i, this.cells.get(i + count));
    this.size -= count;
    this.changed = true;
  }
}
