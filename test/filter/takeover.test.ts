import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ANSWERED, NONE, Queues, WORKING } from '../../envoy/filter/queue.ts';
import { Shares } from '../../envoy/filter/shares.ts';

/** How many services and addresses there are. */
const SERVICES = 3;
const ADDRESSES = 3;

/** A filter whose services have pods of the same addresses: what control.ts and takeovers.ts do with messages. */
class Filter {
  readonly queues = new Queues();
  readonly pods = new Map<string, number>();
  readonly services: readonly number[];

  constructor() {
    this.services = Array.from({ length: SERVICES }, () => this.queues.addService());
    for (const s of this.services) this.queues.configure(s, 1000, 0, 0);
  }

  set(s: number, address: number, limit: number): void {
    const key = `${s} ${address}`;
    const known = this.pods.get(key);
    if (known !== undefined) {
      this.queues.setPod(known, limit, false);
      return;
    }
    const twin = this.services.map((each) => this.pods.get(`${each} ${address}`)).find((p) => p !== undefined);
    const p = this.queues.addPod(s, limit, false);
    this.pods.set(key, p);
    if (twin !== undefined) this.queues.sameAddress(p, twin);
  }

  remove(s: number): void {
    for (let address = 0; address < ADDRESSES; address++) {
      const p = this.pods.get(`${s} ${address}`);
      if (p !== undefined) this.queues.removePod(p);
    }
    this.forget();
  }

  takeOver(s: number, taker: number): void {
    this.queues.takeOver(s, taker);
    this.remove(s);
    this.move(s, taker, NONE);
    for (const from of this.services) if (from !== taker) this.move(from, taker, s);
  }

  takeBack(s: number): void {
    this.queues.giveUp(s);
    for (const from of this.services) if (from !== s) this.move(from, s, s);
  }

  move(from: number, to: number, only: number): void {
    let before = NONE;
    for (let r = this.queues.firstWaiting(from); r !== NONE; ) {
      const next = this.queues.after(r);
      if (only === NONE || this.queues.cameFor(r) === only) {
        this.queues.handOver(r, to, 0, NONE, before);
        before = r;
      }
      r = next;
    }
  }

  arrive(s: number, now: number): number {
    const taker = this.queues.takerOf(s);
    const r = this.queues.arrive(taker, now);
    if (taker !== s) this.queues.setCameFor(r, s);
    return r;
  }

  forget(): void {
    for (let i = 0; i < this.queues.eventCount; i++) {
      const p = this.queues.eventSubject(i);
      for (const [key, each] of this.pods) if (each === p) this.pods.delete(key);
    }
    this.queues.clearEvents();
  }

  inUse(address: number): number {
    return this.services.reduce((sum, s) => {
      const p = this.pods.get(`${s} ${address}`);
      return sum + (p === undefined ? 0 : this.queues.podInUseOf(p));
    }, 0);
  }
}

describe('services that take others over', () => {
  test('what a service has at a pod that it has lost counts at the others, slot by slot', () => {
    const filter = new Filter();
    const { queues } = filter;
    filter.set(0, 0, 2);
    const running = [filter.arrive(0, 1), filter.arrive(0, 2)];
    filter.set(1, 0, 2);
    filter.remove(0);
    const next = [filter.arrive(1, 3), filter.arrive(1, 4), filter.arrive(1, 5)];
    expect(next.map((r) => queues.state(r) === WORKING)).toEqual([false, false, false]);
    for (const r of running) {
      queues.end(r, ANSWERED, 6);
      expect(queues.nextReady()).toBe(1);
      expect(queues.start(1, 6)).toBe(next.shift());
      expect(queues.start(1, 6)).toBe(NONE);
      expect(filter.inUse(0)).toBe(2);
    }
  });

  test('whatever edits and requests come: no pod has more than its limit, nobody waits beside a free slot, who came first goes first', () => {
    const step = fc.tuple(fc.nat(9), fc.nat(1000), fc.nat(1000));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const filter = new Filter();
        const { queues } = filter;
        const limit = 2;
        // One service has all pods at a time.
        let owner = 0;
        for (let address = 0; address < ADDRESSES; address++) filter.set(0, address, limit);
        const cameFor = new Map<number, number>();
        const running: number[] = [];
        let now = 0;
        const settle = () => {
          let last = 0;
          for (let s = queues.nextReady(); s !== NONE; s = queues.nextReady()) {
            const r = queues.start(s, now);
            if (r === NONE) continue;
            expect(s).toBe(owner);
            expect(queues.came(r)).toBeGreaterThanOrEqual(last);
            last = queues.came(r);
            running.push(r);
          }
          filter.forget();
          for (let address = 0; address < ADDRESSES; address++)
            expect(filter.inUse(address)).toBeLessThanOrEqual(limit);
          const used = [0, 1, 2].reduce((sum, address) => sum + filter.inUse(address), 0);
          if (queues.waiting(owner) > 0) expect(used).toBe(ADDRESSES * limit);
        };
        for (const [what, a, b] of steps) {
          now += 1;
          if (what < 5) {
            const name = a % SERVICES;
            const r = filter.arrive(queues.isTaken(name) || name === owner ? name : owner, now);
            cameFor.set(r, name);
            if (queues.state(r) === WORKING) running.push(r);
          } else if (what < 8) {
            const [r] = running.splice(a % Math.max(1, running.length), 1);
            if (r !== undefined) {
              queues.end(r, ANSWERED, now);
              queues.gone(r, now);
            }
          } else {
            const next = b % SERVICES;
            if (next === owner) continue;
            if (queues.isTaken(next)) filter.takeBack(next);
            for (let address = 0; address < ADDRESSES; address++) filter.set(next, address, limit);
            for (const s of filter.services) if (s !== next) filter.takeOver(s, next);
            owner = next;
          }
          settle();
        }
        for (const s of filter.services) {
          const elsewhere = filter.services
            .filter((each) => each !== s)
            .flatMap((each) => {
              const found: number[] = [];
              for (let r = queues.firstWaiting(each); r !== NONE; r = queues.after(r)) found.push(queues.cameFor(r));
              return found.filter((name) => name === s);
            });
          expect(queues.awayWaiting(s)).toBe(elsewhere.length);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('while the coordinator of several Envoys is away, idle slots that are held of a pod are those of the service that has it now', () => {
    const filter = new Filter();
    const { queues } = filter;
    const shares = new Shares(queues);
    for (const s of filter.services) shares.add(s);
    queues.coordinated = true;
    filter.set(0, 0, 2);
    const old = filter.pods.get('0 0') ?? NONE;
    queues.setHeld(old, 2);
    const first = filter.arrive(0, 1);
    expect(queues.state(first)).toBe(WORKING);
    filter.set(1, 0, 2);
    queues.removePod(old);
    const next = [filter.arrive(1, 2), filter.arrive(1, 3)];
    const step = () => {
      for (let s = queues.takeUnshared(); s !== NONE; s = queues.takeUnshared()) shares.step(s);
      const started: number[] = [];
      for (let s = queues.nextReady(); s !== NONE; s = queues.nextReady()) {
        const r = queues.start(s, 4);
        if (r !== NONE) started.push(r);
      }
      return started;
    };
    const now = filter.pods.get('1 0') ?? NONE;
    expect(step()).toEqual(next.slice(0, 1));
    expect([queues.held(old), queues.held(now)]).toEqual([1, 1]);
    queues.end(first, ANSWERED, 5);
    expect(step()).toEqual(next.slice(1));
    expect([queues.held(old), queues.held(now)]).toEqual([0, 2]);
  });
});
