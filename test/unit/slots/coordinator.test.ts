import { expect, test } from 'vitest';
import { Coordinator, type CoordinatorMessage } from '../../../src/slots/coordinator.ts';

const PODS = ['p:1', 'p:2', 'p:3', 'p:4', 'p:5', 'p:6', 'p:7', 'p:8'];

/** A coordinator with eight slots; grants by connection, in their order. */
function world() {
  const coordinator = new Coordinator({ term: 1, lease: false });
  coordinator.expect([], [], 0);
  coordinator.configure(new Map([['codec', new Map(PODS.map((pod) => [pod, 1]))]]), 0);
  coordinator.take();
  return {
    coordinator,
    /** A member says hello: what it holds, and how many wait there, since when. */
    come(connection: number, held: readonly string[], waiting: number, tellsReceived: boolean) {
      const member = `m${connection}`;
      coordinator.acknowledged(member, 'codec', new Set(PODS), 0);
      coordinator.opened(connection);
      const waits = Array.from({ length: waiting }, (_, i) => [connection * 100 + i, 1000 / connection] as const);
      const services = [{ service: 'codec', held: held.map((pod) => [pod, 1] as const), waiting: waits }];
      coordinator.hear(connection, { kind: 'hello', member, stream: 1, services, tellsReceived }, 0);
    },
    /** To whom slots were given since the last call. */
    given: () =>
      coordinator
        .take()
        .flatMap((effect) => (effect.kind === 'send' && effect.message.kind === 'grant' ? [effect.connection] : [])),
  };
}

test('a member that has vanished takes only so many slots with it: a quarter of them, beside those that it had', () => {
  const { coordinator, come, given } = world();
  // All slots are at work at one; the requests that wait at the other are the oldest.
  come(2, PODS, 8, false);
  come(1, [], 8, true);
  given();
  for (const pod of PODS) coordinator.hear(2, { kind: 'released', service: 'codec', pod }, 1);
  // It does not tell that the first two have arrived: the others go to those that do not tell, though they are younger.
  expect(given()).toEqual([1, 1, 2, 2, 2, 2, 2, 2]);
  for (const pod of PODS.slice(2)) coordinator.hear(2, { kind: 'released', service: 'codec', pod }, 2);
  expect(given()).toEqual([2, 2]);
  // Nobody else waits: four are in hand, and go there as it tells that others have arrived.
  expect([...coordinator.inHand('codec').values()].reduce((all, slots) => all + slots, 0)).toBe(4);
  coordinator.received(1, 1, 3);
  expect(given()).toEqual([1]);
  coordinator.received(1, 3, 4);
  expect(given()).toEqual([1, 1]);
  // What it is told twice, or more than there is, changes nothing.
  coordinator.received(1, 3, 5);
  expect(given()).toEqual([]);
  coordinator.received(1, 100, 5);
  expect(given()).toEqual([1]);
});

test('a new stream begins anew: what was on its way is void', () => {
  const { coordinator, come, given } = world();
  come(1, [], 3, true);
  expect(given()).toEqual([1, 1]);
  coordinator.closed(1, 1);
  coordinator.opened(7);
  const services = [{ service: 'codec', held: [], waiting: [[1, 5] as const, [2, 4] as const, [3, 3] as const] }];
  coordinator.hear(7, { kind: 'hello', member: 'm1', stream: 2, services, tellsReceived: true }, 2);
  expect(given()).toEqual([7, 7]);
  coordinator.received(7, 2, 3);
  expect(given()[0]).toBe(7);
});

/** Ten members with a slot each, and one without; who is told of somebody that waits. */
function idleWorld() {
  const pods = Array.from({ length: 10 }, (_, i) => `p:${i}`);
  const coordinator = new Coordinator({ term: 1, lease: false });
  const members = Array.from({ length: 11 }, (_, i) => `m${i}`);
  coordinator.expect(members, [], 0);
  coordinator.configure(new Map([['codec', new Map(pods.map((pod) => [pod, 1]))]]), 0);
  for (const [connection, member] of members.entries()) {
    coordinator.acknowledged(member, 'codec', new Set(pods), 0);
    coordinator.opened(connection);
    const held = connection < 10 ? [[`p:${connection}`, 1] as const] : [];
    coordinator.hear(
      connection,
      { kind: 'hello', member, stream: 1, services: [{ service: 'codec', held, waiting: [] }] },
      0,
    );
  }
  coordinator.take();
  const take = () => {
    const effects = coordinator.take();
    const to = (wants: (message: CoordinatorMessage) => boolean) =>
      effects.flatMap((effect) => (effect.kind === 'send' && wants(effect.message) ? [effect.connection] : []));
    return {
      asked: to((message) => message.kind === 'oldest elsewhere' && message.age !== undefined),
      calmed: to((message) => message.kind === 'oldest elsewhere' && message.age === undefined),
      given: to((message) => message.kind === 'grant'),
      wakes: effects.flatMap((effect) => (effect.kind === 'wake' ? [effect.at] : [])),
    };
  };
  const waits = (request: number, now: number) =>
    coordinator.hear(10, { kind: 'waits', service: 'codec', request, age: 0 }, now);
  const gives = (connection: number, now: number) =>
    coordinator.hear(connection, { kind: 'released', service: 'codec', pod: `p:${connection}` }, now);
  return { coordinator, take, waits, gives };
}

test('two of many members are asked for an idle slot, and no other one as long as they have some', () => {
  const { coordinator, take, waits, gives } = idleWorld();
  waits(1, 100);
  const { asked, wakes } = take();
  expect([asked.length, wakes]).toEqual([2, [102]]);
  const [first = -1, second = -1] = asked;
  gives(first, 100.5);
  expect(take()).toEqual({ asked: [], calmed: [], given: [10], wakes: [] });
  // It comes too late for that one, and goes back.
  gives(second, 100.6);
  expect(take()).toMatchObject({ given: [second], calmed: [second] });
  coordinator.passed(102);
  expect(take()).toEqual({ asked: [], calmed: [], given: [], wakes: [1100.5] });
  // The next time it is the one that is known to have an idle slot, and another one.
  waits(2, 200);
  const next = take().asked;
  expect(next).toHaveLength(2);
  expect(next[0]).toBe(second);
  expect(next[1]).not.toBe(first);
});

test('more are asked when the first have none, then all, and these at once the next time, until more come back than are wanted', () => {
  const { coordinator, take, waits, gives } = idleWorld();
  waits(1, 100);
  const few = take().asked;
  coordinator.passed(101);
  expect(take()).toMatchObject({ asked: [], wakes: [102] });
  coordinator.passed(102);
  const next = take();
  expect([next.asked.length, next.wakes]).toEqual([4, [104]]);
  coordinator.passed(104);
  const rest = [...next.asked, ...take().asked];
  expect([...few, ...rest].sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  gives(rest[0] ?? -1, 105);
  expect(take()).toMatchObject({ given: [10], calmed: [], wakes: [1105] });
  // The others think that somebody waits, until nobody has for a while.
  coordinator.passed(1104);
  expect(take()).toMatchObject({ calmed: [], wakes: [1105] });
  coordinator.passed(1105);
  expect(take().calmed).toHaveLength(9);
  // One slot came back, and was wanted: the others were in use.
  waits(2, 1200);
  const all = take();
  expect(all.asked).toHaveLength(9);
  expect(all.wakes).toEqual([]);
  const [one = -1, two = -1, three = -1] = all.asked;
  for (const connection of [one, two, three]) gives(connection, 1201);
  expect(take().given).toEqual([10, two, three]);
  // Those that were given idle slots are known to have them; all others still give back what becomes free.
  waits(3, 1300);
  expect(take().asked.sort((x, y) => x - y)).toEqual([two, three].sort((x, y) => x - y));
  gives(two, 1301);
  expect(take()).toMatchObject({ given: [10], asked: [] });
});

test('who waits as well hears of an older one elsewhere when that changes what it does', () => {
  const { coordinator, take, waits } = idleWorld();
  coordinator.setSlack('codec', 50);
  const waitsAt = (connection: number, request: number, now: number) =>
    coordinator.hear(connection, { kind: 'waits', service: 'codec', request, age: 0 }, now);
  waits(1, 100);
  waits(2, 200);
  waitsAt(0, 3, 300);
  take();
  // The oldest elsewhere is a younger one now: its own first is still more than 50 ms younger.
  const leaves = (request: number, now: number) =>
    coordinator.hear(10, { kind: 'left', service: 'codec', request }, now);
  leaves(1, 301);
  expect(take().asked).not.toContain(0);
  waits(4, 302);
  leaves(2, 303);
  expect(take().asked).toContain(0);
});
