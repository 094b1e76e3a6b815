import type { Edit } from './compile.ts';

/** Faults that the model has to notice: what each would mean, and the edit that makes it. */
export const FAULTS: Readonly<Record<string, Edit>> = {
  'one request too many on a pod': {
    file: 'queue.ts',
    from: 'let free: i32 = slots > inUse ? slots - inUse : 0;',
    to: 'let free: i32 = slots > 0 && slots >= inUse ? slots - inUse + 1 : 0;',
  },
  'what a service has at a pod that it has lost does not count at the others': {
    file: 'queue.ts',
    from: 'const more = passed - this.podPassed.get(p);',
    to: 'const more = 0;',
  },
  'what a service has given up at a pod is not told to the others': {
    file: 'queue.ts',
    from: 'this.settleOne(p);\n    this.passOn(p);',
    to: 'this.settleOne(p);\n    if (this.podInUse.get(p) > 0) this.passOn(p);',
  },
  'last in, first out': {
    file: 'order.ts',
    from: 'if (this.isFair.get(s) === 0 || this.flowOfRequest(oldest) === NONE) return oldest;',
    to: 'if (this.isFair.get(s) === 0 || this.flowOfRequest(oldest) === NONE) return this.tails.get(q);',
  },
  'a lower class goes first': {
    file: 'order.ts',
    from: 'if (best === NONE) best = this.nextIn(s, q);',
    to: 'best = this.nextIn(s, q);',
  },
  'a class is never old enough': {
    file: 'order.ts',
    from: 'return most > 0 && now - this.cames.get(r) >= most;',
    to: 'return most > 1e9 && now - this.cames.get(r) >= most;',
  },
  'one that is old enough goes before older ones of the highest class': {
    file: 'order.ts',
    from: 'this.classes.get(best) === 0 && this.cames.get(best) <= this.cames.get(aged) ? best : aged',
    to: 'this.classes.get(best) === 0 && this.cames.get(best) < 0 ? best : aged',
  },
  'the class of a route is not looked at': {
    file: 'traits.ts',
    from: 'if (ofRoute !== NONE) return ofRoute;',
    to: '',
  },
  'who names no class is of the highest': {
    file: 'traits.ts',
    from: 'return ofHeader === NONE ? defaultClasses.get(s) : ofHeader;',
    to: 'return ofHeader === NONE ? 0 : ofHeader;',
  },
  'tenants do not take turns': {
    file: 'order.ts',
    from: 'return flow === NONE ? NONE : this.flowHeads.get(flow);',
    to: 'return flow === NONE ? NONE : oldest;',
  },
  'weights of tenants do not count': {
    file: 'order.ts',
    from: '(this.costOf(r) as f64) / this.tenantWeights.get(t)',
    to: '(this.costOf(r) as f64)',
  },
  'a tenant that paused has saved turns': {
    file: 'order.ts',
    from: 'if (this.flowTimes.get(flow) < this.virtual.get(q))',
    to: 'if (this.flowTimes.get(flow) < -1)',
  },
  'a tenant has more slots than it may': {
    file: 'order.ts',
    from: 'inUse + cost <= most',
    to: 'inUse + cost <= most + 1',
  },
  'one more of a tenant may wait': {
    file: 'order.ts',
    from: 'this.tenantWaiting.get(t) < most;',
    to: 'this.tenantWaiting.get(t) <= most;',
  },
  'the slots of a tenant are never given back': {
    file: 'order.ts',
    from: 'this.use(t, -this.costOf(r));',
    to: 'this.use(t, 0);',
  },
  'a request takes one slot whatever it costs': {
    file: 'queue.ts',
    from: 'const slots = this.order.costOf(r);',
    to: 'const slots: i32 = 1;',
  },
  'a pod gets a request that takes more slots than it has free': {
    file: 'queue.ts',
    from: 'if (free >= slots) return true;',
    to: 'if (free >= 1) return true;',
  },
  'one that costs more than any pod has waits': {
    file: 'queue.ts',
    from: 'if (cost > 1 && this.isKnown(s) && cost > this.costMax.get(s)) {',
    to: 'if (cost > 1e9) {',
  },
  'a deadline is forgotten': {
    file: 'queue.ts',
    from: '      this.deadlines.add(r, due);\n',
    to: '',
  },
  'a request is answered before its deadline': {
    file: 'queue.ts',
    from: 'if (this.deadlines.soonest() <= now) {',
    to: 'if (this.deadlines.soonest() <= now + 5) {',
  },
  'one whose deadline is over waits': {
    file: 'queue.ts',
    from: 'if (due <= now) {',
    to: 'if (due < now - 1) {',
  },
  'classes that are taken away stay': {
    file: 'traits.ts',
    from: '  queues.order.setClasses(s, 1);\n',
    to: '  return;\n',
  },
  'a new request overtakes those that wait': {
    file: 'queue.ts',
    from: 'const first = this.waitingCount.get(s) === 0;',
    to: 'const first = this.waitingCount.get(s) >= 0;',
  },
  'the slot of a client that left is free at once': {
    file: 'queue.ts',
    from: 'if (moment <= 0) {',
    to: 'if (moment <= 1e9) {',
  },
  'the slot of a client that left is never free': {
    file: 'queue.ts',
    from: 'this.requestSince.get(this.heldHeads.get(s)) <= now',
    to: 'this.requestSince.get(this.heldHeads.get(s)) <= -1',
  },
  'a slot is freed twice': {
    file: 'queue.ts',
    from: '    this.lastFreed.set(s, p);\n',
    to: '    this.lastFreed.set(s, p);\n    if (this.podInUse.get(p) > 0) this.podInUse.add(p, -1);\n',
  },
  'an ejected pod gets requests': {
    file: 'queue.ts',
    from: '(bits & (REMOVED_BIT | UNHEALTHY_BIT | EJECTED_BIT)) !== 0 ? 0',
    to: '(bits & (REMOVED_BIT | UNHEALTHY_BIT)) !== 0 ? 0',
  },
  'who came before the service was known waits, however many do': {
    file: 'control.ts',
    from: '  if (!wasKnown) refuseSurplus(s);\n',
    to: '',
  },
  'a removed pod gets requests': {
    file: 'queue.ts',
    from: '(bits & (REMOVED_BIT | UNHEALTHY_BIT | EJECTED_BIT)) !== 0 ? 0',
    to: '(bits & (UNHEALTHY_BIT | EJECTED_BIT)) !== 0 ? 0',
  },
  'a pod whose health check fails gets requests': {
    file: 'queue.ts',
    from: '(bits & (REMOVED_BIT | UNHEALTHY_BIT | EJECTED_BIT)) !== 0 ? 0',
    to: '(bits & (REMOVED_BIT | EJECTED_BIT)) !== 0 ? 0',
  },
  'a pod that returns gets more than one request': {
    file: 'queue.ts',
    from: 'if ((bits & TRYING_BIT) !== 0 && slots > 1) slots = 1;',
    to: 'if ((bits & TRYING_BIT) !== 0 && slots > 2) slots = 2;',
  },
  'a pod that returned stays at one request': {
    file: 'queue.ts',
    from: 'this.podBits.set(p, this.podBits.get(p) & ~TRYING_BIT);',
    to: 'this.podBits.set(p, this.podBits.get(p) | TRYING_BIT);',
  },
  'a request that moved is not counted at its new pod': {
    file: 'queue.ts',
    from: '    this.podInUse.add(p, holds);\n    this.settle(p);',
    to: '    this.settle(p);',
  },
  'a request that moved is still counted at its old pod': {
    file: 'queue.ts',
    from: 'this.requestPod.set(r, NONE);\n    if (from !== NONE) this.freeSlotsOf(from, this.heldBy(r));',
    to: 'this.requestPod.set(r, NONE);',
  },
  'a further try goes on to a pod that is full': {
    file: 'queue.ts',
    from: 'if (left <= 0 || !this.isConnected(r)) return false;',
    to: 'if (!this.isConnected(r)) return false;\n    if (left <= 0) return true;',
  },
  'a further try goes on to a pod that gives its service no slots': {
    file: 'queue.ts',
    from: 'return (this.podBits.get(p) & REMOVED_BIT) === 0 && this.podLimit.get(p) > 0;',
    to: 'return true;',
  },
  'a pod that nobody told of has a slot': {
    file: 'queue.ts',
    from: 'this.podLimit.set(p, 0);\n    this.podBits.set(p, REMOVED_BIT);',
    to: 'this.podLimit.set(p, 1);\n    this.podBits.set(p, 0);',
  },
  'a further try waits for ever for a pod without slots': {
    file: 'queue.ts',
    from: 'if (this.claimUntil(r) > now) continue;',
    to: 'if (this.claimUntil(r) > -1) continue;',
  },
  'a further try gives up on a pod without slots before its time': {
    file: 'queue.ts',
    from: 'this.claimSince.set(r, now);',
    to: 'this.claimSince.set(r, now - 20);',
  },
  'who is tried again gets a slot before it has a connection': {
    file: 'queue.ts',
    from: 'if (left <= 0 || !this.isConnected(r)) return false;',
    to: 'if (left <= 0) return false;',
  },
  'nobody looks for the connection of a further try': {
    file: 'flow.ts',
    from: 'if (isConnected()) queues.setConnected(r);\n    else wake(now + 1, now);',
    to: 'if (isConnected()) queues.setConnected(r);',
  },
  'a slot is free before its connection, though some are about to be tried again': {
    file: 'flow.ts',
    from: 'if (betweenCount > 0) queues.endLater',
    to: 'if (betweenCount < 0) queues.endLater',
  },
  'a further try that waits never goes on': {
    file: 'queue.ts',
    from: '      if (!this.isClaimGranted(r, p)) continue;',
    to: '      if (this.isClaimGranted(r, p)) continue;',
  },
  'a further try that waits is overtaken by the queue': {
    file: 'queue.ts',
    from: 'free - this.settleClaims(p, free)',
    to: 'free - this.settleClaims(p, free) * 0',
  },
  'requests wait longer than they may': {
    file: 'queue.ts',
    from: 'if (r === NONE || this.order.came(r) + timeout > now) continue;',
    to: 'if (r === NONE || this.order.came(r) + timeout + 9 > now) continue;',
  },
  'requests are given up before their time': {
    file: 'queue.ts',
    from: 'if (r === NONE || this.order.came(r) + timeout > now) continue;',
    to: 'if (r === NONE || this.order.came(r) + timeout - 4 > now) continue;',
  },
  'one more may wait': {
    file: 'queue.ts',
    from: 'this.waitingCount.get(s) >= this.queueMax.get(s)',
    to: 'this.waitingCount.get(s) > this.queueMax.get(s)',
  },
  'any pod is chosen': {
    file: 'queue.ts',
    from: 'this.podInUse.get(p) < fewest',
    to: 'this.podInUse.get(p) >= 0',
  },
  'good answers do not forgive errors': {
    file: 'queue.ts',
    from: '      this.podGatewayRow.set(p, 0);\n    }\n    if (status',
    to: '      this.podGatewayRow.add(p, 0);\n    }\n    if (status',
  },
  'ejections do not grow': {
    file: 'queue.ts',
    from: 'let time = this.ejectBase.get(s) * (this.podEjections.get(p) as f64);',
    to: 'let time = this.ejectBase.get(s);',
  },
  'a freed slot wakes nobody': {
    file: 'queue.ts',
    from: '    this.podDirty.set(p, 1);\n    this.ready(s);',
    to: '    this.podDirty.set(p, 1);',
  },
  'a client that left keeps its place in the queue': {
    file: 'queue.ts',
    from: '    if (state === WAITING) {\n      this.leave(r, false);',
    to: '    if (state === WAITING) {\n      this.waitingCount.add(s, -1);',
  },
  'abandoned requests are not counted': {
    file: 'queue.ts',
    from: 'this.addCount(s, ABANDONED_WORKING);',
    to: 'this.addCount(s, STARTED);',
  },
  'a refused stream ejects': {
    file: 'filter.ts',
    from: 'answered || isConnected()',
    to: 'answered',
  },
  'a further try is not known': {
    file: 'filter.ts',
    from: '    setBetween(r, true);\n    remember(r);\n  }\n  if (isReached)',
    to: '    setBetween(r, true);\n  }\n  if (isReached)',
  },
  'an unreadable answer counts as a gateway error': {
    file: 'filter.ts',
    from: '(flags & CONNECTION_ENDED) !== 0',
    to: '(flags & (CONNECTION_ENDED | PROTOCOL_ERROR)) !== 0',
  },
  'a pod sees the header of the filter': {
    file: 'filter.ts',
    from: 'removeHeader(REQUEST_HEADERS, REQUEST);',
    to: 'removeHeader(REQUEST_HEADERS, STATUS);',
  },
  'what a failure leaves waits for the next request': {
    file: 'flow.ts',
    from: '  wake(now + 1, now);\n  settle(now);\n}',
    to: '  settle(now);\n}',
  },
  'a timeout frees the slot at once': {
    file: 'filter.ts',
    from: '(flags & LOCAL_TIMEOUT) !== 0 ? TIMED_OUT : FAILED',
    to: '(flags & LOCAL_TIMEOUT) !== 0 ? FAILED : FAILED',
  },
  'who leaves is still counted before those behind': {
    file: 'queue.ts',
    from: 'if (this.countsPlaces && !(starts && this.isPlain(s))) this.placesMoved.set(s, 1);',
    to: 'if (this.countsPlaces && starts) this.placesMoved.set(s, 1);',
  },
  'a job gives its slot back with its answer': {
    file: 'queue.ts',
    from: '    this.requestState.set(r, JOB);\n',
    to: '    this.requestState.set(r, JOB);\n    this.podInUse.add(this.requestPod.get(r), -1);\n    this.settle(this.requestPod.get(r));\n',
  },
  'a job has no end': {
    file: 'queue.ts',
    from: 'if (r !== NONE && this.requestUntil.get(r) <= now) return r;',
    to: 'if (r !== NONE && this.requestUntil.get(r) <= -1) return r;',
  },
  'an id outlives its request': {
    file: 'places.ts',
    from: '  if (ids.has(r)) ids.remove(r);',
    to: '',
  },
  'those that wait for a removed service are forgotten': {
    file: 'control.ts',
    from: '  refuseWaiting(s);\n',
    to: '',
  },
  'a new list of pods does not remove the others': {
    file: 'control.ts',
    from: '  removeUnmarked(s, mark);\n',
    to: '',
  },
};
