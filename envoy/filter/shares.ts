// The slots that this Envoy holds while several share the pods of its services. They are members of one coordinator
// (src/slots/coordinator.ts): each slot is held by exactly one of them, or is on its way between two.
//
// Pure: the caller passes the time, delivers what the coordinator says, calls `step` for each service with a change once all
// requests that may start have been started, then `tell`, and pulls the messages that follow. Nothing is allocated per request.
// Compiles with tsc and asc, so that the same lines run in Envoy and in Node.
//
// The numbers of the rules are those of docs/shared-slots.md.
import { Floats, Ints } from './columns.ts';
import { NONE, Queues } from './queue.ts';

/** The messages of a member, as in queue.proto. WAITS: a request and its age; LEFT: a request; RELEASED: a pod. */
export const WAITS: i32 = 0;
export const LEFT: i32 = 1;
export const RELEASED: i32 = 2;

export class Shares {
  /** Counts the streams. What any but the newest brings is not read (rule 1). */
  stream: i32 = 0;
  /** The newest stream has brought its welcome, so the coordinator is to hear what happens. */
  connected: bool = false;
  /** The highest term it has heard of (rule 2). */
  term: f64 = 0;
  /** Nobody else shares the services: waiting requests are not told (rule 10). */
  alone: bool = false;
  /** So many released slots of a service may be unacknowledged (rule 7). */
  window: i32 = 1;

  private queues: Queues;
  private room: i32 = 0;
  // By service: when the oldest request arrived that waits at another member; how much younger its own first may be and still go
  // (less exact order, fewer moves); released slots that are not acknowledged.
  private elsewheres: Floats = new Floats();
  private slacks: Floats = new Floats();
  private unacknowledged: Ints = new Ints();

  // What follows, until `clear`.
  messageCount: i32 = 0;
  private messageRoom: i32 = 0;
  private messageKinds: Ints = new Ints();
  private messageServices: Ints = new Ints();
  private messageNames: Floats = new Floats();
  private messageAges: Floats = new Floats();
  private messagePods: Ints = new Ints();

  constructor(queues: Queues) {
    this.queues = queues;
  }

  /** A service has this number from now on. */
  add(s: i32): void {
    if (s >= this.room) {
      this.room = s < 16 ? 32 : s * 2;
      this.elsewheres.grow(this.room);
      this.slacks.grow(this.room);
      this.unacknowledged.grow(this.room);
    }
    this.elsewheres.set(s, Infinity);
    this.slacks.set(s, 0);
    this.unacknowledged.set(s, 0);
  }

  /** Its own first goes if it is at most so much younger than the oldest elsewhere; not more than a request usually works. */
  setSlack(s: i32, slack: f64): void {
    this.slacks.set(s, slack);
    this.gate(s);
  }

  /** The slots of the pods are no longer all its own: of this service it holds those that are in use. */
  begin(s: i32): void {
    let p = this.queues.anyPod(s);
    for (let left = this.queues.podCount(s); left > 0; left--) {
      this.queues.setLost(p, 0);
      this.queues.setOwed(p, 0);
      this.queues.setHeld(p, this.queues.podInUseOf(p));
      p = this.queues.podAfter(p);
    }
    this.queues.refresh(s);
  }

  // ---- The stream ----

  /** A new stream is opened. The one before is not read any more. */
  open(services: i32): i32 {
    this.close(services);
    return ++this.stream;
  }

  /** The newest stream is over. It goes on with the slots that it holds, in the order of its own queues. */
  close(services: i32): void {
    if (!this.connected) return;
    this.connected = false;
    this.alone = false;
    this.clear();
    this.queues.clearNews();
    for (let s: i32 = 0; s < services; s++) {
      this.elsewheres.set(s, Infinity);
      this.gate(s);
      for (let r = this.queues.firstWaiting(s); r !== NONE; r = this.queues.after(r)) this.queues.setTold(r, false);
      this.queues.unshared(s);
    }
    for (let r = this.queues.firstClaim(); r !== NONE; r = this.queues.nextClaim(r)) this.queues.setTold(r, false);
  }

  /**
   * The first message of a stream. True: the caller now says what it holds, with all that wait. False: it comes from a coordinator
   * that has been replaced; the caller closes the stream (rule 2).
   */
  welcome(stream: i32, term: f64, services: i32): bool {
    if (!this.reads(stream)) return false;
    if (term < this.term) {
      this.close(services);
      return false;
    }
    this.term = term;
    this.connected = true;
    this.queues.clearNews();
    for (let s: i32 = 0; s < services; s++) {
      this.unacknowledged.set(s, 0);
      this.gate(s);
      for (let r = this.queues.firstWaiting(s); r !== NONE; r = this.queues.after(r)) this.queues.setTold(r, true);
    }
    for (let r = this.queues.firstClaim(); r !== NONE; r = this.queues.nextClaim(r)) this.queues.setTold(r, true);
    return true;
  }

  /** The coordinator gives a slot, for the request of that name; 0: for nobody, it stays idle here. */
  grant(stream: i32, p: i32, name: f64): void {
    if (!this.hears(stream)) return;
    const s = this.queues.serviceOfPod(p);
    // What was called back before has been given meanwhile, or is called back again (rule 5).
    this.queues.setOwed(p, 0);
    this.queues.setHeld(p, this.queues.held(p) + 1);
    const r = name === 0 ? NONE : this.queues.named(name);
    if (r !== NONE) {
      // The coordinator has taken it off its queue: it is told again if it still waits. The oldest here goes, whoever is older
      // elsewhere (rule 6).
      this.queues.noteJoined(r);
      if (this.queues.isWaiting(r)) this.queues.pass(s);
    }
    this.queues.unshared(s);
  }

  /** So many slots of the pod are too many in all: idle ones are given back, and others as their requests end (rule 5). */
  recall(stream: i32, p: i32, count: i32): void {
    if (!this.hears(stream)) return;
    const held = this.queues.held(p);
    this.queues.setOwed(p, count < held ? count : held);
    this.queues.unshared(this.queues.serviceOfPod(p));
  }

  /** The age of the oldest request that waits at another member; Infinity: nobody waits there. */
  oldestElsewhere(stream: i32, s: i32, age: f64, now: f64): void {
    if (!this.hears(stream)) return;
    this.elsewheres.set(s, age === Infinity ? Infinity : now - age);
    this.gate(s);
    this.queues.unshared(s);
  }

  /** So many released slots have arrived. */
  acknowledged(stream: i32, s: i32, count: i32): void {
    if (!this.hears(stream)) return;
    const open = this.unacknowledged.get(s);
    this.unacknowledged.set(s, open > count ? open - count : 0);
    this.gate(s);
    this.queues.unshared(s);
  }

  /** Whether other members share the services. */
  setAlone(stream: i32, alone: bool, services: i32): void {
    if (!this.hears(stream)) return;
    this.alone = alone;
    if (alone) return;
    for (let s: i32 = 0; s < services; s++) {
      for (let r = this.queues.firstWaiting(s); r !== NONE; r = this.queues.after(r)) this.retell(r);
    }
    for (let r = this.queues.firstClaim(); r !== NONE; r = this.queues.nextClaim(r)) this.retell(r);
  }

  /** It was declared dead, but lives: its slots are no longer its own. The caller takes a new epoch before it connects again. */
  declaredDead(stream: i32, services: i32): void {
    if (!this.reads(stream)) return;
    for (let s: i32 = 0; s < services; s++) {
      let p = this.queues.anyPod(s);
      for (let left = this.queues.podCount(s); left > 0; left--) {
        const next = this.queues.podAfter(p);
        this.queues.setLost(p, this.queues.podInUseOf(p));
        this.queues.setOwed(p, 0);
        this.queues.setHeld(p, 0);
        p = next;
      }
    }
    this.close(services);
  }

  // ---- What follows ----

  /** Gives back slots of a service that others need more. All that may start have been started. */
  step(s: i32): void {
    this.queues.clearPasses(s);
    // Without a stream nothing is given back: nobody would hear of it.
    if (!this.connected) {
      this.passOn(s);
      return;
    }
    let p = this.queues.anyPod(s);
    for (let left = this.queues.podCount(s); left > 0; left--) {
      const next = this.queues.podAfter(p);
      this.giveBack(s, p);
      p = next;
    }
    this.gate(s);
  }

  /**
   * An edit gave a pod to another service, and the coordinator is away: the idle slots that this member holds of it are those of the other
   * one from now on. The next hello says so.
   */
  private passOn(s: i32): void {
    let p = this.queues.anyPod(s);
    for (let left = this.queues.podCount(s); left > 0; left--) {
      const next = this.queues.podAfter(p);
      const heir = this.isIdle(p) && !this.queues.givesSlots(p) ? this.heirOf(p) : NONE;
      if (heir !== NONE) {
        const slots = this.queues.held(p) - this.queues.used(p);
        this.queues.setOwed(p, 0);
        this.queues.setHeld(heir, this.queues.held(heir) + slots);
        this.queues.setHeld(p, this.queues.held(p) - slots);
      }
      p = next;
    }
  }

  /** The same pod of a service that gets slots of it; the first one for which somebody waits. */
  private heirOf(p: i32): i32 {
    let heir: i32 = NONE;
    for (let t = this.queues.twin(p); t !== p; t = this.queues.twin(t)) {
      if (!this.queues.givesSlots(t)) continue;
      if (this.queues.waiting(this.queues.serviceOfPod(t)) > 0) return t;
      if (heir === NONE) heir = t;
    }
    return heir;
  }

  /** Gives all idle slots of a service back, but for those that its own waiting requests may use. */
  releaseIdle(s: i32): void {
    if (!this.connected || this.queues.waiting(s) > 0) return;
    let p = this.queues.anyPod(s);
    for (let left = this.queues.podCount(s); left > 0; left--) {
      const next = this.queues.podAfter(p);
      while (this.isIdle(p)) this.release(s, p);
      p = next;
    }
  }

  /** Tells who waits and who does not any more. */
  tell(now: f64): void {
    if (this.connected) {
      for (let i: i32 = 0; i < this.queues.leftCount; i++) {
        this.message(LEFT, this.queues.leftService(i), this.queues.leftName(i), 0, NONE);
      }
      for (let i: i32 = 0; i < this.queues.joinedCount && !this.alone; i++) this.tellJoined(this.queues.joined(i), now);
    }
    this.queues.clearNews();
  }

  private tellJoined(r: i32, now: f64): void {
    if (this.queues.isTold(r)) return;
    const waits = this.queues.isWaiting(r);
    if (!waits && !this.queues.isClaiming(r)) return;
    this.queues.setTold(r, true);
    const pod = waits ? NONE : this.queues.claimOf(r);
    this.message(WAITS, this.queues.serviceOf(r), this.queues.nameOf(r), now - this.queues.came(r), pod);
  }

  /** WAITS, LEFT or RELEASED. */
  messageKind(i: i32): i32 {
    return this.messageKinds.get(i);
  }

  messageService(i: i32): i32 {
    return this.messageServices.get(i);
  }

  /** The name of the request. */
  messageName(i: i32): f64 {
    return this.messageNames.get(i);
  }

  /** Between machines ages are sent, not times (rule 11). */
  messageAge(i: i32): f64 {
    return this.messageAges.get(i);
  }

  /** The pod that is released, or the only one that the request can use; NONE: any. */
  messagePod(i: i32): i32 {
    return this.messagePods.get(i);
  }

  /** The messages are read. */
  clear(): void {
    this.messageCount = 0;
  }

  // ---- Steps ----

  private reads(stream: i32): bool {
    return stream === this.stream;
  }

  private hears(stream: i32): bool {
    return this.reads(stream) && this.connected;
  }

  private retell(r: i32): void {
    if (!this.queues.isTold(r)) this.queues.noteJoined(r);
  }

  /** A slot may go back: it will be heard of, and not too many are on their way. */
  private mayRelease(s: i32): bool {
    return this.connected && this.unacknowledged.get(s) < this.window;
  }

  /** Its own first starts as long as nobody older waits elsewhere, or as long as the way there is blocked (rule 7). */
  private gate(s: i32): void {
    const blocked = this.connected && !this.mayRelease(s);
    const usual = this.queues.usual(s);
    const slack = usual > 0 && usual < this.slacks.get(s) ? usual : this.slacks.get(s);
    this.queues.setGate(s, blocked ? Infinity : this.elsewheres.get(s) + slack);
  }

  private giveBack(s: i32, p: i32): void {
    while (this.queues.owed(p) > 0 && this.isIdle(p)) this.release(s, p);
    // A pod that gets no request here may get some from others.
    const usable = this.queues.podSlotsOf(p) > 0 || this.queues.claimsOf(p) > 0;
    while (!usable && this.isIdle(p)) this.release(s, p);
    if (this.elsewheres.get(s) === Infinity || this.queues.mightStart(s)) return;
    while (this.isIdle(p) && this.mayRelease(s)) this.release(s, p);
  }

  private isIdle(p: i32): bool {
    return this.queues.held(p) > this.queues.used(p);
  }

  private release(s: i32, p: i32): void {
    this.unacknowledged.add(s, 1);
    if (this.queues.owed(p) > 0) this.queues.setOwed(p, this.queues.owed(p) - 1);
    // Told before the pod may be forgotten with its last slot.
    this.message(RELEASED, s, 0, 0, p);
    this.queues.setHeld(p, this.queues.held(p) - 1);
  }

  private message(kind: i32, s: i32, name: f64, age: f64, p: i32): void {
    const i = this.messageCount++;
    if (i >= this.messageRoom) {
      this.messageRoom = i < 8 ? 16 : i * 2;
      this.messageKinds.grow(this.messageRoom);
      this.messageServices.grow(this.messageRoom);
      this.messageNames.grow(this.messageRoom);
      this.messageAges.grow(this.messageRoom);
      this.messagePods.grow(this.messageRoom);
    }
    this.messageKinds.set(i, kind);
    this.messageServices.set(i, s);
    this.messageNames.set(i, name);
    this.messageAges.set(i, age);
    this.messagePods.set(i, p);
  }
}
