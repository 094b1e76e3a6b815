import type { Edit } from './compile.ts';

/** Faults that the model has to notice: what each would mean, and the edit that makes it. */
export const FAULTS: Readonly<Record<string, Edit>> = {
  'one request too many on a pod': {
    file: 'queue.ts',
    from: 'const free: i32 = slots > inUse ? slots - inUse : 0;',
    to: 'const free: i32 = slots > 0 && slots >= inUse ? slots - inUse + 1 : 0;',
  },
  'last in, first out': {
    file: 'queue.ts',
    from: '  private first(s: i32): i32 {\n    return this.heads.get(s);',
    to: '  private first(s: i32): i32 {\n    return this.tails.get(s);',
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
    from: '    this.podInUse.add(p, 1);\n    this.settle(p);\n    this.requestPod.set(r, p);',
    to: '    this.settle(p);\n    this.requestPod.set(r, p);',
  },
  'a request that moved is still counted at its old pod': {
    file: 'queue.ts',
    from: 'this.requestPod.set(r, NONE);\n    if (from !== NONE) this.freeSlotOf(from);',
    to: 'this.requestPod.set(r, NONE);',
  },
  'a further try goes on to a pod that is full': {
    file: 'queue.ts',
    from: 'return this.podClaimsGranted.get(p) > 0;',
    to: 'return this.podClaimsGranted.get(p) >= 0;',
  },
  'a further try that waits never goes on': {
    file: 'queue.ts',
    from: '      if (!this.isClaimGranted(p)) continue;',
    to: '      if (this.isClaimGranted(p)) continue;',
  },
  'a further try that waits is overtaken by the queue': {
    file: 'queue.ts',
    from: 'free - this.settleClaims(p, free)',
    to: 'free - this.settleClaims(p, free) * 0',
  },
  'requests wait longer than they may': {
    file: 'queue.ts',
    from: 'if (r === NONE || this.requestCame.get(r) + timeout > now) continue;',
    to: 'if (r === NONE || this.requestCame.get(r) + timeout + 9 > now) continue;',
  },
  'requests are given up before their time': {
    file: 'queue.ts',
    from: 'if (r === NONE || this.requestCame.get(r) + timeout > now) continue;',
    to: 'if (r === NONE || this.requestCame.get(r) + timeout - 4 > now) continue;',
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
    from: '    if (state === WAITING) {\n      this.leave(r);',
    to: '    if (state === WAITING) {\n      this.waitingCount.add(s, -1);',
  },
  'abandoned requests are not counted': {
    file: 'queue.ts',
    from: 'this.addCount(s, ABANDONED_WORKING);',
    to: 'this.addCount(s, STARTED);',
  },
  'a refused stream ejects': {
    file: 'filter.ts',
    from: 'answered || getProperty(UPSTREAM_LOCAL_ADDRESS)',
    to: 'answered',
  },
  'a further try is not known': {
    file: 'filter.ts',
    from: '  if (statusOf(r) === 0) remember(r);\n',
    to: '',
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
