// Requests that join the queue: at their headers, or later.

import { noteNoWaiting, notePlaceInQueue } from './facts.ts';
import {
  admit,
  advance,
  advanceArriving,
  answerFull,
  answerLate,
  answerTenantFull,
  answerTooCostly,
  answerUnserved,
  direct,
  wake,
} from './flow.ts';
import { enter, found, foundSize, getProperty, release, resume, text } from './host.ts';
import { countPlace, forgetPlace, noteNoWait, notePlace } from './places.ts';
import { LATE, NONE, TENANT_FULL, TOO_COSTLY, UNSERVED, WAITING, WORKING } from './queue.ts';
import { beginRefusal, keepAnswer } from './refused-bodies.ts';
import { contexts, queues, serviceOf, tellsPlace } from './state.ts';
import { reportSoon } from './stream.ts';
import { readTraits, requestClass, requestCost, requestDue, requestTenant } from './traits.ts';

const CLUSTER_NAME = text('xds\0cluster_name');

/** Whether the request of this context leads to a service: then `service` is the one that has its requests; NONE: there are too many. */
export function isRouted(): bool {
  if (!getProperty(CLUSTER_NAME)) return false;
  named = serviceOf(found, foundSize);
  release(found);
  service = named === NONE ? NONE : queues.takerOf(named);
  return true;
}
export let service: i32 = NONE;
/** The service that the request came for. */
let named: i32 = NONE;

/** A request joins the queue of its service, or gets a slot at once: then it goes on. False: it does not. */
export function queueUp(context: u32, s: i32, at: f64): bool {
  if (s === NONE) {
    answerUnserved();
    return false;
  }
  readTraits(s, at);
  const r = queues.arriveAs(s, requestClass, requestTenant, requestCost, requestDue, at);
  if (r < 0) {
    refuse(context, r, s);
    return false;
  }
  if (named !== s) queues.setCameFor(r, named);
  admit(context, r, at);
  if (tellsPlace(s)) notePlace(r, at);
  if (queues.state(r) === WORKING) {
    direct(r);
    return true;
  }
  if (advanceArriving(r, at)) {
    noteNoWaiting(r);
    if (tellsPlace(s)) noteNoWait(r);
    return true;
  }
  const stays = queues.stay(r);
  if (stays === WAITING) {
    if (queues.shared) {
      notePlaceInQueue(r, at);
      if (tellsPlace(s)) countPlace(r, at);
    }
    tellIfPodless(s, at);
    return false;
  }
  contexts.remove(r);
  forgetPlace(r);
  advance(at);
  enter(context);
  refuse(context, stays, s);
  return false;
}

/** A request gets no place in the queue. */
function refuse(context: u32, why: i32, s: i32): void {
  const isKept = beginRefusal(context);
  if (why === UNSERVED) answerUnserved();
  else if (why === TENANT_FULL) answerTenantFull(s, requestTenant);
  else if (why === TOO_COSTLY) answerTooCostly(requestCost, s);
  else if (why === LATE) answerLate();
  else answerFull(s);
  if (isKept) keepAnswer(context);
}

/** The first request that waits where there is no pod: who starts pods is to know at once. */
function tellIfPodless(s: i32, at: f64): void {
  if (queues.slots(s) > 0 || queues.waiting(s) > 1) return;
  reportSoon(at);
  wake(at + 1, at);
}

/** A request that was held back joins now, in a callback that is about something else. */
export function arriveLate(context: u32, at: f64): void {
  enter(context);
  if (!isRouted() || !queueUp(context, service, at)) return;
  enter(context);
  resume();
}
