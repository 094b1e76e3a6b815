import { seeded } from '../e2e/kit/random.ts';
import { Broken, mixtureOf, World } from './world.ts';

/**
 * A coordinator that has been replaced, and does not know, hears of a member's death. The new one has already moved the dead
 * member's slot to another member. Returns how the world broke; undefined: the old one made nothing.
 */
export function runDeposed(): string | undefined {
  const world = new World(mixtureOf(seeded(1)), { lease: true });
  const quiet = () => world.quiet(seeded(1));
  try {
    const [old] = world.coordinators;
    if (old === undefined) return 'no coordinator';
    for (const member of world.members) {
      world.registerNext(member);
      world.registerNext(member);
    }
    world.limits = new Map([['p', 1]]);
    for (const pod of ['q', 'r']) world.bounds.set(pod, 0);
    const begin = (process: typeof old) => {
      world.readRegisterOf(
        process,
        world.members.map(({ node }) => node.key),
      );
      world.tellLimits(process);
      for (const member of world.members) world.tellEndpoints(process, member);
    };
    begin(old);
    for (const member of world.members) world.connectTo(member, old);
    quiet();
    const holder = world.members.find(({ node }) => node.held(0, 0) > 0);
    const [other, last] = world.members.filter((member) => member !== holder);
    if (holder === undefined || other === undefined || last === undefined) return 'nobody holds the slot';

    const newest = world.takeOver();
    begin(newest);
    for (const member of [holder, other]) {
      world.connectTo(member, newest);
      quiet();
    }
    world.arriveAt(other, 0); // The slot moves from the holder to the other one, at the new coordinator.
    quiet();
    world.arriveAt(last, 0); // It waits at the old one.
    quiet();
    world.crash(holder, 0);
    world.proveDead(holder);
    world.tellDeath(old, holder.node.key);
    quiet();
    return undefined;
  } catch (error) {
    if (error instanceof Broken) return error.message;
    throw error;
  }
}
