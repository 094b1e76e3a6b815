// The queue of every service, and the slots of its pods: which request goes when, and where.
//
// Pure: no clock, no host, no names. The caller passes the time (milliseconds, a clock that never goes back) and knows services,
// pods and requests by number; it pulls what follows: `nextReady` and `start` for requests that may go, `expire` for those that
// waited too long, `eventCount` for what happened to pods. Nothing is allocated per request: everything lies in columns that
// grow by doubling. Compiles with tsc and asc, so the same lines run in Envoy and in Node.
//
// Which of those that wait goes first is the matter of order.ts, and nothing here knows it.
//
// An edit may give a pod to another service, and a service may get another name. Requests that a service still has at a pod it has lost
// count at the pod of that address of every other service, so nobody has to say when a slot is free there. And a service may take
// over another one (`takeOver`): all requests of that, those that wait and those that come, are its own, in the order in which they came.
import { Floats, Ints } from './columns.ts';
import { Deadlines } from './deadlines.ts';
import { BUCKETS, bucketOf } from './durations.ts';
import { Order } from './order.ts';

/** No request, pod or service. */
export const NONE: i32 = -1;
/** `arrive`: too many wait. */
export const FULL: i32 = -2;
/** `arrive`: too many requests are known in all. */
export const UNSERVED: i32 = -3;
/** `arrive`: too many of its tenant wait. */
export const TENANT_FULL: i32 = -4;
/** `arrive`: it takes more slots than any pod has. */
export const TOO_COSTLY: i32 = -5;
/** `arrive`: its deadline is over already. */
export const LATE: i32 = -6;

/** Where a request stands. FREE: its place is unused. */
export const FREE: i32 = 0;
export const WAITING: i32 = 1;
export const WORKING: i32 = 2;
/** Its client has left, or its time is over; the pod may not know yet, so it keeps its slot for a moment. So may one that has ended. */
export const HELD: i32 = 3;
/** It has ended; its place is kept until `gone`. */
export const ENDED: i32 = 4;
/** It has its answer, and its pod still works for it: it keeps its slot until `endJob`. */
export const JOB: i32 = 5;

/** What a pod is, as in queue.proto. */
export const READY: i32 = 0;
export const DRAINING: i32 = 1;
export const EJECTED: i32 = 2;
export const UNHEALTHY: i32 = 3;
export const TRYING: i32 = 4;

/** What happened to a pod, as in queue.proto; and to a service. */
export const POD_EJECTED: i32 = 0;
export const POD_RETURNED: i32 = 1;
export const POD_FORGOTTEN: i32 = 2;
export const SERVICE_FORGOTTEN: i32 = 3;

/** Why a pod was ejected, as in queue.proto. */
export const NO_REASON: i32 = 0;
export const UNREACHABLE: i32 = 1;
export const GATEWAY_ERRORS: i32 = 2;
export const CONSECUTIVE_5XX: i32 = 3;

/** How a request at a pod ended. */
export const ANSWERED: i32 = 0;
export const FAILED: i32 = 1;
export const TIMED_OUT: i32 = 2;

/** The counts of a service, in the order of `Counts` in queue.proto. */
export const ARRIVED: i32 = 0;
export const STARTED: i32 = 1;
export const COUNT_ANSWERED: i32 = 2;
export const COUNT_FAILED: i32 = 3;
export const REFUSED: i32 = 4;
export const WAIT_TIMEOUTS: i32 = 5;
export const ABANDONED_WAITING: i32 = 6;
export const ABANDONED_WORKING: i32 = 7;
export const WORK_TIMEOUTS: i32 = 8;
export const RETRIED: i32 = 9;
export const EJECTIONS: i32 = 10;
export const COUNT_UNSERVED: i32 = 11;
export const DEADLINES: i32 = 12;
export const COUNTS: i32 = 13;

// What is known of a service.
const UNKNOWN: i32 = 0;
const KNOWN: i32 = 1;
const FORGOTTEN: i32 = 2;

// Bits of a pod.
const REMOVED_BIT: i32 = 1;
const UNHEALTHY_BIT: i32 = 2;
const EJECTED_BIT: i32 = 4;
const TRYING_BIT: i32 = 8;

/** More than there are requests. */
const PLACES: f64 = 1048576;
/** More slots than a pod has: what other workers have there is not known yet. */
const UNSEEN: i32 = 1048576;

/** How much the newest duration counts, at least, in the usual work of a service. */
const NEWEST: f64 = 0.02;
/** In a longer queue places are counted anew at most so often, in milliseconds. */
const COUNT_AT_ONCE: i32 = 1000;
const COUNT_EVERY: f64 = 1000;
/** Beyond this, work that differs more than that of an exponential distribution is taken for that. */
const MOST_VARIED: f64 = 4;
/** Eight of ten of all that is normally distributed lie so many standard deviations around its middle. */
const EIGHT_OF_TEN: f64 = 1.2816;

export class Queues {
  /** Who goes next. */
  readonly order: Order = new Order();
  private readonly deadlines: Deadlines = new Deadlines();
  /** Why the request went that `expire` has answered last: WAIT_TIMEOUTS, DEADLINES or COUNT_UNSERVED. */
  expiredBy: i32 = 0;
  /** Bounds. One more request is UNSERVED, one more service or pod NONE. */
  requestsMax: i32 = 200000;
  servicesMax: i32 = 20000;
  podsMax: i32 = 400000;
  /** How long a request waits for a service that was never configured. */
  unknownWait: f64 = 5000;
  /** How long a request that is tried again waits for a pod that gives its service no slots; and while nobody could say that it does. */
  claimWait: f64 = 10000;
  silentWait: f64 = 30000;
  private silent: bool = true;
  /** Since the last growth there is memory that nobody uses any more. The caller may collect it, and set this to false. */
  grown: bool = false;
  /** Requests that have a place. */
  requests: i32 = 0;
  /**
   * Other workers use the same pods (workers.ts). Then a slot is free here only while it is granted, requests start by grants
   * alone, and services with a change that concerns the others are listed until `takeUnshared`. `refresh` all after a change.
   */
  shared: bool = false;
  /**
   * Other Envoys use the same pods (shares.ts). Then a slot is free here only where this Envoy holds it, requests start up to a time
   * of arrival (`setGate`), services with a change that concerns the others are listed until `takeUnshared`, and requests that begin
   * or cease to wait until `clearNews`. `refresh` all after a change.
   */
  coordinated: bool = false;
  /** While `shared`: how many workers there are, and how many of those that wait each of them shows the others. */
  sharers: i32 = 1;
  listed: i32 = 0;
  /** Requests that wait or claim a slot and that nobody was told of, and those that do so no more although somebody was told. */
  joinedCount: i32 = 0;
  leftCount: i32 = 0;
  /** Nothing is due before: `tick` and `expire` may be left until then. `nextDeadline` brings it up to date. */
  soonest: f64 = Infinity;

  // Services. A service is in use from `addService` until SERVICE_FORGOTTEN.
  private serviceRoom: i32 = 0;
  private serviceEnd: i32 = 0;
  private serviceFree: i32 = NONE;
  private known: Ints = new Ints();
  private queueMax: Ints = new Ints();
  private queueTimeout: Floats = new Floats();
  private abortHold: Floats = new Floats();
  private eject5xx: Ints = new Ints();
  private ejectGateway: Ints = new Ints();
  private ejectBase: Floats = new Floats();
  private ejectMax: Floats = new Floats();
  private waitingCount: Ints = new Ints();
  private inUseCount: Ints = new Ints();
  private mostWaitingCount: Ints = new Ints();
  private mostInUseCount: Ints = new Ints();
  // While `shared`: what all workers use, as of a version of what they share.
  private inAllCount: Ints = new Ints();
  private inAllVersion: Floats = new Floats();
  private slotCount: Ints = new Ints();
  private freeSlots: Ints = new Ints();
  private counts: Floats = new Floats();
  private waits: Floats = new Floats();
  private works: Floats = new Floats();
  private waitSums: Floats = new Floats();
  private workSums: Floats = new Floats();
  private usualWork: Floats = new Floats();
  private usualSquare: Floats = new Floats();
  // Since places were counted: whether they may be wrong now, and when that was.
  private countsPlaces: bool = false;
  private placesMoved: Ints = new Ints();
  private startSerials: Ints = new Ints();
  private placesCountedAt: Floats = new Floats();
  // Requests may take several slots of a pod, at most so many. 0: each takes one.
  private costMax: Ints = new Ints();
  // One that is next and finds no pod with so many free: it waits for this pod, whose free slots are kept for it.
  private keptRequests: Ints = new Ints();
  private keptPods: Ints = new Ints();
  private keptFree: Ints = new Ints();
  // Its slots whose clients have left: first in, first released.
  private heldHeads: Ints = new Ints();
  private heldTails: Ints = new Ints();
  // Its jobs, in the order in which their time is over.
  private jobHeads: Ints = new Ints();
  private jobTails: Ints = new Ints();
  private jobCounts: Ints = new Ints();
  // Its pods: a ring, and the one whose turn it is.
  private turns: Ints = new Ints();
  private podCounts: Ints = new Ints();
  private ejectedCounts: Ints = new Ints();
  private lastFreed: Ints = new Ints();
  // Lists of services: those that wait beside free slots, those with a deadline, those with changes to report.
  private readyNext: Ints = new Ints();
  private isReady: Ints = new Ints();
  private readyHead: i32 = NONE;
  private timedNext: Ints = new Ints();
  private isTimed: Ints = new Ints();
  private timedHead: i32 = NONE;
  private dirtyNext: Ints = new Ints();
  private isDirty: Ints = new Ints();
  private dirtyHead: i32 = NONE;
  private unsharedNext: Ints = new Ints();
  private isUnshared: Ints = new Ints();
  private unsharedHead: i32 = NONE;
  private starting: bool = false;
  private elsewhereCount: Ints = new Ints();
  private gates: Floats = new Floats();
  private passes: Ints = new Ints();
  private ownSlots: Ints = new Ints();
  // One above the service that has taken it over; how many services it has taken over; requests that came for it and wait elsewhere.
  private takers: Ints = new Ints();
  private takenCounts: Ints = new Ints();
  private awayCounts: Ints = new Ints();
  private strayCounts: Ints = new Ints();
  private awayWaitingCounts: Ints = new Ints();

  // Pods.
  private podRoom: i32 = 0;
  private podEnd: i32 = 0;
  private podFree: i32 = NONE;
  private podService: Ints = new Ints();
  private podNext: Ints = new Ints();
  private podPrev: Ints = new Ints();
  private podBits: Ints = new Ints();
  private podLimit: Ints = new Ints();
  private podInUse: Ints = new Ints();
  private podInAll: Ints = new Ints();
  private podFreeSlots: Ints = new Ints();
  private podSlots: Ints = new Ints();
  private podGatewayRow: Ints = new Ints();
  private pod5xxRow: Ints = new Ints();
  private podEjections: Ints = new Ints();
  private podEjectedUntil: Floats = new Floats();
  private podReturnedAt: Floats = new Floats();
  private podDirty: Ints = new Ints();
  private podGranted: Ints = new Ints();
  private podNews: Ints = new Ints();
  private podClaims: Ints = new Ints();
  private podClaimsGranted: Ints = new Ints();
  // While coordinated. Held: slots of this Envoy; owed: those that are called back; lost: requests that still run in slots which were
  // taken away when this Envoy was given up.
  private podHeld: Ints = new Ints();
  private podOwed: Ints = new Ints();
  private podLost: Ints = new Ints();
  // Pods of one address, each of another service: a ring.
  private podTwins: Ints = new Ints();
  // While `shared`: the slots that other workers have at a pod of which the service gets none any more. They only become fewer.
  private podOthers: Ints = new Ints();
  // What is in use of a pod that its service has lost, as the others count it; and what each counts of all others.
  private podPassed: Ints = new Ints();
  private podPassing: Floats = new Floats();

  // Requests.
  private requestRoom: i32 = 0;
  private requestEnd: i32 = 0;
  private requestFree: i32 = NONE;
  private requestState: Ints = new Ints();
  private requestMapped: Ints = new Ints();
  private requestService: Ints = new Ints();
  private requestPod: Ints = new Ints();
  private hasCosts: bool = false;
  private requestHeld: Ints = new Ints();
  // One above the service that it came for, where another one has taken that over. Without room until one does.
  private hasTakers: bool = false;
  private requestCameFor: Ints = new Ints();
  private requestNext: Ints = new Ints();
  // When it got its slot; for a HELD one when that is free.
  private requestSince: Floats = new Floats();
  // Its place in the queue, as a number among all that start: `placeOf` takes off how many have started. It wraps around.
  private requestPlace: Ints = new Ints();
  // Of a JOB: when its time is over, and its place among those of its service.
  private requestUntil: Floats = new Floats();
  private jobRoom: i32 = 0;
  private jobNext: Ints = new Ints();
  private jobPrev: Ints = new Ints();
  // The pod where it needs a slot to be tried again, and the next such request. Envoy gets each a connection to the pod before the
  // filter sees it, mostly first in, first out: who has a connection gets a slot first, as otherwise one would have the slot and
  // another the connection, for ever.
  private requestClaim: Ints = new Ints();
  private claimNext: Ints = new Ints();
  private claimHeld: Ints = new Ints();
  // Since when that pod gives its service no slots; Infinity: it does, or `tick` has not seen yet that it does not.
  private claimRoom: i32 = 0;
  private claimSince: Floats = new Floats();
  private claimConnected: Ints = new Ints();
  private claimHead: i32 = NONE;
  private claimTail: i32 = NONE;
  // The name of a request is its serial number times PLACES, plus its place: a late message never means another request.
  private serial: f64 = 0;
  private requestName: Floats = new Floats();
  private requestTold: Ints = new Ints();
  private joinedRoom: i32 = 0;
  private joinedRequests: Ints = new Ints();
  private leftRoom: i32 = 0;
  private leftNames: Floats = new Floats();
  private leftServices: Ints = new Ints();

  // What happened since `clearEvents`.
  eventCount: i32 = 0;
  private eventRoom: i32 = 0;
  private eventSubjects: Ints = new Ints();
  private eventKinds: Ints = new Ints();
  private eventReasons: Ints = new Ints();
  private eventTimes: Floats = new Floats();

  // ---- Services ----

  /** A service that nobody has configured: its requests wait. NONE: there are too many. */
  addService(): i32 {
    let s = this.serviceFree;
    if (s !== NONE) {
      this.serviceFree = this.readyNext.get(s);
    } else {
      if (this.serviceEnd >= this.servicesMax) return NONE;
      s = this.serviceEnd++;
      if (s >= this.serviceRoom) this.growServices();
    }
    this.known.set(s, UNKNOWN);
    this.queueMax.set(s, 0);
    this.queueTimeout.set(s, 0);
    this.abortHold.set(s, 0);
    this.configureEjection(s, 0, 0, 0, 0);
    this.waitingCount.set(s, 0);
    this.inUseCount.set(s, 0);
    this.mostWaitingCount.set(s, 0);
    this.mostInUseCount.set(s, 0);
    this.inAllCount.set(s, 0);
    this.inAllVersion.set(s, 0);
    this.slotCount.set(s, 0);
    this.freeSlots.set(s, 0);
    this.counts.clear(s * COUNTS, COUNTS);
    this.waits.clear(s * BUCKETS, BUCKETS);
    this.works.clear(s * BUCKETS, BUCKETS);
    this.waitSums.set(s, 0);
    this.workSums.set(s, 0);
    this.usualWork.set(s, 0);
    this.usualSquare.set(s, 0);
    if (this.countsPlaces) this.clearPlaces(s);
    this.order.reset(s);
    this.costMax.set(s, 0);
    this.keptRequests.set(s, NONE);
    this.keptPods.set(s, NONE);
    this.keptFree.set(s, 0);
    this.heldHeads.set(s, NONE);
    this.heldTails.set(s, NONE);
    this.jobHeads.set(s, NONE);
    this.jobTails.set(s, NONE);
    this.jobCounts.set(s, 0);
    this.turns.set(s, NONE);
    this.podCounts.set(s, 0);
    this.ejectedCounts.set(s, 0);
    this.lastFreed.set(s, NONE);
    this.elsewhereCount.set(s, 0);
    this.gates.set(s, Infinity);
    this.passes.set(s, 0);
    this.ownSlots.set(s, 0);
    this.takers.set(s, 0);
    this.takenCounts.set(s, 0);
    this.awayCounts.set(s, 0);
    this.strayCounts.set(s, 0);
    this.awayWaitingCounts.set(s, 0);
    this.changed(s);
    return s;
  }

  /** Sets what holds for a service from now on. Those that wait stay, also where there are now more than may. */
  configure(s: i32, queueMax: i32, queueTimeout: f64, abortHold: f64): void {
    this.known.set(s, KNOWN);
    this.queueMax.set(s, queueMax);
    this.queueTimeout.set(s, queueTimeout);
    this.abortHold.set(s, abortHold);
    this.timeQueue(s);
    this.changed(s);
  }

  /** Sets when its pods are ejected, and for how long. 0 errors in a row: never. */
  configureEjection(s: i32, consecutive5xx: i32, consecutiveGateway: i32, base: f64, max: f64): void {
    this.eject5xx.set(s, consecutive5xx);
    this.ejectGateway.set(s, consecutiveGateway);
    this.ejectBase.set(s, base);
    this.ejectMax.set(s, max);
  }

  /** Its requests may take several slots of a pod, at most so many: as the pod with the highest limit has. 0: each takes one. */
  configureCost(s: i32, most: i32): void {
    this.costMax.set(s, most);
    if (most > 1 && !this.hasCosts) {
      this.hasCosts = true;
      this.order.allowCosts();
      this.growCosts();
    }
    this.ready(s);
  }

  /** How long a pod works on a request of this service, usually; 0: it is not known. */
  usual(s: i32): f64 {
    return this.usualWork.get(s);
  }

  /** Takes back what was configured, and removes the pods. Its waiting requests are to be taken out with `takeOut`. */
  removeService(s: i32): void {
    this.known.set(s, UNKNOWN);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      const p = this.turns.get(s);
      this.turns.set(s, this.podNext.get(p));
      this.removePod(p);
    }
    this.timeQueue(s);
    this.changed(s);
    // Nobody takes the place of those that it has taken over.
    if (this.takenCounts.get(s) > 0)
      for (let each: i32 = 0; each < this.serviceEnd; each++) if (this.takers.get(each) === s + 1) this.giveUp(each);
    this.forgetIfEmpty(s);
  }

  isKnown(s: i32): bool {
    return this.known.get(s) === KNOWN;
  }

  waiting(s: i32): i32 {
    return this.waitingCount.get(s);
  }

  inUse(s: i32): i32 {
    return this.inUseCount.get(s);
  }

  /** The slots of the pods that get requests. */
  slots(s: i32): i32 {
    return this.slotCount.get(s);
  }

  mostWaiting(s: i32): i32 {
    return this.mostWaitingCount.get(s);
  }

  mostInUse(s: i32): i32 {
    return this.mostInUseCount.get(s);
  }

  /** From now on `mostWaiting` and `mostInUse` are counted anew. */
  clearMost(s: i32): void {
    this.mostWaitingCount.set(s, this.waitingCount.get(s));
    this.mostInUseCount.set(s, this.shared ? this.inAllCount.get(s) : this.inUseCount.get(s));
  }

  /** While `shared`: the slots that all workers use, as far as this one has heard. */
  inUseInAll(s: i32): i32 {
    return this.inAllCount.get(s);
  }

  /** While `shared`: the version of that. 0: it has not heard yet. */
  sharedVersion(s: i32): f64 {
    return this.inAllVersion.get(s);
  }

  /** The same of a pod. */
  podInUseInAll(p: i32): i32 {
    return this.podInAll.get(p);
  }

  /** One of the counts: ARRIVED, STARTED … */
  count(s: i32, which: i32): f64 {
    return this.counts.get(s * COUNTS + which);
  }

  waitBucket(s: i32, bucket: i32): f64 {
    return this.waits.get(s * BUCKETS + bucket);
  }

  workBucket(s: i32, bucket: i32): f64 {
    return this.works.get(s * BUCKETS + bucket);
  }

  waitSum(s: i32): f64 {
    return this.waitSums.get(s);
  }

  workSum(s: i32): f64 {
    return this.workSums.get(s);
  }

  /** How long the oldest waiting request has waited. */
  oldestWait(s: i32, now: f64): f64 {
    const r = this.order.oldest(s);
    return r === NONE ? 0 : now - this.order.came(r);
  }

  /** Seconds until a refused request may expect a place: how long those that wait take at the usual pace, at least 1. */
  retryAfter(s: i32): i32 {
    const slots = this.slotCount.get(s);
    if (slots === 0) return 1;
    const waiting = this.waitingInAll(s);
    const seconds = (this.usualWork.get(s) * (waiting as f64)) / (slots as f64) / 1000;
    if (!(seconds > 1)) return 1;
    return seconds > 3600 ? 3600 : (Math.ceil(seconds) as i32);
  }

  /**
   * Works out how long the request at this place of the queue has to wait: by the usual work, the slots, and how much work differs.
   * False: that is not known, because no request has ended yet or there is no slot. The answer is `expected`, `soonestExpected`
   * and `latestExpected`.
   */
  expect(s: i32, place: i32): bool {
    const slots = this.slotCount.get(s) as f64;
    const usual = this.usualWork.get(s);
    if (slots <= 0 || usual <= 0 || place <= 0) return false;
    // The squared coefficient of variation: 0 where all work takes as long, 1 for an exponential distribution.
    let varied = this.usualSquare.get(s) / (usual * usual) - 1;
    if (!(varied > 0)) varied = 0;
    if (varied > MOST_VARIED) varied = MOST_VARIED;
    const pace = usual / slots;
    // The first slot that gets free is in the midst of its work, each further one takes a whole turn.
    const turns = (place as f64) - (1 - varied) / 2;
    const spread = ((place - 1) as f64) * varied + (1 + 11 * varied) / 12;
    this.expected = turns * pace;
    // Waits are distributed as sums of durations are: by a gamma distribution, here after Wilson and Hilferty.
    // The mean itself is that of so many durations alone.
    const ninth = (spread / (turns * turns) + (varied * NEWEST) / 2) / 9;
    this.soonestExpected = this.expected * cube(1 - ninth - EIGHT_OF_TEN * Math.sqrt(ninth));
    this.latestExpected = this.expected * cube(1 - ninth + EIGHT_OF_TEN * Math.sqrt(ninth));
    return true;
  }

  /** Requests that wait here or at other workers. */
  waitingInAll(s: i32): i32 {
    return this.waitingCount.get(s) + this.elsewhereCount.get(s);
  }

  /** As `expect`, for a request that came now. False as well where it would not wait. */
  expectNext(s: i32): bool {
    const waiting = this.waitingInAll(s);
    if (waiting === 0 && this.inUseCount.get(s) < this.slotCount.get(s)) return false;
    return this.expect(s, waiting + 1);
  }

  /** The last answer of `expect`: milliseconds, and eight of ten wait between the other two. */
  expected: f64 = 0;
  soonestExpected: f64 = 0;
  latestExpected: f64 = 0;

  // ---- Pods ----

  /** A pod that gets requests from now on. NONE: there are too many. */
  addPod(s: i32, limit: i32, unhealthy: bool): i32 {
    if (this.podFree === NONE && this.podEnd >= this.podsMax) return NONE;
    const p = this.newPod(s);
    this.setPod(p, limit, unhealthy);
    return p;
  }

  /**
   * A pod that Sluice has not told of, or not any more, at which Envoy tries a request: without slots, and forgotten with its last claim
   * unless it is set. There are no more of these than requests.
   */
  addStranger(s: i32): i32 {
    const p = this.newPod(s);
    this.podLimit.set(p, 0);
    this.podBits.set(p, REMOVED_BIT);
    this.podNews.set(p, 0);
    this.losePod(p);
    this.settle(p);
    return p;
  }

  private newPod(s: i32): i32 {
    let p = this.podFree;
    if (p !== NONE) {
      this.podFree = this.podNext.get(p);
    } else {
      p = this.podEnd++;
      if (p >= this.podRoom) this.growPods();
    }
    this.podService.set(p, s);
    this.podBits.set(p, 0);
    this.podInUse.set(p, 0);
    this.podInAll.set(p, 0);
    this.podFreeSlots.set(p, 0);
    this.podSlots.set(p, 0);
    this.podGatewayRow.set(p, 0);
    this.pod5xxRow.set(p, 0);
    this.podEjections.set(p, 0);
    this.podEjectedUntil.set(p, 0);
    this.podReturnedAt.set(p, 0);
    this.podGranted.set(p, 0);
    this.podClaims.set(p, 0);
    this.podClaimsGranted.set(p, 0);
    this.podHeld.set(p, 0);
    this.podOwed.set(p, 0);
    this.podLost.set(p, 0);
    this.podTwins.set(p, p);
    this.podOthers.set(p, 0);
    this.podPassed.set(p, 0);
    this.podPassing.set(p, 0);
    const turn = this.turns.get(s);
    if (turn === NONE) {
      this.podNext.set(p, p);
      this.podPrev.set(p, p);
      this.turns.set(s, p);
    } else {
      const last = this.podPrev.get(turn);
      this.podNext.set(last, p);
      this.podPrev.set(p, last);
      this.podNext.set(p, turn);
      this.podPrev.set(turn, p);
    }
    this.podCounts.add(s, 1);
    return p;
  }

  /** Sets limit and health of a pod. One that was removed gets requests again. */
  setPod(p: i32, limit: i32, unhealthy: bool): void {
    this.podLimit.set(p, limit);
    let bits = this.podBits.get(p) & ~(REMOVED_BIT | UNHEALTHY_BIT);
    if (unhealthy) bits |= UNHEALTHY_BIT;
    this.podBits.set(p, bits);
    this.podNews.set(p, 1);
    this.losePod(p);
    this.settle(p);
  }

  /** Where a service gets no slots of a pod any more, what other workers still have of it has to be seen. */
  private losePod(p: i32): void {
    this.podOthers.set(p, this.shared && !this.givesSlots(p) ? UNSEEN : 0);
  }

  /** The pod gets no further request. POD_FORGOTTEN follows, when its last one has ended. */
  removePod(p: i32): void {
    const bits = this.podBits.get(p);
    if ((bits & REMOVED_BIT) !== 0) return;
    if ((bits & EJECTED_BIT) !== 0) this.ejectedCounts.add(this.podService.get(p), -1);
    this.podBits.set(p, (bits & ~(EJECTED_BIT | TRYING_BIT)) | REMOVED_BIT);
    this.podNews.set(p, 1);
    this.losePod(p);
    this.settle(p);
    this.forgetPodIfIdle(p);
  }

  /** Two pods of different services are the same one: what the one that has lost it still has there counts at the other. */
  sameAddress(p: i32, other: i32): void {
    this.podTwins.set(p, this.podTwins.get(other));
    this.podTwins.set(other, p);
    this.podPassing.set(p, this.podPassing.get(other) + this.podPassed.get(other));
    this.addPassing(p, this.podPassed.get(p));
    this.settle(p);
  }

  /** The pod of this address of another service, or the same pod: with it all of them. */
  twin(p: i32): i32 {
    return this.podTwins.get(p);
  }

  /** Slots of a pod that requests of services have which have lost it, or get no more of it. */
  passing(p: i32): i32 {
    const slots = this.podPassing.get(p);
    return slots < UNSEEN ? (slots as i32) : UNSEEN;
  }

  /** The other services of a pod count what this one has of it and has lost. Mostly that is nothing, as before: there may be many of them. */
  private passOn(p: i32): void {
    const passed = this.givesSlots(p) ? 0 : this.podInUse.get(p) + this.podOthers.get(p);
    const more = passed - this.podPassed.get(p);
    this.podPassed.set(p, passed);
    this.addPassing(p, more);
  }

  private addPassing(p: i32, more: i32): void {
    if (more === 0) return;
    for (let t = this.podTwins.get(p); t !== p; t = this.podTwins.get(t)) {
      this.podPassing.add(t, more as f64);
      this.settleOne(t);
    }
  }

  /** Other workers have so many slots of a pod of which the service gets none any more. */
  setOthers(p: i32, slots: i32): void {
    if (this.givesSlots(p) || this.podOthers.get(p) === slots) return;
    this.podOthers.set(p, slots);
    // The record of its service has it already; others get what it gives up.
    this.passOn(p);
    this.forgetPodIfIdle(p);
  }

  /** Other workers have slots of so many pods which this one does not know, of a service that has lost them. */
  setStrays(s: i32, pods: i32): void {
    if (this.strayCounts.get(s) === pods) return;
    this.strayCounts.set(s, pods);
    this.forgetIfEmpty(s);
  }

  isRemoved(p: i32): bool {
    return (this.podBits.get(p) & REMOVED_BIT) !== 0;
  }

  /** READY, DRAINING, EJECTED, UNHEALTHY or TRYING. */
  podState(p: i32): i32 {
    const bits = this.podBits.get(p);
    if ((bits & REMOVED_BIT) !== 0) return DRAINING;
    if ((bits & EJECTED_BIT) !== 0) return EJECTED;
    if ((bits & UNHEALTHY_BIT) !== 0) return UNHEALTHY;
    return (bits & TRYING_BIT) !== 0 ? TRYING : READY;
  }

  podLimitOf(p: i32): i32 {
    return this.podLimit.get(p);
  }

  podInUseOf(p: i32): i32 {
    return this.podInUse.get(p);
  }

  serviceOfPod(p: i32): i32 {
    return this.podService.get(p);
  }

  /** How long until an ejected pod is tried again. */
  ejectedFor(p: i32, now: f64): f64 {
    if ((this.podBits.get(p) & EJECTED_BIT) === 0) return 0;
    const left = this.podEjectedUntil.get(p) - now;
    return left > 0 ? left : 0;
  }

  podCount(s: i32): i32 {
    return this.podCounts.get(s);
  }

  /** Any pod of a service, or NONE; with `podAfter` all of them. */
  anyPod(s: i32): i32 {
    return this.turns.get(s);
  }

  podAfter(p: i32): i32 {
    return this.podNext.get(p);
  }

  /** Whether it changed since the last call. */
  takePodChange(p: i32): bool {
    const dirty = this.podDirty.get(p) !== 0;
    this.podDirty.set(p, 0);
    return dirty;
  }

  // ---- Requests ----

  /** As `arriveAs`, of the highest class and of no tenant, for one slot and without a deadline. */
  arrive(s: i32, now: f64): i32 {
    return this.arriveAs(s, 0, NONE, 1, Infinity, now);
  }

  /**
   * A new request, of a class and of a tenant (or NONE), for so many slots of a pod, which waits no longer than until `due`. It
   * has its slots (WORKING), or waits: then it is to be asked whether it may `stay`, once all that may start have. FULL,
   * TENANT_FULL, TOO_COSTLY, LATE or UNSERVED: it got no place.
   */
  arriveAs(s: i32, c: i32, tenant: i32, cost: i32, due: f64, now: f64): i32 {
    this.addCount(s, ARRIVED);
    if (due <= now) {
      this.addCount(s, DEADLINES);
      return LATE;
    }
    if (cost > 1 && this.isKnown(s) && cost > this.costMax.get(s)) {
      this.addCount(s, REFUSED);
      return TOO_COSTLY;
    }
    const first = this.waitingCount.get(s) === 0;
    const bound = tenant !== NONE && !this.order.mayStart(tenant, cost);
    const mayStart = first && !bound && !this.shared && now <= this.gates.get(s);
    const p = mayStart && this.freeSlots.get(s) > 0 ? this.choose(s, cost) : NONE;
    if (p === NONE && !this.isDecidedLater(s)) {
      const full = this.isKnown(s) && this.waitingCount.get(s) >= this.queueMax.get(s);
      if (full || (tenant !== NONE && !this.order.mayWait(tenant))) {
        this.addCount(s, REFUSED);
        return full ? FULL : TENANT_FULL;
      }
    }
    const r = this.newRequest();
    if (r === NONE) {
      this.addCount(s, COUNT_UNSERVED);
      return UNSERVED;
    }
    this.requestService.set(r, s);
    this.order.describe(r, c, tenant, cost, now);
    if (p !== NONE) {
      this.begin(r, p, now);
      return r;
    }
    if (due !== Infinity) {
      this.deadlines.add(r, due);
      if (due < this.soonest) this.soonest = due;
    }
    this.join(r);
    return r;
  }

  /** Whether a request may start although others wait: only then it is known whether it has to wait. */
  private isDecidedLater(s: i32): bool {
    return this.shared || this.costMax.get(s) > 1 || this.order.isBounded(s);
  }

  /**
   * A request has arrived and has not got a slot: WAITING: it may wait. FULL or TENANT_FULL: it is refused, and `r` is not used
   * again.
   */
  stay(r: i32): i32 {
    const s = this.requestService.get(r);
    if (!this.isDecidedLater(s) || !this.isKnown(s)) return WAITING;
    const tenant = this.order.tenantOf(r);
    // It is counted among those that wait.
    const full = this.waitingInAll(s) > this.queueMax.get(s);
    if (!full && (tenant === NONE || this.order.mayStay(tenant))) {
      this.noteWaiting(s);
      return WAITING;
    }
    this.leave(r, false);
    this.addCount(s, REFUSED);
    this.freeRequest(r);
    return full ? FULL : TENANT_FULL;
  }

  /** A service in which requests wait beside free slots, or NONE. It stays one until `start` has nothing more to start. */
  nextReady(): i32 {
    while (this.readyHead !== NONE) {
      const s = this.readyHead;
      if (this.mightStart(s)) return s;
      this.readyHead = this.readyNext.get(s);
      this.isReady.set(s, 0);
    }
    return NONE;
  }

  /**
   * Gives the first of the queue its slot, or its slots. NONE: nobody may start; `nextReady` goes on to the next service. One
   * that has ended instead takes more slots than any pod has: it is to be answered, and counts as refused.
   */
  start(s: i32, now: f64): i32 {
    const r = this.mightStart(s) ? this.choosePair(s, now) : NONE;
    if (r === NONE) {
      this.unready(s);
      return NONE;
    }
    if (this.chosenPod === NONE) {
      this.leave(r, false);
      this.requestState.set(r, ENDED);
      this.addCount(s, REFUSED);
      if (this.shared) this.giveBack(s);
      return r;
    }
    if (this.passes.get(s) > 0) this.passes.add(s, -1);
    // The record of the service has it already.
    this.starting = true;
    this.leave(r, true);
    this.begin(r, this.chosenPod, now);
    this.starting = false;
    return r;
  }

  private chosenPod: i32 = NONE;

  /** Who starts, at `chosenPod`; without a pod: it can never start. NONE: nobody starts. */
  private choosePair(s: i32, now: f64): i32 {
    if (this.costMax.get(s) < 2 && this.keptRequests.get(s) === NONE) {
      const r = this.firstBesideFree(s, now);
      this.chosenPod = r === NONE ? NONE : this.choose(s, 1);
      return r !== NONE && this.order.costOf(r) > 1 ? this.chooseCostly(s, now) : r;
    }
    return this.chooseCostly(s, now);
  }

  /**
   * The same where requests take several slots. One that is next and finds no pod with so many free ones gets a pod that keeps
   * its free slots for it. Those behind it go on to other pods, until the next one that finds none.
   */
  private chooseCostly(s: i32, now: f64): i32 {
    while (true) {
      const kept = this.keptRequests.get(s);
      if (kept !== NONE) {
        const cost = this.order.costOf(kept);
        this.chosenPod = NONE;
        if (cost > this.costMax.get(s) && cost > 1) return kept;
        this.chosenPod =
          this.keptPods.get(s) !== NONE && this.keptFree.get(s) >= cost ? this.keptPods.get(s) : this.choose(s, cost);
        if (this.chosenPod !== NONE) return kept;
        if (this.keptPods.get(s) === NONE && !this.shared) this.keepPod(s, cost);
      }
      const r = this.firstBesideFree(s, now);
      if (r === NONE) return NONE;
      const cost = this.order.costOf(r);
      this.chosenPod = NONE;
      if (cost > this.costMax.get(s) && cost > 1) return r;
      this.chosenPod = this.choose(s, cost);
      if (this.chosenPod !== NONE) return r;
      if (this.isShared(s)) {
        if (this.shared) this.giveBack(s);
        return NONE;
      }
      if (kept !== NONE) {
        // One of a higher class does not wait for one of a lower one.
        if (this.order.rankOf(r, s, now) >= this.order.rankOf(kept, s, now)) {
          if (this.shared) this.giveBack(s);
          return NONE;
        }
        this.putKeptBack(s);
      }
      this.keptRequests.set(s, r);
      this.order.setAside(r);
      // Where slots are shared the plan keeps them.
      if (!this.shared) this.keepPod(s, cost);
    }
  }

  private firstBesideFree(s: i32, now: f64): i32 {
    if (this.freeSlots.get(s) === 0) return NONE;
    const r = this.order.first(s, now);
    if (r === NONE && this.shared) this.giveBack(s);
    return r;
  }

  /** Slots that nobody here takes as they are: they are for whoever the next plan finds. */
  private giveBack(s: i32): void {
    let p = this.turns.get(s);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      if (this.podGranted.get(p) > 0) {
        this.podGranted.set(p, 0);
        this.settle(p);
        this.isGivenBack = true;
      }
      p = this.podNext.get(p);
    }
  }

  /** Whether slots were given back since the last call: then they are to be shared anew. */
  takeGivenBack(): bool {
    const is = this.isGivenBack;
    this.isGivenBack = false;
    return is;
  }
  private isGivenBack: bool = false;

  /** The pod that has fewest slots to wait for keeps its free ones, if there is one with so many. */
  private keepPod(s: i32, cost: i32): void {
    let best: i32 = NONE;
    let most: i32 = -1;
    let p = this.turns.get(s);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      if (this.slotsForOne(p) >= cost && this.podSlots.get(p) - this.podInUse.get(p) > most) {
        best = p;
        most = this.podSlots.get(p) - this.podInUse.get(p);
      }
      p = this.podNext.get(p);
    }
    if (best === NONE) return;
    this.keptPods.set(s, best);
    this.settle(best);
  }

  /** The one that a pod keeps slots for is one of the others again. */
  putKeptBack(s: i32): void {
    const kept = this.keptRequests.get(s);
    if (kept === NONE) return;
    this.unkeep(s);
    this.order.putBack(kept);
  }

  /** No pod keeps slots any more. */
  private unkeep(s: i32): void {
    const p = this.keptPods.get(s);
    this.keptRequests.set(s, NONE);
    this.keptPods.set(s, NONE);
    this.keptFree.set(s, 0);
    if (p !== NONE) this.settle(p);
  }

  /** Whether it is worth looking whether somebody may start. */
  mightStart(s: i32): bool {
    if (this.waitingCount.get(s) === 0 || !this.isGateOpen(s)) return false;
    if (this.freeSlots.get(s) > 0) return true;
    const kept = this.keptRequests.get(s);
    return kept !== NONE && this.keptFree.get(s) >= this.order.costOf(kept);
  }

  state(r: i32): i32 {
    return this.requestState.get(r);
  }

  isWaiting(r: i32): bool {
    return r >= 0 && r < this.requestEnd && this.requestState.get(r) === WAITING;
  }

  isWorking(r: i32): bool {
    return r >= 0 && r < this.requestEnd && this.requestState.get(r) === WORKING;
  }

  serviceOf(r: i32): i32 {
    return this.requestService.get(r);
  }

  podOf(r: i32): i32 {
    return this.requestPod.get(r);
  }

  came(r: i32): f64 {
    return this.order.came(r);
  }

  /** When a WORKING request got its slot. */
  began(r: i32): f64 {
    return this.requestSince.get(r);
  }

  /** Anyone that waits, or NONE; with `after` all that wait: class by class, in each the oldest first. */
  firstWaiting(s: i32): i32 {
    return this.order.head(s);
  }

  after(r: i32): i32 {
    return this.order.after(r, this.requestService.get(r));
  }

  /** Whether some pod has as many slots as a request takes. */
  mayCost(r: i32): bool {
    return this.order.costOf(r) <= this.costMax.get(this.requestService.get(r));
  }

  /** Who goes next, as things are now; NONE: nobody may. */
  nextWaiting(s: i32, now: f64): i32 {
    return this.order.first(s, now);
  }

  /** Where a waiting request stands beside those of other queues of its service: the one with the smallest key goes first. */
  orderKey(r: i32, now: f64): f64 {
    return this.order.keyOf(r, this.requestService.get(r), now);
  }

  /** It goes to another pod than the chosen one (a retry): from now on it has a slot there, also beyond the limit. */
  move(r: i32, p: i32): void {
    const from = this.requestPod.get(r);
    if (this.requestState.get(r) !== WORKING || from === p) return;
    this.addCount(this.requestService.get(r), RETRIED);
    const held = this.heldBy(r);
    const holds = this.heldAt(r, p);
    this.inUseCount.add(this.requestService.get(r), holds - held);
    this.podInUse.add(p, holds);
    this.settle(p);
    this.requestPod.set(r, p);
    if (this.hasCosts) this.requestHeld.set(r, holds - 1);
    if (from !== NONE) this.freeSlotsOf(from, held);
  }

  /** The slots that a request or job has. */
  slotsHeld(r: i32): i32 {
    return this.heldBy(r);
  }

  /** The slots that a request has, or had before its try there was over. */
  private heldBy(r: i32): i32 {
    return this.hasCosts ? this.requestHeld.get(r) + 1 : 1;
  }

  private claimedBy(r: i32): i32 {
    return this.hasCosts ? this.claimHeld.get(r) + 1 : 1;
  }

  /** The slots that a request takes at a pod to which Envoy has sent it: as many as there are, if it takes more. */
  private heldAt(r: i32, p: i32): i32 {
    const cost = this.order.costOf(r);
    const limit = (this.podBits.get(p) & REMOVED_BIT) !== 0 ? 1 : this.podLimit.get(p);
    return cost < limit ? cost : limit < 1 ? 1 : limit;
  }

  /** Its try there is over, and the next one is elsewhere: it has no slot for the moment. */
  private leavePod(r: i32): void {
    const from = this.requestPod.get(r);
    this.requestPod.set(r, NONE);
    if (from !== NONE) this.freeSlotsOf(from, this.heldBy(r));
  }

  private freeSlotsOf(p: i32, slots: i32): void {
    this.podInUse.add(p, -slots);
    if (this.podLost.get(p) > 0) this.podLost.set(p, this.podLost.get(p) > slots ? this.podLost.get(p) - slots : 0);
    this.settle(p);
    this.forgetPodIfIdle(p);
  }

  /** The pod of a request has answered with this status. */
  answered(r: i32, status: i32, now: f64): void {
    const p = this.requestPod.get(r);
    if (this.requestState.get(r) !== WORKING || p === NONE) return;
    this.judge(p, status, now);
  }

  /** Whether a good answer of the pod of a request would change what is thought of that pod. */
  isSuspect(r: i32): bool {
    const p = this.requestPod.get(r);
    if (p === NONE) return false;
    const trying = (this.podBits.get(p) & TRYING_BIT) !== 0;
    return trying || this.podGatewayRow.get(p) > 0 || this.pod5xxRow.get(p) > 0;
  }

  /** A request could not reach this pod; NONE: its last try has not begun. */
  unreachable(p: i32, now: f64): void {
    if (p !== NONE) this.eject(p, UNREACHABLE, now);
  }

  /** The answer is complete, or there will be none: its slot is free. With TIMED_OUT it is kept for a moment. */
  end(r: i32, how: i32, now: f64): void {
    if (this.requestState.get(r) !== WORKING) return;
    this.noteEnd(r, how, now);
    if (how === TIMED_OUT) {
      this.addCount(this.requestService.get(r), WORK_TIMEOUTS);
      this.hold(r, now);
      return;
    }
    this.requestState.set(r, ENDED);
    this.vacate(r);
  }

  /** As `end`, but its slot is free only with the first tick from `until` on. */
  endLater(r: i32, how: i32, until: f64, now: f64): void {
    if (how === TIMED_OUT) this.end(r, how, now);
    if (this.requestState.get(r) !== WORKING) return;
    this.noteEnd(r, how, now);
    this.unclaim(r);
    this.holdUntil(r, until);
  }

  /** Counts how a request ended, and how long its pod worked on it. */
  private noteEnd(r: i32, how: i32, now: f64): void {
    const s = this.requestService.get(r);
    const work = now - this.requestSince.get(r);
    this.works.add(s * BUCKETS + bucketOf(work), 1);
    this.workSums.add(s, work);
    if (how === TIMED_OUT) return;
    this.addCount(s, how === ANSWERED ? COUNT_ANSWERED : COUNT_FAILED);
    if (how === ANSWERED) {
      // The mean of all, as long as they are few.
      let share = 1 / this.counts.get(s * COUNTS + COUNT_ANSWERED);
      if (share < NEWEST) share = NEWEST;
      this.usualWork.add(s, (work - this.usualWork.get(s)) * share);
      this.usualSquare.add(s, (work * work - this.usualSquare.get(s)) * share);
    }
  }

  /** The pod has taken a job: the request has its answer, and keeps its slot until `endJob`, or until the time is over. */
  beginJob(r: i32, until: f64): void {
    if (this.requestState.get(r) !== WORKING || this.requestPod.get(r) === NONE) return;
    const s = this.requestService.get(r);
    this.unclaim(r);
    if (r >= this.jobRoom) {
      this.jobRoom = this.requestRoom;
      this.requestUntil.grow(this.jobRoom);
      this.jobNext.grow(this.jobRoom);
      this.jobPrev.grow(this.jobRoom);
    }
    this.requestState.set(r, JOB);
    this.requestUntil.set(r, until);
    // Mostly the last one: jobs of a service have the same time, unless it was changed.
    let before = this.jobTails.get(s);
    while (before !== NONE && this.requestUntil.get(before) > until) before = this.jobPrev.get(before);
    const next = before === NONE ? this.jobHeads.get(s) : this.jobNext.get(before);
    this.jobPrev.set(r, before);
    this.jobNext.set(r, next);
    if (before === NONE) this.jobHeads.set(s, r);
    else this.jobNext.set(before, r);
    if (next === NONE) this.jobTails.set(s, r);
    else this.jobPrev.set(next, r);
    this.jobCounts.add(s, 1);
    this.time(s, until);
    this.changed(s);
  }

  /** A job has ended, or counts as ended: its slot is free. */
  endJob(r: i32, how: i32, now: f64): void {
    if (!this.isJob(r)) return;
    const s = this.requestService.get(r);
    const before = this.jobPrev.get(r);
    const next = this.jobNext.get(r);
    if (before === NONE) this.jobHeads.set(s, next);
    else this.jobNext.set(before, next);
    if (next === NONE) this.jobTails.set(s, before);
    else this.jobPrev.set(next, before);
    this.jobCounts.add(s, -1);
    this.requestState.set(r, WORKING);
    this.noteEnd(r, how, now);
    if (how === TIMED_OUT) this.addCount(s, WORK_TIMEOUTS);
    this.release(r);
  }

  /** A job whose time is over, and which is to be ended; NONE: there is none. */
  overdueJob(now: f64): i32 {
    for (let s = this.timedHead; s !== NONE; s = this.timedNext.get(s)) {
      const r = this.jobHeads.get(s);
      if (r !== NONE && this.requestUntil.get(r) <= now) return r;
    }
    return NONE;
  }

  isJob(r: i32): bool {
    return r >= 0 && r < this.requestEnd && this.requestState.get(r) === JOB;
  }

  /** Jobs of a service; with `firstJob` and `jobAfter` all of them. */
  jobs(s: i32): i32 {
    return this.jobCounts.get(s);
  }

  firstJob(s: i32): i32 {
    return this.jobHeads.get(s);
  }

  jobAfter(r: i32): i32 {
    return this.jobNext.get(r);
  }

  /** Takes a waiting request out of the queue: it is not served (a removed service, an operator's wish). */
  takeOut(r: i32): void {
    if (this.requestState.get(r) !== WAITING) return;
    this.leave(r, false);
    this.requestState.set(r, ENDED);
    this.addCount(this.requestService.get(r), COUNT_UNSERVED);
  }

  /**
   * Takes out the newest of those that wait where more do than may, beyond those for whom there are slots: they came before the
   * service was known. NONE: no more do.
   */
  takeSurplus(s: i32): i32 {
    if (this.waitingCount.get(s) - this.vacancies(s) <= this.queueMax.get(s)) return NONE;
    const r = this.order.newest(s);
    this.leave(r, false);
    this.requestState.set(r, ENDED);
    this.addCount(s, REFUSED);
    return r;
  }

  /** Slots for those that wait. While they are shared other workers may have some of them. */
  private vacancies(s: i32): i32 {
    if (!this.shared) return this.freeSlots.get(s);
    let free: i32 = 0;
    let p = this.turns.get(s);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      if (this.podSlots.get(p) > this.podInUse.get(p)) free += this.podSlots.get(p) - this.podInUse.get(p);
      p = this.podNext.get(p);
    }
    return free;
  }

  /** The stream of a request is over: whatever it still had is given back (a slot after a moment). `r` is not used again. */
  gone(r: i32, now: f64): void {
    if (this.requestMapped.get(r) === 0) return;
    this.requestMapped.set(r, 0);
    const state = this.requestState.get(r);
    const s = this.requestService.get(r);
    if (state === WAITING) {
      this.leave(r, false);
      this.addCount(s, ABANDONED_WAITING);
      this.freeRequest(r);
      this.forgetIfEmpty(s);
    } else if (state === WORKING) {
      this.addCount(s, ABANDONED_WORKING);
      this.hold(r, now);
    } else if (state === ENDED) {
      this.freeRequest(r);
    }
  }

  // ---- Time ----

  /** Frees slots that were kept long enough, and lets ejected pods return. */
  tick(now: f64): void {
    for (let s = this.timedHead; s !== NONE; s = this.timedNext.get(s)) {
      while (this.heldHeads.get(s) !== NONE && this.requestSince.get(this.heldHeads.get(s)) <= now) {
        const r = this.heldHeads.get(s);
        this.heldHeads.set(s, this.requestNext.get(r));
        if (this.requestNext.get(r) === NONE) this.heldTails.set(s, NONE);
        this.release(r);
      }
      if (this.ejectedCounts.get(s) > 0) this.returnPods(s, now);
    }
    for (let r = this.claimHead; r !== NONE; r = this.claimNext.get(r)) {
      if (this.givesSlots(this.requestClaim.get(r))) this.claimSince.set(r, Infinity);
      else if (this.claimSince.get(r) === Infinity) this.claimSince.set(r, now);
    }
  }

  /** Whether nobody says which pods there are. Once somebody does, all have their time to be told. */
  setSilent(silent: bool): void {
    this.silent = silent;
    for (let r = this.claimHead; r !== NONE && !silent; r = this.claimNext.get(r)) this.claimSince.set(r, Infinity);
    if (this.claimHead !== NONE) this.soonest = 0;
  }

  /** Until when a request waits for slots of a pod that gives none. */
  private claimUntil(r: i32): f64 {
    return this.claimSince.get(r) + (this.silent ? this.silentWait : this.claimWait);
  }

  /** A request whose pod has given its service no slot for as long as it claims one may wait for that; NONE: there is no further one. */
  expireClaim(now: f64): i32 {
    for (let r = this.claimHead; r !== NONE; r = this.claimNext.get(r)) {
      if (this.claimUntil(r) > now) continue;
      this.unclaim(r);
      return r;
    }
    return NONE;
  }

  /** A request that has waited too long, and waits no more; NONE: there is no further one. */
  expire(now: f64): i32 {
    if (this.deadlines.soonest() <= now) {
      const r = this.deadlines.first();
      this.leave(r, false);
      this.requestState.set(r, ENDED);
      this.expiredBy = DEADLINES;
      this.addCount(this.requestService.get(r), DEADLINES);
      return r;
    }
    for (let s = this.timedHead; s !== NONE; s = this.timedNext.get(s)) {
      const timeout = this.waitOf(s);
      if (timeout <= 0) continue;
      const r = this.order.oldest(s);
      if (r === NONE || this.order.came(r) + timeout > now) continue;
      this.leave(r, false);
      this.requestState.set(r, ENDED);
      this.expiredBy = this.isKnown(s) ? WAIT_TIMEOUTS : COUNT_UNSERVED;
      this.addCount(s, this.expiredBy);
      return r;
    }
    return NONE;
  }

  /** When `tick` or `expire` has something to do next: Infinity: never. Forgets the services without a deadline. */
  nextDeadline(): f64 {
    let soonest = this.deadlines.soonest();
    for (let r = this.claimHead; r !== NONE; r = this.claimNext.get(r))
      if (this.claimUntil(r) < soonest) soonest = this.claimUntil(r);
    let before: i32 = NONE;
    let s = this.timedHead;
    while (s !== NONE) {
      const next = this.timedNext.get(s);
      const at = this.deadlineOf(s);
      if (at === Infinity) {
        this.isTimed.set(s, 0);
        if (before === NONE) this.timedHead = next;
        else this.timedNext.set(before, next);
        this.forgetIfEmpty(s);
      } else {
        if (at < soonest) soonest = at;
        before = s;
      }
      s = next;
    }
    this.soonest = soonest;
    return soonest;
  }

  // ---- What happened ----

  /** The pod, or for SERVICE_FORGOTTEN the service. */
  eventSubject(i: i32): i32 {
    return this.eventSubjects.get(i);
  }

  eventKind(i: i32): i32 {
    return this.eventKinds.get(i);
  }

  eventReason(i: i32): i32 {
    return this.eventReasons.get(i);
  }

  /** For how long the pod is ejected. */
  eventTime(i: i32): f64 {
    return this.eventTimes.get(i);
  }

  /** The events are read: forgotten pods and services may be used anew. */
  clearEvents(): void {
    for (let i: i32 = 0; i < this.eventCount; i++) {
      const subject = this.eventSubjects.get(i);
      if (this.eventKinds.get(i) === POD_FORGOTTEN) {
        let last = subject;
        while (this.podTwins.get(last) !== subject) last = this.podTwins.get(last);
        this.podTwins.set(last, this.podTwins.get(subject));
        this.podNext.set(subject, this.podFree);
        this.podFree = subject;
      } else if (this.eventKinds.get(i) === SERVICE_FORGOTTEN) {
        this.unlist(subject);
        this.readyNext.set(subject, this.serviceFree);
        this.serviceFree = subject;
      }
    }
    this.eventCount = 0;
  }

  /** A service with something to report, or NONE. It is reported by that. */
  takeChanged(): i32 {
    const s = this.dirtyHead;
    if (s === NONE) return NONE;
    this.dirtyHead = this.dirtyNext.get(s);
    this.isDirty.set(s, 0);
    return s;
  }

  /** Something about the service is to be reported. */
  changed(s: i32): void {
    if (this.isDirty.get(s) !== 0) return;
    this.isDirty.set(s, 1);
    this.dirtyNext.set(s, this.dirtyHead);
    this.dirtyHead = s;
  }

  // ---- Slots that are shared with other workers ----

  /** So many slots of a service all workers use, those that are given to this one now among them. */
  noteInAll(s: i32, inUse: i32, version: f64): void {
    this.inAllCount.set(s, inUse);
    this.inAllVersion.set(s, version);
    if (inUse > this.mostInUseCount.get(s)) this.mostInUseCount.set(s, inUse);
  }

  /** So many of a pod. */
  notePodInAll(p: i32, inUse: i32): void {
    if (this.podInAll.get(p) === inUse) return;
    this.podInAll.set(p, inUse);
    this.podDirty.set(p, 1);
  }

  /** So many free slots of a pod are for this worker now, and no others. */
  grant(p: i32, slots: i32): void {
    this.podNews.set(p, 0);
    if (this.podGranted.get(p) === slots) return;
    this.podGranted.set(p, slots);
    this.starting = true;
    this.settle(p);
    this.starting = false;
  }

  /**
   * Envoy tries a request again, at this pod: it goes on with `takeClaim` once there is a slot, before those that wait. The slot
   * that it had is free at once, since its try there is over: two that want each other's slots would wait for ever.
   */
  claim(r: i32, p: i32): void {
    if (this.requestState.get(r) !== WORKING) return;
    this.unclaim(r);
    this.leavePod(r);
    this.follow(r, this.podService.get(p));
    this.requestClaim.set(r, p);
    if (r >= this.claimRoom) {
      this.claimRoom = this.requestRoom;
      this.claimSince.grow(this.claimRoom);
      this.claimConnected.grow(this.claimRoom);
    }
    this.claimSince.set(r, Infinity);
    this.claimConnected.set(r, 0);
    this.claimNext.set(r, NONE);
    if (this.claimTail === NONE) this.claimHead = r;
    else this.claimNext.set(this.claimTail, r);
    this.claimTail = r;
    // What is on its way for the request as it waited in the queue does not mean this.
    this.nameAnew(r);
    this.noteJoined(r);
    if (this.hasCosts) this.claimHeld.set(r, this.heldAt(r, p) - 1);
    this.podClaims.add(p, this.claimedBy(r));
    this.settle(p);
  }

  /** It has a connection to the pod of its claim. */
  setConnected(r: i32): void {
    this.claimConnected.set(r, 1);
  }

  isConnected(r: i32): bool {
    return this.claimConnected.get(r) !== 0;
  }

  /** Slots of this pod are kept for those that claim some. */
  keepsForClaims(p: i32): bool {
    return this.podClaimsGranted.get(p) > 0;
  }

  /** It needs no slot at another pod any more. */
  unclaim(r: i32): void {
    const p = this.requestClaim.get(r);
    if (p === NONE) return;
    this.dropClaim(r, p);
    this.settle(p);
    this.forgetPodIfIdle(p);
  }

  /** A connected request that has got the slot of its claim, and is at that pod now; NONE: there is no further one. */
  takeClaim(): i32 {
    for (let r = this.claimHead; r !== NONE; r = this.claimNext.get(r)) {
      const p = this.requestClaim.get(r);
      if (!this.isClaimGranted(r, p)) continue;
      this.moveToClaim(r, p);
      return r;
    }
    return NONE;
  }

  /** Whether this request has got the slot of its claim, beside those that claimed one of the same pod before it. */
  takeClaimOf(r: i32): bool {
    const p = this.requestClaim.get(r);
    if (p === NONE || !this.isClaimGranted(r, p)) return false;
    this.moveToClaim(r, p);
    return true;
  }

  /** Connected ones that claimed slots of the same pod before it come first, also where theirs are too few for now. */
  private isClaimGranted(r: i32, p: i32): bool {
    let left = this.podClaimsGranted.get(p);
    if (left <= 0 || !this.isConnected(r)) return false;
    for (let x = this.claimHead; x !== r; x = this.claimNext.get(x))
      if (this.requestClaim.get(x) === p && this.isConnected(x)) left -= this.claimedBy(x);
    return left >= this.claimedBy(r);
  }

  private moveToClaim(r: i32, p: i32): void {
    this.podClaimsGranted.add(p, -this.claimedBy(r));
    this.dropClaim(r, p);
    this.move(r, p);
  }

  private dropClaim(r: i32, p: i32): void {
    let before: i32 = NONE;
    for (let x = this.claimHead; x !== r; x = this.claimNext.get(x)) before = x;
    const next = this.claimNext.get(r);
    if (before === NONE) this.claimHead = next;
    else this.claimNext.set(before, next);
    if (next === NONE) this.claimTail = before;
    this.requestClaim.set(r, NONE);
    this.noteLeft(r);
    this.podClaims.add(p, -this.claimedBy(r));
  }

  isClaiming(r: i32): bool {
    return this.requestClaim.get(r) !== NONE;
  }

  /** Requests of a service that claim a slot, those included that came for it before another one took it over. */
  claims(s: i32): i32 {
    let count: i32 = 0;
    for (let r = this.claimHead; r !== NONE; r = this.claimNext.get(r))
      if (this.requestService.get(r) === s || this.cameFor(r) === s) count++;
    return count;
  }

  /** How many slots of this pod requests claim. */
  claimsOf(p: i32): i32 {
    return this.podClaims.get(p);
  }

  /** So many of them get it. */
  grantClaims(p: i32, slots: i32): void {
    this.podClaimsGranted.set(p, slots);
  }

  /** How many requests wait for the service at other workers. */
  setElsewhere(s: i32, waiting: i32): void {
    this.elsewhereCount.set(s, waiting);
  }

  /** Sluice has said something about this pod since the last `grant`, or it is to be said again. */
  isNews(p: i32): bool {
    return this.podNews.get(p) !== 0;
  }

  /** What Sluice has said about the pods of a service is to be said again to the other workers. */
  sayAgain(s: i32): void {
    let p = this.turns.get(s);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      this.podNews.set(p, 1);
      p = this.podNext.get(p);
    }
    this.unshared(s);
  }

  /** Its slots, in use or not; 0 while it gets no request. */
  podSlotsOf(p: i32): i32 {
    return this.podSlots.get(p);
  }

  /** A service with a change that concerns other workers or Envoys, or NONE. It is shared by that. */
  takeUnshared(): i32 {
    const s = this.unsharedHead;
    if (s === NONE) return NONE;
    this.unsharedHead = this.unsharedNext.get(s);
    this.isUnshared.set(s, 0);
    return s;
  }

  /** Other workers or Envoys are to hear of the service. */
  unshared(s: i32): void {
    if ((!this.shared && !this.coordinated) || this.starting || this.isUnshared.get(s) !== 0) return;
    this.isUnshared.set(s, 1);
    this.unsharedNext.set(s, this.unsharedHead);
    this.unsharedHead = s;
  }

  /** `shared` or `coordinated` has changed: everything of the service is counted anew. */
  refresh(s: i32): void {
    this.inAllVersion.set(s, 0);
    let p = this.turns.get(s);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      this.podGranted.set(p, 0);
      this.podClaimsGranted.set(p, 0);
      this.podNews.set(p, 1);
      this.losePod(p);
      this.settle(p);
      const next = this.podNext.get(p);
      this.forgetPodIfIdle(p);
      p = next;
    }
    this.elsewhereCount.set(s, 0);
    this.putKeptBack(s);
    this.unshared(s);
  }

  // ---- Services that take others over ----

  /**
   * From now on the requests that come for a service are those of another one, `taker`. Those that wait, and those that claim slots, are to be
   * handed over with `handOver` and `moveClaim`.
   */
  takeOver(s: i32, taker: i32): void {
    if (this.takers.get(s) === taker + 1) return;
    this.giveUp(s);
    if (!this.hasTakers) {
      this.hasTakers = true;
      this.requestCameFor.grow(this.requestRoom);
    }
    this.takers.set(s, taker + 1);
    this.takenCounts.add(taker, 1);
  }

  /** Requests that come for a service are its own again. Those that came before are to be handed back with `handOver`. */
  giveUp(s: i32): void {
    const taker = this.takers.get(s) - 1;
    if (taker === NONE) return;
    this.takers.set(s, 0);
    this.takenCounts.add(taker, -1);
  }

  /** The service whose requests are those that come for this one: itself, or the one that has taken it over. */
  takerOf(s: i32): i32 {
    let taker = s;
    while (this.takers.get(taker) !== 0) taker = this.takers.get(taker) - 1;
    return taker;
  }

  isTaken(s: i32): bool {
    return this.takers.get(s) !== 0;
  }

  /** The service that a request came for. */
  cameFor(r: i32): i32 {
    const other: i32 = this.hasTakers ? this.requestCameFor.get(r) - 1 : NONE;
    return other === NONE ? this.requestService.get(r) : other;
  }

  /** A request has come for a service that was taken over; NONE: for that which has it. */
  setCameFor(r: i32, s: i32): void {
    if (!this.hasTakers) return;
    const before = this.requestCameFor.get(r) - 1;
    const isWaiting = this.requestState.get(r) === WAITING;
    if (before !== NONE) {
      this.awayCounts.add(before, -1);
      if (isWaiting) this.awayWaitingCounts.add(before, -1);
    }
    this.requestCameFor.set(r, s + 1);
    if (s !== NONE) {
      this.awayCounts.add(s, 1);
      if (isWaiting) this.awayWaitingCounts.add(s, 1);
    }
    if (before !== NONE) this.forgetIfEmpty(before);
  }

  /** Requests that came for a service, and that are those of another one: all, and those of them that wait. */
  away(s: i32): i32 {
    return this.awayCounts.get(s);
  }

  awayWaiting(s: i32): i32 {
    return this.awayWaitingCounts.get(s);
  }

  private countAway(r: i32, waiting: i32): void {
    const s = this.cameFor(r);
    if (s !== this.requestService.get(r)) this.awayWaitingCounts.add(s, waiting);
  }

  /**
   * A waiting request is one of another service from now on, of this class and this tenant (or NONE). Its place is that of its age.
   * `before`: NONE, or one that is older, of the same service and class, and near.
   */
  handOver(r: i32, s: i32, c: i32, tenant: i32, before: i32): void {
    const from = this.requestService.get(r);
    if (this.requestState.get(r) !== WAITING || from === s) return;
    if (this.keptRequests.get(from) === r) this.unkeep(from);
    if (this.countsPlaces) this.placesMoved.set(from, 1);
    this.order.leave(r, from);
    this.waitingCount.add(from, -1);
    this.noteLeft(r);
    this.unshared(from);
    this.changed(from);
    this.follow(r, s);
    this.order.describe(r, c, tenant, this.order.costOf(r), this.order.came(r));
    this.order.joinByAge(r, s, before);
    this.waitingCount.add(s, 1);
    if (this.countsPlaces) this.placesMoved.set(s, 1);
    this.noteWaiting(s);
    // What is on its way for the request as it waited there does not mean this.
    this.nameAnew(r);
    this.noteJoined(r);
    this.timeQueue(s);
    this.ready(s);
    this.unshared(s);
    this.changed(s);
  }

  /** A request that claims a slot of a pod claims one of the same pod of another service from now on. */
  moveClaim(r: i32, p: i32): void {
    const from = this.requestClaim.get(r);
    if (from === NONE || from === p) return;
    this.noteLeft(r);
    this.podClaims.add(from, -this.claimedBy(r));
    this.requestClaim.set(r, NONE);
    this.settle(from);
    this.forgetPodIfIdle(from);
    this.follow(r, this.podService.get(p));
    this.requestClaim.set(r, p);
    this.claimSince.set(r, Infinity);
    if (this.hasCosts) this.claimHeld.set(r, this.heldAt(r, p) - 1);
    this.podClaims.add(p, this.claimedBy(r));
    this.nameAnew(r);
    this.noteJoined(r);
    this.settle(p);
  }

  /** A request that has no slot is one of this service from now on. */
  private follow(r: i32, s: i32): void {
    const from = this.requestService.get(r);
    if (from === s) return;
    const cameFor = this.cameFor(r);
    if (this.requestState.get(r) === WORKING) {
      this.inUseCount.add(from, -this.heldBy(r));
      this.inUseCount.add(s, this.heldBy(r));
    }
    this.setCameFor(r, NONE);
    this.requestService.set(r, s);
    if (cameFor !== s) this.setCameFor(r, cameFor);
    this.changed(from);
    this.forgetIfEmpty(from);
  }

  // ---- Slots that are shared with other Envoys ----

  /** Requests of the service may start that arrived by then. */
  setGate(s: i32, at: f64): void {
    this.gates.set(s, at);
    this.ready(s);
  }

  /** The first of the queue may start whatever the gate says: so many times, until the service is shared next. */
  pass(s: i32): void {
    this.passes.add(s, 1);
    this.ready(s);
  }

  /** All slots of its pods are this filter's own, also while those of others are shared. */
  setOwnSlots(s: i32, own: bool): void {
    if (this.hasOwnSlots(s) === own) return;
    this.ownSlots.set(s, own ? 1 : 0);
    this.refresh(s);
  }

  hasOwnSlots(s: i32): bool {
    return this.ownSlots.get(s) !== 0;
  }

  private isShared(s: i32): bool {
    return this.coordinated && this.ownSlots.get(s) === 0;
  }

  clearPasses(s: i32): void {
    this.passes.set(s, 0);
  }

  held(p: i32): i32 {
    return this.podHeld.get(p);
  }

  setHeld(p: i32, slots: i32): void {
    this.podHeld.set(p, slots);
    this.settle(p);
    this.forgetPodIfIdle(p);
  }

  /** So many of the slots that are held are called back. */
  owed(p: i32): i32 {
    return this.podOwed.get(p);
  }

  setOwed(p: i32, slots: i32): void {
    this.podOwed.set(p, slots);
    this.settle(p);
  }

  /** Those of the held slots that have a request. */
  used(p: i32): i32 {
    return this.podInUse.get(p) - this.podLost.get(p);
  }

  /** Requests that still run in slots which were taken away. */
  lost(p: i32): i32 {
    return this.podLost.get(p);
  }

  setLost(p: i32, requests: i32): void {
    this.podLost.set(p, requests);
  }

  private nameAnew(r: i32): void {
    this.serial += 1;
    this.requestName.set(r, this.serial * PLACES + (r as f64));
    this.requestTold.set(r, 0);
  }

  /** The name of a request in messages. */
  nameOf(r: i32): f64 {
    return this.requestName.get(r);
  }

  /** The request of this name that waits or claims a slot, or NONE. */
  named(name: f64): i32 {
    const r = (name % PLACES) as i32;
    if (r >= this.requestEnd || this.requestName.get(r) !== name) return NONE;
    return this.isWaiting(r) || this.isClaiming(r) ? r : NONE;
  }

  /** Whether others were told that it waits. */
  isTold(r: i32): bool {
    return this.requestTold.get(r) !== 0;
  }

  setTold(r: i32, told: bool): void {
    this.requestTold.set(r, told ? 1 : 0);
  }

  /** The pod whose slot it claims, or NONE. */
  claimOf(r: i32): i32 {
    return this.requestClaim.get(r);
  }

  /** Any request that claims a slot, or NONE; with `nextClaim` all of them. */
  firstClaim(): i32 {
    return this.claimHead;
  }

  nextClaim(r: i32): i32 {
    return this.claimNext.get(r);
  }

  /** A request that waits or claims since `clearNews`; it may be told already, or wait no more. */
  joined(i: i32): i32 {
    return this.joinedRequests.get(i);
  }

  leftName(i: i32): f64 {
    return this.leftNames.get(i);
  }

  leftService(i: i32): i32 {
    return this.leftServices.get(i);
  }

  clearNews(): void {
    this.joinedCount = 0;
    this.leftCount = 0;
  }

  /** It is to be told that this request waits. */
  noteJoined(r: i32): void {
    if (!this.isShared(this.requestService.get(r))) return;
    this.requestTold.set(r, 0);
    const i = this.joinedCount++;
    if (i >= this.joinedRoom) {
      this.joinedRoom = i < 8 ? 16 : i * 2;
      this.joinedRequests.grow(this.joinedRoom);
    }
    this.joinedRequests.set(i, r);
  }

  private noteLeft(r: i32): void {
    if (!this.coordinated || this.requestTold.get(r) === 0) return;
    this.requestTold.set(r, 0);
    const i = this.leftCount++;
    if (i >= this.leftRoom) {
      this.leftRoom = i < 8 ? 16 : i * 2;
      this.leftNames.grow(this.leftRoom);
      this.leftServices.grow(this.leftRoom);
    }
    this.leftNames.set(i, this.requestName.get(r));
    this.leftServices.set(i, this.requestService.get(r));
  }

  // ---- The queue ----

  private join(r: i32): void {
    const s = this.requestService.get(r);
    this.order.join(r, s);
    this.requestState.set(r, WAITING);
    this.waitingCount.add(s, 1);
    if (this.countsPlaces) {
      this.requestPlace.set(r, this.startSerials.get(s) + this.waitingCount.get(s));
      if (!this.isPlain(s)) this.placesMoved.set(s, 1);
    }
    this.noteJoined(r);
    // Otherwise each request waits for a moment, see `stay`.
    if (!this.isDecidedLater(s)) this.noteWaiting(s);
    if (this.waitOf(s) > 0) this.time(s, this.order.came(r) + this.waitOf(s));
    this.ready(s);
    if (!this.shared || !this.isFarBehind(s)) this.unshared(s);
    this.changed(s);
  }

  /** Other workers need not hear now that one more waits at the end: those before it are all that they look at, and many more may. */
  private isFarBehind(s: i32): bool {
    if (this.waitingCount.get(s) <= this.listed + 1 || !this.isPlain(s)) return false;
    return this.waitingInAll(s) * this.sharers < this.queueMax.get(s);
  }

  private noteWaiting(s: i32): void {
    if (this.waitingCount.get(s) > this.mostWaitingCount.get(s)) this.mostWaitingCount.set(s, this.waitingCount.get(s));
  }

  private leave(r: i32, starts: bool): void {
    const s = this.requestService.get(r);
    // Those behind it move up; where it starts, because one more has started.
    if (this.countsPlaces && !(starts && this.isPlain(s))) this.placesMoved.set(s, 1);
    if (this.keptRequests.get(s) === r) this.unkeep(s);
    this.deadlines.remove(r);
    this.order.leave(r, s);
    this.waitingCount.add(s, -1);
    this.countAway(r, -1);
    this.noteLeft(r);
    this.unshared(s);
    this.changed(s);
  }

  /**
   * The place of a waiting request: 1 is the next one that starts. Requests of other workers are among them, in the same share
   * before it as behind it. In a long queue those that left before it within the last second may still be counted.
   */
  placeOf(r: i32, now: f64): i32 {
    const s = this.requestService.get(r);
    const waiting = this.waitingCount.get(s);
    if (this.placesMoved.get(s) !== 0) {
      const isLong = waiting > COUNT_AT_ONCE && now - this.placesCountedAt.get(s) < COUNT_EVERY;
      if (!isLong) this.countPlaces(s, now);
    }
    let place: i32 = (this.requestPlace.get(r) - this.startSerials.get(s)) | 0;
    if (place > waiting) place = waiting;
    if (place < 1) place = 1;
    const elsewhere = (this.elsewhereCount.get(s) as f64) * ((place as f64) / (waiting as f64));
    return place + (Math.floor(elsewhere) as i32);
  }

  /** The place of a request that has just joined: the last one, but where some go before those that came before. */
  placeAtEnd(r: i32, now: f64): i32 {
    const s = this.requestService.get(r);
    if (this.isPlain(s)) return this.waitingInAll(s);
    if (!this.countsPlaces) this.countPlacesFrom(s);
    return this.placeOf(r, now);
  }

  /** From now on places are counted: some service tells them. */
  countPlacesFrom(s: i32): void {
    if (!this.countsPlaces) {
      this.countsPlaces = true;
      this.growPlaces();
      this.requestPlace.grow(this.requestRoom);
      for (let each: i32 = 0; each < this.serviceEnd; each++) this.clearPlaces(each);
    }
    this.placesMoved.set(s, 1);
    this.placesCountedAt.set(s, -COUNT_EVERY);
  }

  private growPlaces(): void {
    this.placesMoved.grow(this.serviceRoom);
    this.startSerials.grow(this.serviceRoom);
    this.placesCountedAt.grow(this.serviceRoom);
  }

  /** Those that wait already are counted when somebody asks. */
  private clearPlaces(s: i32): void {
    this.placesMoved.set(s, 1);
    this.startSerials.set(s, 0);
    this.placesCountedAt.set(s, -COUNT_EVERY);
  }

  /** Who came first goes first, so that those that wait move up one by one. */
  private isPlain(s: i32): bool {
    return this.order.classesOf(s) <= 1 && !this.order.fair(s) && this.costMax.get(s) === 0;
  }

  private countPlaces(s: i32, now: f64): void {
    this.placesMoved.set(s, 0);
    this.placesCountedAt.set(s, now);
    let place = this.startSerials.get(s);
    for (let r = this.firstWaiting(s); r !== NONE; r = this.after(r)) {
      place++;
      this.requestPlace.set(r, place);
    }
  }

  // ---- Slots ----

  /** The pod with the fewest slots in use among those with so many free; among equals the one whose turn it is. */
  private choose(s: i32, slots: i32): i32 {
    const freed = this.lastFreed.get(s);
    if (freed !== NONE && this.podFreeSlots.get(freed) === this.freeSlots.get(s))
      return this.fits(freed, slots) ? freed : NONE;
    let best: i32 = NONE;
    let fewest: i32 = 0x7fffffff;
    let p = this.turns.get(s);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      if (this.fits(p, slots) && this.podInUse.get(p) < fewest) {
        best = p;
        fewest = this.podInUse.get(p);
        if (fewest === 0) break;
      }
      p = this.podNext.get(p);
    }
    return best;
  }

  /** Whether a request that takes so many slots may start at a pod. The one that tries a pod may be a large one. */
  private fits(p: i32, slots: i32): bool {
    const free = this.podFreeSlots.get(p);
    if (free >= slots) return true;
    if (free === 0 || !this.isTried(p)) return false;
    if (this.shared) return slots <= this.podGranted.get(p);
    const limit = this.podLimit.get(p) - this.passing(p);
    return slots <= (this.isShared(this.podService.get(p)) ? this.heldOf(p, limit) : limit);
  }

  /** A pod that was ejected, and gets one request first. */
  private isTried(p: i32): bool {
    return (this.podBits.get(p) & TRYING_BIT) !== 0 && this.podInUse.get(p) === 0;
  }

  /** The slots of a pod that one request may take, if it waits for them: 0 while the pod gets none. */
  slotsForOne(p: i32): i32 {
    return this.podSlots.get(p) > 0 && this.isTried(p) ? this.podLimit.get(p) : this.podSlots.get(p);
  }

  private begin(r: i32, p: i32, now: f64): void {
    const s = this.requestService.get(r);
    const wait = now - this.order.came(r);
    this.order.begin(r, s, wait);
    this.turns.set(s, this.podNext.get(p));
    this.requestState.set(r, WORKING);
    this.requestPod.set(r, p);
    this.requestSince.set(r, now);
    this.addCount(s, STARTED);
    if (this.countsPlaces) this.startSerials.add(s, 1);
    this.waits.add(s * BUCKETS + bucketOf(wait), 1);
    this.waitSums.add(s, wait);
    const slots = this.order.costOf(r);
    if (this.hasCosts) this.requestHeld.set(r, slots - 1);
    this.podGranted.set(p, this.podGranted.get(p) > slots ? this.podGranted.get(p) - slots : 0);
    this.podInUse.add(p, slots);
    this.inUseCount.add(s, slots);
    if (this.inUseCount.get(s) > this.mostInUseCount.get(s)) this.mostInUseCount.set(s, this.inUseCount.get(s));
    this.settle(p);
  }

  private vacate(r: i32): void {
    this.unclaim(r);
    const s = this.requestService.get(r);
    const p = this.requestPod.get(r);
    this.order.end(r);
    this.requestPod.set(r, NONE);
    this.inUseCount.add(s, -this.heldBy(r));
    if (p !== NONE) {
      this.lastFreed.set(s, p);
      this.freeSlotsOf(p, this.heldBy(r));
    }
    this.ready(s);
    this.changed(s);
    this.forgetIfEmpty(s);
  }

  /** Keeps the slot of a request for the moment that its pod needs to learn that nobody waits for it any more. */
  private hold(r: i32, now: f64): void {
    this.unclaim(r);
    const s = this.requestService.get(r);
    const moment = this.abortHold.get(s);
    if (moment <= 0) {
      this.release(r);
      return;
    }
    this.holdUntil(r, now + moment);
  }

  private holdUntil(r: i32, until: f64): void {
    const s = this.requestService.get(r);
    this.requestState.set(r, HELD);
    this.requestSince.set(r, until);
    // Mostly the last one: clients that leave have the same moment.
    let before = this.heldTails.get(s);
    if (before !== NONE && this.requestSince.get(before) > until) {
      before = NONE;
      for (let x = this.heldHeads.get(s); this.requestSince.get(x) <= until; x = this.requestNext.get(x)) before = x;
    }
    const next = before === NONE ? this.heldHeads.get(s) : this.requestNext.get(before);
    this.requestNext.set(r, next);
    if (before === NONE) this.heldHeads.set(s, r);
    else this.requestNext.set(before, r);
    if (next === NONE) this.heldTails.set(s, r);
    this.time(s, until);
  }

  private release(r: i32): void {
    this.requestState.set(r, ENDED);
    this.vacate(r);
    if (this.requestMapped.get(r) === 0) this.freeRequest(r);
  }

  /** Brings what is derived of a pod up to date: after each change of it. */
  private settle(p: i32): void {
    this.settleOne(p);
    this.passOn(p);
  }

  private settleOne(p: i32): void {
    const s = this.podService.get(p);
    const bits = this.podBits.get(p);
    const inUse = this.podInUse.get(p) + this.passing(p);
    let slots = (bits & (REMOVED_BIT | UNHEALTHY_BIT | EJECTED_BIT)) !== 0 ? 0 : this.podLimit.get(p);
    if ((bits & TRYING_BIT) !== 0 && slots > 1) slots = 1;
    let free: i32 = slots > inUse ? slots - inUse : 0;
    if (this.isShared(s)) free = this.heldOf(p, free);
    let usable: i32 = this.shared ? this.grantedOf(p, free) : free - this.settleClaims(p, free);
    if (this.keptPods.get(s) === p) usable = this.settleKept(s, slots, usable);
    this.slotCount.add(s, slots - this.podSlots.get(p));
    this.podSlots.set(p, slots);
    // The next tick looks since when they wait.
    if (this.podClaims.get(p) > 0 && !this.givesSlots(p)) this.soonest = 0;
    this.freeSlots.add(s, usable - this.podFreeSlots.get(p));
    this.podFreeSlots.set(p, usable);
    this.podDirty.set(p, 1);
    this.ready(s);
    this.unshared(s);
    this.changed(s);
  }

  private heldOf(p: i32, free: i32): i32 {
    const idle = this.podHeld.get(p) - this.used(p) - this.podOwed.get(p);
    if (idle < 0) return 0;
    return free < idle ? free : idle;
  }

  /** The free slots of a pod that keeps them for one request: none for the others, as long as it can have so many. */
  private settleKept(s: i32, slots: i32, usable: i32): i32 {
    const cost = this.order.costOf(this.keptRequests.get(s));
    const p = this.keptPods.get(s);
    const isTried = slots > 0 && this.isTried(p);
    if ((isTried ? this.podLimit.get(p) : slots) >= cost && !this.shared && !this.isShared(s)) {
      this.keptFree.set(s, isTried && usable > 0 ? this.podLimit.get(p) - this.passing(p) : usable);
      return 0;
    }
    this.keptPods.set(s, NONE);
    this.keptFree.set(s, 0);
    return usable;
  }

  private grantedOf(p: i32, free: i32): i32 {
    const granted = this.podGranted.get(p);
    return free < granted ? free : granted;
  }

  /** While nothing is shared: those that are tried again at this pod get its free slots first. How many of `free` are theirs. */
  private settleClaims(p: i32, free: i32): i32 {
    const claims = this.podClaims.get(p);
    if (claims === 0) {
      this.podClaimsGranted.set(p, 0);
      return 0;
    }
    let slots: i32 = this.givesSlots(p) ? this.podLimit.get(p) - this.podInUse.get(p) - this.passing(p) : 0;
    if (this.isShared(this.podService.get(p))) slots = this.podHeld.get(p) - this.used(p) - this.podOwed.get(p);
    if (slots < 0) slots = 0;
    const granted = claims < slots ? claims : slots;
    this.podClaimsGranted.set(p, granted);
    return granted < free ? granted : free;
  }

  /** Whether those that are tried again at this pod may have slots of it: Sluice has told some for this service. */
  givesSlots(p: i32): bool {
    return (this.podBits.get(p) & REMOVED_BIT) === 0 && this.podLimit.get(p) > 0;
  }

  // ---- Ejection ----

  private judge(p: i32, status: i32, now: f64): void {
    const s = this.podService.get(p);
    const trying = (this.podBits.get(p) & TRYING_BIT) !== 0;
    const gateway = status === 502 || status === 503 || status === 504;
    if (gateway && this.ejectGateway.get(s) > 0) {
      this.podGatewayRow.add(p, 1);
      if (trying || this.podGatewayRow.get(p) >= this.ejectGateway.get(s)) {
        this.eject(p, GATEWAY_ERRORS, now);
        return;
      }
    } else if (!gateway) {
      this.podGatewayRow.set(p, 0);
    }
    if (status >= 500 && this.eject5xx.get(s) > 0) {
      this.pod5xxRow.add(p, 1);
      if (trying || this.pod5xxRow.get(p) >= this.eject5xx.get(s)) this.eject(p, CONSECUTIVE_5XX, now);
      return;
    }
    this.pod5xxRow.set(p, 0);
    if (trying && !(gateway && this.ejectGateway.get(s) > 0)) {
      this.podBits.set(p, this.podBits.get(p) & ~TRYING_BIT);
      this.settle(p);
    }
  }

  private eject(p: i32, reason: i32, now: f64): void {
    const bits = this.podBits.get(p);
    if ((bits & (EJECTED_BIT | REMOVED_BIT)) !== 0) return;
    const s = this.podService.get(p);
    const max = this.ejectMax.get(s);
    // Good for longer than it can be ejected: what was before is forgiven.
    if (now - this.podReturnedAt.get(p) > max) this.podEjections.set(p, 0);
    this.podEjections.add(p, 1);
    let time = this.ejectBase.get(s) * (this.podEjections.get(p) as f64);
    if (time > max) time = max;
    if (time <= 0) return;
    this.podBits.set(p, (bits & ~TRYING_BIT) | EJECTED_BIT);
    this.podEjectedUntil.set(p, now + time);
    this.podGatewayRow.set(p, 0);
    this.pod5xxRow.set(p, 0);
    this.ejectedCounts.add(s, 1);
    this.addCount(s, EJECTIONS);
    this.settle(p);
    this.time(s, now + time);
    this.event(p, POD_EJECTED, reason, time);
  }

  private returnPods(s: i32, now: f64): void {
    let p = this.turns.get(s);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      const bits = this.podBits.get(p);
      if ((bits & EJECTED_BIT) !== 0 && this.podEjectedUntil.get(p) <= now) {
        this.podBits.set(p, (bits & ~EJECTED_BIT) | TRYING_BIT);
        this.podReturnedAt.set(p, now);
        this.ejectedCounts.add(s, -1);
        this.settle(p);
        this.event(p, POD_RETURNED, NO_REASON, 0);
      }
      p = this.podNext.get(p);
    }
  }

  // ---- Forgetting ----

  private forgetPodIfIdle(p: i32): void {
    if ((this.podBits.get(p) & REMOVED_BIT) === 0 || this.podInUse.get(p) + this.podClaims.get(p) > 0) return;
    // A slot is given back, or told of: it is not forgotten.
    if (this.coordinated && this.podHeld.get(p) > 0) return;
    if (this.shared && this.podOthers.get(p) > 0) return;
    const s = this.podService.get(p);
    const next = this.podNext.get(p);
    if (next === p) {
      this.turns.set(s, NONE);
    } else {
      const before = this.podPrev.get(p);
      this.podNext.set(before, next);
      this.podPrev.set(next, before);
      if (this.turns.get(s) === p) this.turns.set(s, next);
    }
    if (this.lastFreed.get(s) === p) this.lastFreed.set(s, NONE);
    this.podCounts.add(s, -1);
    this.podOthers.set(p, 0);
    this.passOn(p);
    this.event(p, POD_FORGOTTEN, NO_REASON, 0);
  }

  private forgetIfEmpty(s: i32): void {
    if (this.known.get(s) !== UNKNOWN || this.waitingCount.get(s) > 0 || this.inUseCount.get(s) > 0) return;
    if (this.podCounts.get(s) > 0 || this.awayCounts.get(s) > 0) return;
    // What ends there has to be heard of.
    if (this.shared && this.strayCounts.get(s) > 0) return;
    this.known.set(s, FORGOTTEN);
    if (this.takers.get(s) !== 0) this.giveUp(s);
    this.event(s, SERVICE_FORGOTTEN, NO_REASON, 0);
  }

  // ---- Lists ----

  /** Somebody who waits arrived so early that he may start, as far as other Envoys are concerned. */
  private isGateOpen(s: i32): bool {
    if (this.gates.get(s) === Infinity || this.passes.get(s) > 0) return true;
    const r = this.order.oldest(s);
    return r !== NONE && this.order.came(r) <= this.gates.get(s);
  }

  /** Nobody of the service may start until something changes. */
  private unready(s: i32): void {
    this.readyHead = without(this.readyHead, s, this.readyNext);
    this.isReady.set(s, 0);
  }

  private ready(s: i32): void {
    if (this.isReady.get(s) !== 0 || !this.mightStart(s)) return;
    this.isReady.set(s, 1);
    this.readyNext.set(s, this.readyHead);
    this.readyHead = s;
  }

  /** Something of the service is due at this time. */
  private time(s: i32, at: f64): void {
    if (at < this.soonest) this.soonest = at;
    if (this.isTimed.get(s) !== 0) return;
    this.isTimed.set(s, 1);
    this.timedNext.set(s, this.timedHead);
    this.timedHead = s;
  }

  /** What those that wait may wait has changed. */
  private timeQueue(s: i32): void {
    const r = this.order.oldest(s);
    if (r !== NONE && this.waitOf(s) > 0) this.time(s, this.order.came(r) + this.waitOf(s));
  }

  /** How long a request of this service may wait. 0: as long as it takes. */
  private waitOf(s: i32): f64 {
    return this.isKnown(s) ? this.queueTimeout.get(s) : this.unknownWait;
  }

  private deadlineOf(s: i32): f64 {
    let soonest: f64 = Infinity;
    const oldest = this.order.oldest(s);
    const wait = this.waitOf(s);
    if (oldest !== NONE && wait > 0) soonest = this.order.came(oldest) + wait;
    const held = this.heldHeads.get(s);
    if (held !== NONE && this.requestSince.get(held) < soonest) soonest = this.requestSince.get(held);
    const job = this.jobHeads.get(s);
    if (job !== NONE && this.requestUntil.get(job) < soonest) soonest = this.requestUntil.get(job);
    if (this.ejectedCounts.get(s) === 0) return soonest;
    let p = this.turns.get(s);
    for (let left = this.podCounts.get(s); left > 0; left--) {
      const ejected = (this.podBits.get(p) & EJECTED_BIT) !== 0;
      if (ejected && this.podEjectedUntil.get(p) < soonest) soonest = this.podEjectedUntil.get(p);
      p = this.podNext.get(p);
    }
    return soonest;
  }

  /** Takes a service out of all lists. */
  private unlist(s: i32): void {
    this.readyHead = without(this.readyHead, s, this.readyNext);
    this.timedHead = without(this.timedHead, s, this.timedNext);
    this.dirtyHead = without(this.dirtyHead, s, this.dirtyNext);
    this.unsharedHead = without(this.unsharedHead, s, this.unsharedNext);
    this.isUnshared.set(s, 0);
    this.isReady.set(s, 0);
    this.isTimed.set(s, 0);
    this.isDirty.set(s, 0);
  }

  private addCount(s: i32, which: i32): void {
    this.counts.add(s * COUNTS + which, 1);
    this.changed(s);
  }

  private event(subject: i32, kind: i32, reason: i32, time: f64): void {
    const i = this.eventCount++;
    if (i >= this.eventRoom) {
      this.eventRoom = i < 8 ? 16 : i * 2;
      this.eventSubjects.grow(this.eventRoom);
      this.eventKinds.grow(this.eventRoom);
      this.eventReasons.grow(this.eventRoom);
      this.eventTimes.grow(this.eventRoom);
      this.grown = true;
    }
    this.eventSubjects.set(i, subject);
    this.eventKinds.set(i, kind);
    this.eventReasons.set(i, reason);
    this.eventTimes.set(i, time);
  }

  // ---- Places ----

  private newRequest(): i32 {
    if (this.requests >= this.requestsMax) return NONE;
    let r = this.requestFree;
    if (r !== NONE) {
      this.requestFree = this.requestNext.get(r);
    } else {
      r = this.requestEnd++;
      if (r >= this.requestRoom) this.growRequests();
    }
    this.requests++;
    this.requestMapped.set(r, 1);
    this.requestPod.set(r, NONE);
    this.requestClaim.set(r, NONE);
    if (this.hasTakers) this.requestCameFor.set(r, 0);
    this.nameAnew(r);
    return r;
  }

  private freeRequest(r: i32): void {
    this.requestState.set(r, FREE);
    this.setCameFor(r, NONE);
    this.requestNext.set(r, this.requestFree);
    this.requestFree = r;
    this.requests--;
  }

  private growRequests(): void {
    const room: i32 = this.requestRoom === 0 ? 256 : this.requestRoom * 2;
    this.requestRoom = room;
    this.requestState.grow(room);
    this.requestMapped.grow(room);
    this.requestService.grow(room);
    this.requestPod.grow(room);
    this.requestNext.grow(room);
    this.order.growRequests(room);
    this.deadlines.growRequests(room);
    if (this.hasCosts) this.growCosts();
    if (this.hasTakers) this.requestCameFor.grow(room);
    this.requestSince.grow(room);
    if (this.countsPlaces) this.requestPlace.grow(room);
    this.requestClaim.grow(room);
    this.claimNext.grow(room);
    this.requestName.grow(room);
    this.requestTold.grow(room);
    this.grown = true;
  }

  /** One less than the slots of requests and claims: where nothing costs more than one, there is no room for it. */
  private growCosts(): void {
    this.requestHeld.grow(this.requestRoom);
    this.claimHeld.grow(this.requestRoom);
  }

  private growPods(): void {
    const room: i32 = this.podRoom === 0 ? 64 : this.podRoom * 2;
    this.podRoom = room;
    this.podService.grow(room);
    this.podNext.grow(room);
    this.podPrev.grow(room);
    this.podBits.grow(room);
    this.podLimit.grow(room);
    this.podInUse.grow(room);
    this.podInAll.grow(room);
    this.podFreeSlots.grow(room);
    this.podSlots.grow(room);
    this.podGatewayRow.grow(room);
    this.pod5xxRow.grow(room);
    this.podEjections.grow(room);
    this.podEjectedUntil.grow(room);
    this.podReturnedAt.grow(room);
    this.podDirty.grow(room);
    this.podGranted.grow(room);
    this.podClaims.grow(room);
    this.podClaimsGranted.grow(room);
    this.podHeld.grow(room);
    this.podOwed.grow(room);
    this.podLost.grow(room);
    this.podTwins.grow(room);
    this.podOthers.grow(room);
    this.podPassed.grow(room);
    this.podPassing.grow(room);
    this.podNews.grow(room);
    this.grown = true;
  }

  private growServices(): void {
    const room: i32 = this.serviceRoom === 0 ? 16 : this.serviceRoom * 2;
    this.serviceRoom = room;
    this.known.grow(room);
    this.queueMax.grow(room);
    this.queueTimeout.grow(room);
    this.abortHold.grow(room);
    this.eject5xx.grow(room);
    this.ejectGateway.grow(room);
    this.ejectBase.grow(room);
    this.ejectMax.grow(room);
    this.waitingCount.grow(room);
    this.inUseCount.grow(room);
    this.mostWaitingCount.grow(room);
    this.mostInUseCount.grow(room);
    this.inAllCount.grow(room);
    this.inAllVersion.grow(room);
    this.slotCount.grow(room);
    this.freeSlots.grow(room);
    this.counts.grow(room * COUNTS);
    this.waits.grow(room * BUCKETS);
    this.works.grow(room * BUCKETS);
    this.waitSums.grow(room);
    this.workSums.grow(room);
    this.usualWork.grow(room);
    this.usualSquare.grow(room);
    if (this.countsPlaces) this.growPlaces();
    this.order.growServices(room);
    this.costMax.grow(room);
    this.keptRequests.grow(room);
    this.keptPods.grow(room);
    this.keptFree.grow(room);
    this.heldHeads.grow(room);
    this.heldTails.grow(room);
    this.jobHeads.grow(room);
    this.jobTails.grow(room);
    this.jobCounts.grow(room);
    this.turns.grow(room);
    this.podCounts.grow(room);
    this.ejectedCounts.grow(room);
    this.lastFreed.grow(room);
    this.readyNext.grow(room);
    this.isReady.grow(room);
    this.timedNext.grow(room);
    this.isTimed.grow(room);
    this.dirtyNext.grow(room);
    this.isDirty.grow(room);
    this.unsharedNext.grow(room);
    this.isUnshared.grow(room);
    this.elsewhereCount.grow(room);
    this.gates.grow(room);
    this.passes.grow(room);
    this.ownSlots.grow(room);
    this.takers.grow(room);
    this.takenCounts.grow(room);
    this.awayCounts.grow(room);
    this.strayCounts.grow(room);
    this.awayWaitingCounts.grow(room);
    this.grown = true;
  }
}

function cube(value: f64): f64 {
  return value > 0 ? value * value * value : 0;
}

/** The head of a list once `s` is not in it. */
function without(head: i32, s: i32, next: Ints): i32 {
  if (head === s) return next.get(s);
  for (let x = head; x !== NONE; x = next.get(x)) {
    if (next.get(x) === s) {
      next.set(x, next.get(s));
      return head;
    }
  }
  return head;
}
