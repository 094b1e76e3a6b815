// One service at one member: the slots that it holds, and who waits for one here. Several Envoys share the slots of a service
// as members of one coordinator (src/slots/coordinator.ts); each slot is held by exactly one of them, or is on its way.
//
// Pure: no clock and no host. The caller passes the time (milliseconds of its own clock), delivers what the coordinator says,
// and pulls what follows: `startCount` requests that go now, `messageCount` messages for the newest stream. Nothing is allocated
// per request. Compiles with tsc and asc, so that the same lines run in Envoy and in Node.
//
// The numbers of the rules are those of docs/shared-slots.md.
import { Floats, Ints } from './columns.ts';

/** No request. */
export const NONE: i32 = -1;

/** The messages of a member. WAITS: a request and its age; LEFT: a request; RELEASED: a pod. */
export const WAITS: i32 = 0;
export const LEFT: i32 = 1;
export const RELEASED: i32 = 2;

// Where a request stands.
const FREE: i32 = 0;
const WAITING: i32 = 1;
const WORKING: i32 = 2;

// The name of a request is its serial number times this, plus its place: a late message never means another request.
const PLACES: f64 = 1048576;

export class Member {
  /** The newest stream. What any other one brings is not read (rule 1). */
  stream: i32 = 0;
  /** The newest stream has brought its welcome, so the coordinator is to hear what happens. */
  connected: bool = false;
  /** The highest term it has heard of (rule 2). */
  term: f64 = 0;
  /** Nobody else shares the service: waiting requests are not told (rule 10). */
  alone: bool = false;
  /** When the oldest request arrived that waits at another member. */
  elsewhere: f64 = Infinity;
  /** Its own first goes if it is at most so much younger than the oldest elsewhere: less exact order, fewer moves. */
  slack: f64 = 0;
  /** So many released slots may be unacknowledged (rule 7). */
  window: i32 = 1;
  /** Requests that wait. */
  waiting: i32 = 0;

  private unacknowledged: i32 = 0;

  // Pods by number. Held: slots of this member, used: those with a request, owed: those that are called back,
  // lost: requests that still run in slots which were taken away when this member was declared dead (rule 8).
  private podEnd: i32 = 0;
  private heldSlots: Ints = new Ints();
  private usedSlots: Ints = new Ints();
  private owedSlots: Ints = new Ints();
  private lostSlots: Ints = new Ints();

  // Requests by place: the queue, oldest first, and the free places.
  private requestRoom: i32 = 0;
  private requestEnd: i32 = 0;
  private freePlace: i32 = NONE;
  private head: i32 = NONE;
  private tail: i32 = NONE;
  private untold: i32 = 0;
  private serial: f64 = 0;
  private states: Ints = new Ints();
  private next: Ints = new Ints();
  private previous: Ints = new Ints();
  private told: Ints = new Ints();
  private podOfRequest: Ints = new Ints();
  private names: Floats = new Floats();
  private arrivals: Floats = new Floats();

  // What follows, until `clear`.
  startCount: i32 = 0;
  messageCount: i32 = 0;
  private startRoom: i32 = 0;
  private startRequests: Ints = new Ints();
  private messageRoom: i32 = 0;
  private messageKinds: Ints = new Ints();
  private messageSubjects: Floats = new Floats();
  private messageAges: Floats = new Floats();

  // ---- Requests ----

  /** A request has arrived. It waits, or is among those that start. */
  arrive(now: f64): i32 {
    const r = this.newRequest(now);
    this.join(r);
    this.advance(now);
    return r;
  }

  /** The pod is done with a request, or it gave up: whatever it had is given back. `r` is not used again. */
  end(r: i32, now: f64): void {
    const state = this.states.get(r);
    if (state === WAITING) {
      this.leave(r);
      if (this.told.get(r) !== 0) this.tell(LEFT, this.names.get(r), 0);
    } else if (state === WORKING) {
      const pod = this.podOfRequest.get(r);
      if (this.lostSlots.get(pod) > 0) this.lostSlots.add(pod, -1);
      else this.usedSlots.add(pod, -1);
    }
    this.freeRequest(r);
    this.advance(now);
  }

  isWaiting(r: i32): bool {
    return this.states.get(r) === WAITING;
  }

  /** Its name in messages. */
  nameOf(r: i32): f64 {
    return this.names.get(r);
  }

  arrivedAt(r: i32): f64 {
    return this.arrivals.get(r);
  }

  podOf(r: i32): i32 {
    return this.podOfRequest.get(r);
  }

  /** The first that waits, or NONE; with `after` all that wait, oldest first. */
  first(): i32 {
    return this.head;
  }

  after(r: i32): i32 {
    return this.next.get(r);
  }

  // ---- Pods ----

  /** Makes room for pods with numbers below `count`. */
  pods(count: i32): void {
    if (count <= this.podEnd) return;
    this.podEnd = count;
    this.heldSlots.grow(count);
    this.usedSlots.grow(count);
    this.owedSlots.grow(count);
    this.lostSlots.grow(count);
  }

  podCount(): i32 {
    return this.podEnd;
  }

  held(pod: i32): i32 {
    return this.heldSlots.get(pod);
  }

  used(pod: i32): i32 {
    return this.usedSlots.get(pod);
  }

  /** Requests that still run in slots which were taken away when this member was declared dead. */
  lost(pod: i32): i32 {
    return this.lostSlots.get(pod);
  }

  // ---- The stream ----

  /** A new stream is opened. The one before is not read any more. */
  open(now: f64): i32 {
    this.close(now);
    return ++this.stream;
  }

  /** The newest stream is over. It goes on with the slots that it holds, in the order of its own queue. */
  close(now: f64): void {
    this.connected = false;
    this.alone = false;
    this.elsewhere = Infinity;
    this.messageCount = 0;
    for (let r = this.head; r !== NONE; r = this.next.get(r)) this.told.set(r, 0);
    this.untold = this.waiting;
    this.advance(now);
  }

  /**
   * The first message of a stream. True: the caller now sends the hello, with all `held` slots and all that wait.
   * False: it comes from a coordinator that has been replaced; the caller closes the stream (rule 2).
   */
  welcome(stream: i32, term: f64, now: f64): bool {
    if (!this.reads(stream)) return false;
    if (term < this.term) {
      this.close(now);
      return false;
    }
    this.term = term;
    this.connected = true;
    this.unacknowledged = 0;
    for (let r = this.head; r !== NONE; r = this.next.get(r)) this.told.set(r, 1);
    this.untold = 0;
    return true;
  }

  /** The coordinator gives a slot, for the request of that name; 0: for nobody, it stays idle here. */
  grant(stream: i32, pod: i32, name: f64, now: f64): void {
    if (!this.reads(stream) || !this.connected) return;
    this.pods(pod + 1);
    this.heldSlots.add(pod, 1);
    // What was called back before has been given meanwhile, or is called back again (rule 5).
    this.owedSlots.set(pod, 0);
    const r = name === 0 ? NONE : this.find(name);
    if (r !== NONE) {
      // The coordinator has taken it off its queue. The oldest here goes, whoever is older elsewhere (rule 6).
      if (this.told.get(r) !== 0) this.untold++;
      this.told.set(r, 0);
      this.begin(this.head, pod);
    }
    this.advance(now);
  }

  /** So many slots of the pod are too many in all: idle ones are given back, and others as their requests end (rule 5). */
  recall(stream: i32, pod: i32, count: i32, now: f64): void {
    if (!this.reads(stream) || !this.connected) return;
    this.pods(pod + 1);
    const held = this.heldSlots.get(pod);
    this.owedSlots.set(pod, count < held ? count : held);
    this.advance(now);
  }

  /** The age of the oldest request that waits at another member; Infinity: nobody waits there. */
  oldestElsewhere(stream: i32, age: f64, now: f64): void {
    if (!this.reads(stream) || !this.connected) return;
    this.elsewhere = age === Infinity ? Infinity : now - age;
    this.advance(now);
  }

  /** So many released slots have arrived. */
  acknowledged(stream: i32, count: i32, now: f64): void {
    if (!this.reads(stream) || !this.connected) return;
    this.unacknowledged = this.unacknowledged > count ? this.unacknowledged - count : 0;
    this.advance(now);
  }

  /** Whether other members share the service. */
  setAlone(stream: i32, alone: bool, now: f64): void {
    if (!this.reads(stream) || !this.connected) return;
    this.alone = alone;
    this.advance(now);
  }

  /** It was declared dead, but lives: its slots are no longer its own. The caller takes a new epoch before it connects again. */
  declaredDead(stream: i32, now: f64): void {
    if (!this.reads(stream)) return;
    for (let pod: i32 = 0; pod < this.podEnd; pod++) {
      this.lostSlots.add(pod, this.usedSlots.get(pod));
      this.usedSlots.set(pod, 0);
      this.heldSlots.set(pod, 0);
      this.owedSlots.set(pod, 0);
    }
    this.close(now);
  }

  // ---- What follows ----

  startedRequest(i: i32): i32 {
    return this.startRequests.get(i);
  }

  /** WAITS, LEFT or RELEASED. */
  messageKind(i: i32): i32 {
    return this.messageKinds.get(i);
  }

  /** The name of the request, or the number of the pod. */
  messageSubject(i: i32): f64 {
    return this.messageSubjects.get(i);
  }

  /** Between machines ages are sent, not times (rule 11). */
  messageAge(i: i32): f64 {
    return this.messageAges.get(i);
  }

  /** Starts and messages are read. */
  clear(): void {
    this.startCount = 0;
    this.messageCount = 0;
  }

  // ---- Steps ----

  private reads(stream: i32): bool {
    return stream === this.stream;
  }

  /** A slot may go back: it will be heard of, and not too many are on their way. */
  private mayRelease(): bool {
    return this.connected && this.unacknowledged < this.window;
  }

  private advance(now: f64): void {
    this.startOwn();
    // Without a stream nothing is given back: nobody would hear of it.
    if (!this.connected) return;
    for (let pod: i32 = 0; pod < this.podEnd; pod++) this.giveBack(pod);
    if (this.alone) return;
    for (let r = this.tail; this.untold > 0; r = this.previous.get(r)) {
      if (this.told.get(r) !== 0) continue;
      this.told.set(r, 1);
      this.untold--;
      this.tell(WAITS, this.names.get(r), now - this.arrivals.get(r));
    }
  }

  /** Starts its own first as long as nobody older waits elsewhere, or as long as the way there is blocked (rule 7). */
  private startOwn(): void {
    while (this.head !== NONE) {
      const inOrder = this.arrivals.get(this.head) <= this.elsewhere + this.slack;
      const blocked = this.connected && !this.mayRelease();
      if (!inOrder && !blocked) return;
      const pod = this.idlePod();
      if (pod === NONE) return;
      this.begin(this.head, pod);
    }
  }

  private giveBack(pod: i32): void {
    while (this.owedSlots.get(pod) > 0 && this.heldSlots.get(pod) > this.usedSlots.get(pod)) this.release(pod);
    if (this.elsewhere === Infinity) return;
    while (this.heldSlots.get(pod) > this.usedSlots.get(pod) && this.mayRelease()) this.release(pod);
  }

  /** The pod with a slot to use that has the fewest requests of this member. */
  private idlePod(): i32 {
    let best: i32 = NONE;
    let fewest: i32 = 0x7fffffff;
    for (let pod: i32 = 0; pod < this.podEnd; pod++) {
      const used = this.usedSlots.get(pod);
      const idle = this.heldSlots.get(pod) - used - this.owedSlots.get(pod);
      if (idle > 0 && used < fewest) {
        best = pod;
        fewest = used;
      }
    }
    return best;
  }

  private begin(r: i32, pod: i32): void {
    this.leave(r);
    this.states.set(r, WORKING);
    this.podOfRequest.set(r, pod);
    this.usedSlots.add(pod, 1);
    if (this.told.get(r) !== 0) this.tell(LEFT, this.names.get(r), 0);
    const i = this.startCount++;
    if (i >= this.startRoom) {
      this.startRoom = i < 8 ? 16 : i * 2;
      this.startRequests.grow(this.startRoom);
    }
    this.startRequests.set(i, r);
  }

  private release(pod: i32): void {
    this.heldSlots.add(pod, -1);
    this.unacknowledged++;
    if (this.owedSlots.get(pod) > 0) this.owedSlots.add(pod, -1);
    this.tell(RELEASED, pod as f64, 0);
  }

  private tell(kind: i32, subject: f64, age: f64): void {
    if (!this.connected) return;
    const i = this.messageCount++;
    if (i >= this.messageRoom) {
      this.messageRoom = i < 8 ? 16 : i * 2;
      this.messageKinds.grow(this.messageRoom);
      this.messageSubjects.grow(this.messageRoom);
      this.messageAges.grow(this.messageRoom);
    }
    this.messageKinds.set(i, kind);
    this.messageSubjects.set(i, subject);
    this.messageAges.set(i, age);
  }

  // ---- The queue ----

  private join(r: i32): void {
    this.previous.set(r, this.tail);
    this.next.set(r, NONE);
    if (this.tail === NONE) this.head = r;
    else this.next.set(this.tail, r);
    this.tail = r;
    this.states.set(r, WAITING);
    this.waiting++;
    this.untold++;
  }

  private leave(r: i32): void {
    const before = this.previous.get(r);
    const next = this.next.get(r);
    if (before === NONE) this.head = next;
    else this.next.set(before, next);
    if (next === NONE) this.tail = before;
    else this.previous.set(next, before);
    this.waiting--;
    if (this.told.get(r) === 0) this.untold--;
  }

  /** The waiting request of this name, or NONE. */
  private find(name: f64): i32 {
    const r = (name % PLACES) as i32;
    if (r >= this.requestEnd || this.states.get(r) !== WAITING || this.names.get(r) !== name) return NONE;
    return r;
  }

  private newRequest(now: f64): i32 {
    let r = this.freePlace;
    if (r !== NONE) {
      this.freePlace = this.next.get(r);
    } else {
      r = this.requestEnd++;
      if (r >= this.requestRoom) this.growRequests();
    }
    this.serial += 1;
    this.names.set(r, this.serial * PLACES + (r as f64));
    this.arrivals.set(r, now);
    this.told.set(r, 0);
    this.podOfRequest.set(r, NONE);
    return r;
  }

  private freeRequest(r: i32): void {
    this.states.set(r, FREE);
    this.next.set(r, this.freePlace);
    this.freePlace = r;
  }

  private growRequests(): void {
    const room: i32 = this.requestRoom === 0 ? 64 : this.requestRoom * 2;
    this.requestRoom = room;
    this.states.grow(room);
    this.next.grow(room);
    this.previous.grow(room);
    this.told.grow(room);
    this.podOfRequest.grow(room);
    this.names.grow(room);
    this.arrivals.grow(room);
  }
}
