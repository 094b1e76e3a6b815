import { expect, test } from 'vitest';
import { Coordinator } from '../../../src/slots/coordinator.ts';

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
