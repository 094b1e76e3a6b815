import { describe, expect, it } from 'vitest';
import { CLOSED, JOB, LedKeys, OPEN, OVER } from '../../envoy/filter/led-keys.ts';
import { Membership } from '../../envoy/filter/membership.ts';
import { seeded } from '../e2e/kit/random.ts';

/** Workers of one Envoy with their list of members, and one record of keys. */
function envoy(count: number) {
  let members = new Float64Array();
  let record = new Float64Array();
  let cas = 0;
  const worker = () => {
    const membership = new Membership();
    const led = new LedKeys(membership);
    const beat = (now: number, leaves = false) => {
      membership.prepare(members.length);
      membership.cells.array().set(members);
      if (leaves) membership.planLeave();
      else membership.plan(true, false, now);
      members = membership.cells.array().slice(0, membership.size);
      if (!leaves) membership.commit(now);
    };
    const read = () => {
      led.prepare(record.length);
      led.cells.array().set(record);
      return cas;
    };
    /** False: another worker wrote since. */
    const write = (since: number) => {
      if (!led.changed) return true;
      if (since !== cas) return false;
      record = led.cells.array().slice(0, led.size);
      cas++;
      return true;
    };
    const once = <T>(plan: () => T): T => {
      const since = read();
      const result = plan();
      if (!write(since)) throw new Error('nobody else writes');
      return result;
    };
    const followers = () => Array.from({ length: led.followers }, (_, i) => led.follower(i));
    return { membership, led, beat, read, write, once, followers };
  };
  const all = Array.from({ length: count }, worker);
  for (const each of [...all, ...all]) each.beat(0);
  return { all, size: () => record.length };
}

type Worker = ReturnType<typeof envoy>['all'][number];

describe('keys that are under way', () => {
  it('lead at the first worker, and the others follow it once', () => {
    const [a, b, c] = envoy(3).all as [Worker, Worker, Worker];
    expect(a.once(() => a.led.claim(7, 1, true))).toBe(true);
    for (const other of [b, c, b]) {
      expect(other.once(() => other.led.claim(7, 5, true))).toBe(false);
      expect([other.led.worker, other.led.serial, other.led.state]).toEqual([a.membership.first, 1, OPEN]);
    }
    expect(a.once(() => a.led.closeUnfollowed(7, 1))).toBe(true);
    a.once(() => a.led.settle(7, 1, OVER));
    expect(a.followers()).toEqual([b.membership.first, c.membership.first]);
    expect(b.once(() => b.led.claim(7, 6, true))).toBe(true);
  });

  it('cannot be followed once an answer has begun that nobody follows, and have no followers as jobs', () => {
    const [a, b] = envoy(2).all as [Worker, Worker];
    a.once(() => a.led.claim(7, 1, true));
    expect(a.once(() => a.led.closeUnfollowed(7, 1))).toBe(false);
    expect(b.once(() => b.led.claim(7, 1, true))).toBe(false);
    expect(b.led.state).toBe(CLOSED);
    a.once(() => a.led.settle(7, 1, JOB));
    expect(a.followers()).toEqual([]);
    b.once(() => b.led.claim(7, 2, true));
    expect(b.led.state).toBe(JOB);
    a.once(() => a.led.settle(7, 1, OVER));
    expect(a.followers()).toEqual([]);
  });

  it('of a worker that is not there any more are nobody’s', () => {
    const { all, size } = envoy(3);
    const [a, b, c] = all as [Worker, Worker, Worker];
    a.once(() => a.led.claim(7, 1, true));
    a.once(() => a.led.claim(8, 2, true));
    expect(c.once(() => c.led.claim(8, 1, true))).toBe(false);
    a.beat(1, true);
    b.beat(2);
    expect(b.once(() => b.led.claim(7, 1, true))).toBe(true);
    expect(size()).toBe(5);
    // What it still says of its own is not of this key any more.
    a.once(() => a.led.settle(7, 1, OVER));
    expect(size()).toBe(5);
  });

  it('lead once at a time whatever is written in between, and everybody who follows hears the end', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seeded(seed);
      const pick = (below: number) => Math.floor(random() * below);
      const { all } = envoy(4);
      const leading = new Map<number, { readonly worker: number; readonly serial: number }>();
      const waiting = new Map<string, string>();
      let serial = 0;
      /** What a worker has planned and not written yet. */
      const planned = new Map<number, () => void>();
      for (let step = 0; step < 400; step++) {
        const i = pick(all.length);
        const worker = all[i];
        if (worker === undefined) continue;
        const go = planned.get(i);
        if (go !== undefined) {
          planned.delete(i);
          go();
          continue;
        }
        const key = pick(3);
        const own = leading.get(key);
        if (own?.worker === i) {
          const since = worker.read();
          worker.led.settle(key, own.serial, OVER);
          planned.set(i, () => {
            if (!worker.write(since)) return;
            leading.delete(key);
            for (const first of worker.followers()) {
              const follower = all.findIndex(({ membership }) => membership.first === first);
              expect(waiting.get(`${follower}/${key}`), 'who follows waits for this one').toBe(`${i}/${own.serial}`);
              waiting.delete(`${follower}/${key}`);
            }
          });
        } else if (!waiting.has(`${i}/${key}`)) {
          const mine = ++serial;
          const since = worker.read();
          const leads = worker.led.claim(key, mine, true);
          planned.set(i, () => {
            if (!worker.write(since)) return;
            if (leads) {
              expect(leading.has(key), 'it leads nowhere else').toBe(false);
              leading.set(key, { worker: i, serial: mine });
            } else if (worker.led.changed) {
              const leader = leading.get(key);
              expect(leader, 'it leads somewhere').toBeDefined();
              waiting.set(`${i}/${key}`, `${leader?.worker}/${leader?.serial}`);
            }
          });
        }
      }
      for (const go of planned.values()) go();
      for (const [key, { worker, serial: own }] of leading) {
        all[worker]?.once(() => all[worker]?.led.settle(key, own, OVER));
        for (const first of all[worker]?.followers() ?? []) {
          waiting.delete(`${all.findIndex(({ membership }) => membership.first === first)}/${key}`);
        }
      }
      expect([...waiting.keys()]).toEqual([]);
    }
  });
});
