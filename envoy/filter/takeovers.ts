// Services that take others over: a service that gets another name is another one, which has its pods and its requests from now on.
import { nameAt, nameSize } from './names.ts';
import { NONE } from './queue.ts';
import { podEntry, podMet, queues, servicesEnd } from './state.ts';
import { classIn, tenantIn } from './traits.ts';

/** From now on all requests of `s` are those of `taker`, and `s` has no pods: what runs there counts at the pods of `taker`. */
export function takeOver(s: i32, taker: i32): void {
  if (s === taker) return;
  queues.takeOver(s, taker);
  let p = queues.anyPod(s);
  for (let left = queues.podCount(s); left > 0; left--) {
    const next = queues.podAfter(p);
    queues.removePod(p);
    p = next;
  }
  moveWaiting(s, taker, NONE);
  gather(s, taker);
  for (let r = queues.firstClaim(); r !== NONE; r = queues.nextClaim(r)) {
    if (queues.serviceOf(r) !== s) continue;
    const pod = podEntry(queues.claimOf(r));
    queues.moveClaim(r, podMet(taker, nameAt(pod), nameSize(pod)));
  }
}

/** Sluice says what a service is: what another one has taken over is its own again. */
export function takeBack(s: i32): void {
  if (!queues.isTaken(s)) return;
  queues.giveUp(s);
  gather(s, s);
}

/** Moves those that came for a service, wherever they wait: others may have taken it over before. */
function gather(s: i32, to: i32): void {
  for (let from: i32 = 0; from < servicesEnd() && queues.awayWaiting(s) > 0; from++)
    if (from !== to && queues.waiting(from) > 0) moveWaiting(from, to, s);
}

/** Moves those that wait, or those of them that came for `only`. */
function moveWaiting(from: i32, to: i32, only: i32): void {
  let c: i32 = NONE;
  let before: i32 = NONE;
  let r = queues.firstWaiting(from);
  while (r !== NONE) {
    const next = queues.after(r);
    if (only === NONE || queues.cameFor(r) === only) {
      // Those of a class come in the order of their age, so each has its place behind the last one.
      if (queues.order.classOf(r) !== c) before = NONE;
      c = queues.order.classOf(r);
      queues.handOver(r, to, classIn(to, from, c), tenantIn(to, queues.order.tenantOf(r)), before);
      before = r;
    }
    r = next;
  }
}
