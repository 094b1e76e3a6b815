import { ANSWERED, FAILED, NONE, type Queues, TIMED_OUT, WAITING, WORKING } from '../../../envoy/filter/queue.ts';

/** The calls of the queue that the steps make: those of `Queues`, in Node or compiled. */
export type QueueCalls = Pick<
  Queues,
  | 'addService'
  | 'configure'
  | 'configureEjection'
  | 'addPod'
  | 'setPod'
  | 'removePod'
  | 'arrive'
  | 'nextReady'
  | 'start'
  | 'state'
  | 'podOf'
  | 'move'
  | 'claim'
  | 'setConnected'
  | 'endLater'
  | 'takeClaim'
  | 'isClaiming'
  | 'addStranger'
  | 'expireClaim'
  | 'answered'
  | 'unreachable'
  | 'end'
  | 'gone'
  | 'tick'
  | 'expire'
  | 'nextDeadline'
  | 'clearEvents'
  | 'waiting'
  | 'inUse'
  | 'slots'
  | 'count'
  | 'retryAfter'
  | 'placeOf'
  | 'countPlacesFrom'
  | 'expect'
  | 'firstWaiting'
  | 'after'
>;

/** One step: what is done, and two numbers that say with what. */
export type Step = readonly [what: number, a: number, b: number];

/** The methods that the compiled queue exports, one function each. */
export const CALLS: readonly (keyof QueueCalls)[] = [
  'addService',
  'configure',
  'configureEjection',
  'addPod',
  'setPod',
  'removePod',
  'arrive',
  'nextReady',
  'start',
  'state',
  'podOf',
  'move',
  'claim',
  'setConnected',
  'endLater',
  'takeClaim',
  'isClaiming',
  'addStranger',
  'expireClaim',
  'answered',
  'unreachable',
  'end',
  'gone',
  'tick',
  'expire',
  'nextDeadline',
  'clearEvents',
  'waiting',
  'inUse',
  'slots',
  'count',
  'retryAfter',
  'placeOf',
  'countPlacesFrom',
  'expect',
  'firstWaiting',
  'after',
];

/** What is known of the requests that the steps made. */
export interface Seen {
  /** In the order of arrival. */
  readonly arrived: number[];
  /** In the order in which they got their slot. */
  readonly started: number[];
  readonly open: number[];
  /** So many are tried again, and have no slot. */
  readonly claiming: number;
  readonly refused: number;
}

/**
 * Takes a service with pods through steps. `note` gets everything that the queue answers, in order. Requests are numbered by
 * their arrival, because the queue uses its own numbers again.
 */
export function takeSteps(queue: QueueCalls, steps: readonly Step[], note: (value: number) => void = () => {}): Seen {
  const s = queue.addService();
  queue.countPlacesFrom(s);
  queue.configureEjection(s, 0, 2, 30, 100);
  queue.configure(s, 6, 40, 5);
  const pods: number[] = [];
  const open: { number: number; r: number }[] = [];
  const seen = { arrived: [] as number[], started: [] as number[], refused: 0 };
  let now = 1000;
  let arrivals = 0;
  const numberOf = (r: number) => open.find((request) => request.r === r)?.number ?? -1;
  const drain = () => {
    for (let r = queue.takeClaim(); r !== NONE; r = queue.takeClaim()) {
      note(r);
      note(queue.podOf(r));
    }
    for (let ready = queue.nextReady(); ready !== NONE; ready = queue.nextReady()) {
      const r = queue.start(ready, now);
      note(r);
      note(queue.podOf(r));
      seen.started.push(numberOf(r));
    }
    queue.clearEvents();
  };
  const leave = (index: number) => {
    const [request] = open.splice(index, 1);
    if (request !== undefined) queue.gone(request.r, now);
  };
  for (const [what, a, b] of steps) {
    const index = open.length === 0 ? 0 : a % open.length;
    const r = open[index]?.r;
    const isWorking = r !== undefined && queue.state(r) === WORKING;
    const pod = pods.length === 0 ? undefined : pods[b % pods.length];
    if (what < 4) {
      const came = queue.arrive(s, now);
      note(came);
      if (came < 0) seen.refused += 1;
      else {
        open.push({ number: arrivals, r: came });
        seen.arrived.push(arrivals);
        if (queue.state(came) === WORKING) {
          note(queue.podOf(came));
          seen.started.push(arrivals);
        }
        arrivals += 1;
      }
    } else if (what === 4 && isWorking) {
      queue.answered(r, b % 3 === 0 ? 503 : 200, now);
      queue.end(r, b % 3 === 0 ? FAILED : ANSWERED, now);
      leave(index);
    } else if (what === 5 && r !== undefined) leave(index);
    else if (what === 6 && isWorking && pod !== undefined) queue.move(r, pod);
    else if (what === 7 && pod !== undefined) queue.setPod(pod, b % 4, a % 5 === 0);
    else if (what === 8 && pods.length < 5) pods.push(queue.addPod(s, 1 + (b % 3), false));
    else if (what === 9 && isWorking) {
      queue.end(r, TIMED_OUT, now);
      leave(index);
    } else if (what === 12 && isWorking && pod !== undefined) {
      queue.claim(r, a % 4 === 0 ? queue.addStranger(s) : pod);
      if (b % 2 === 0) queue.setConnected(r);
    } else if (what === 13 && isWorking) {
      if (queue.isClaiming(r)) queue.setConnected(r);
      else {
        queue.endLater(r, ANSWERED, now + 1, now);
        leave(index);
      }
    } else if (what === 10 && pod !== undefined) queue.unreachable(pod, now);
    else if (what === 11) {
      now += a % 30;
      queue.tick(now);
      for (let late = queue.expireClaim(now); late !== NONE; late = queue.expireClaim(now)) {
        note(late);
        queue.end(late, FAILED, now);
        leave(open.findIndex((request) => request.r === late));
      }
      for (let late = queue.expire(now); late !== NONE; late = queue.expire(now)) {
        note(late);
        leave(open.findIndex((request) => request.r === late));
      }
      note(queue.nextDeadline());
    }
    drain();
    for (const value of [queue.waiting(s), queue.inUse(s), queue.slots(s), queue.retryAfter(s)]) note(value);
    let place = 0;
    for (let r = queue.firstWaiting(s); r !== NONE; r = queue.after(r)) {
      place += 1;
      note(queue.placeOf(r, now));
      if (queue.placeOf(r, now) !== place) throw new Error(`place ${queue.placeOf(r, now)} in place of ${place}`);
    }
    note(Number(queue.expect(s, queue.waiting(s))));
  }
  for (let i = 0; i < 12; i++) note(queue.count(s, i));
  const claiming = open.filter(({ r }) => queue.isClaiming(r)).length;
  return { ...seen, claiming, open: open.filter(({ r }) => queue.state(r) === WAITING).map(({ number }) => number) };
}
