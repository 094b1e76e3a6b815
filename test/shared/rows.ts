import { instant, pause } from '../e2e/kit/instant.ts';
import type { LoadResult } from '../e2e/kit/load.ts';
import type { Place, World } from './world.ts';

/** What a fault has done, for the judge. All moments are those of `instant()`. */
export interface Inflicted {
  /** From here on every slot could be used again. */
  readonly over: number;
  /** Whether the fault itself explains that a request through this Envoy had no good answer. */
  readonly explains?: (result: LoadResult, place: Place) => boolean;
}

/** One row of the matrix. */
export interface Row {
  /** What `npm run test:shared -- NAME` runs. */
  readonly name: string;
  /** What happens, for the table. */
  readonly fault: string;
  /** 2 when left out. */
  readonly envoys?: number;
  /** Each Envoy but the last has a Sluice of its own, which follows the one that the last is connected to. */
  readonly pairs?: boolean;
  /** How long a request works on average, and how long requests are sent for, in milliseconds, where not as in the other rows. */
  readonly workMs?: number;
  readonly forMs?: number;
  /** Further arguments of Sluice. */
  readonly args?: readonly string[];
  /** The most that a pod may have at a time, where that is not the limit; given when. */
  readonly mostMeanwhile?: number;
  /** Slots in full use again after at most so many milliseconds. */
  readonly fullUseMs: number;
  readonly inflict: (world: World) => Promise<Inflicted>;
}

const FOR_MS = 3000;
const DOWN_MS = 1000;

/** Its clients learn of the end of their connections at once; requests sent until it listens again are refused. */
function killed(victim: Place): NonNullable<Inflicted['explains']> {
  return ({ status }, place) => place === victim && status === 0;
}

/** A fault that lasts for a while. */
async function lasting(begin: () => void, end: () => void): Promise<Inflicted> {
  begin();
  await pause(FOR_MS);
  end();
  return { over: instant() };
}

/** Nothing happens. */
async function nothing(): Promise<Inflicted> {
  return { over: instant() };
}

/** A process is killed, and started again a second later. */
async function restarted(kill: () => Promise<unknown>, start: () => Promise<unknown>): Promise<Inflicted> {
  await kill();
  await pause(DOWN_MS);
  await start();
  return { over: instant() };
}

/** The same with an Envoy. */
async function restartedEnvoy({ victim }: World): Promise<Inflicted> {
  const inflicted = await restarted(
    () => victim.kill(),
    () => victim.start(),
  );
  return { ...inflicted, explains: killed(victim) };
}

/** And with the Sluice that coordinates, or that is the only one. */
function restartedSluice(world: World): Promise<Inflicted> {
  return restarted(
    () => world.killSluice(),
    () => world.startSluice(),
  );
}

/** A process stands still for a while. */
function frozen(signal: (name: 'SIGSTOP' | 'SIGCONT') => void): Promise<Inflicted> {
  return lasting(
    () => signal('SIGSTOP'),
    () => signal('SIGCONT'),
  );
}

/** The victim is cut off for a while: it hears nothing, nobody hears it, or both. */
function cut({ victim: { namespace } }: World, ...ways: readonly ('hears' | 'speaks')[]): Promise<Inflicted> {
  return lasting(
    () => namespace.cut(...ways),
    () => namespace.mend(),
  );
}

export const rows: readonly Row[] = [
  {
    name: 'one',
    fault: 'nothing happens, with one Envoy',
    envoys: 1,
    fullUseMs: 1000,
    inflict: nothing,
  },
  {
    name: 'nothing',
    fault: 'nothing happens, with two Envoys',
    fullUseMs: 1000,
    inflict: nothing,
  },
  {
    name: 'three',
    fault: 'nothing happens, with three Envoys',
    envoys: 3,
    fullUseMs: 1000,
    inflict: nothing,
  },
  {
    name: 'envoy-killed',
    fault: 'an Envoy is killed, and started again a second later',
    fullUseMs: 3000,
    inflict: restartedEnvoy,
  },
  {
    name: 'envoy-frozen',
    fault: 'an Envoy is frozen for 3 s',
    fullUseMs: 3000,
    inflict: ({ victim }) => frozen((name) => victim.signal(name)),
  },
  {
    name: 'envoy-vanishes',
    fault: 'an Envoy is killed for good, with `--slots-reclaim 3s`',
    args: ['--slots-reclaim', '3s'],
    fullUseMs: 6000,
    async inflict({ victim }) {
      await victim.kill();
      return { over: instant(), explains: killed(victim) };
    },
  },
  {
    name: 'sluice-killed',
    fault: 'Sluice is killed, and started again a second later',
    fullUseMs: 3000,
    inflict: restartedSluice,
  },
  {
    name: 'sluice-frozen',
    fault: 'Sluice is frozen for 3 s',
    fullUseMs: 3000,
    inflict: (world) => frozen((name) => world.signalSluice(name)),
  },
  {
    name: 'cut',
    fault: 'an Envoy is cut off from Sluice for 3 s',
    fullUseMs: 4000,
    inflict: (world) => cut(world, 'hears', 'speaks'),
  },
  {
    name: 'cut-hears',
    fault: 'nothing from Sluice gets to an Envoy for 3 s',
    fullUseMs: 4000,
    inflict: (world) => cut(world, 'hears'),
  },
  {
    name: 'cut-speaks',
    fault: 'nothing from an Envoy gets to Sluice for 3 s',
    fullUseMs: 4000,
    inflict: (world) => cut(world, 'speaks'),
  },
  {
    name: 'renamed',
    fault: 'the service gets another name',
    fullUseMs: 3000,
    async inflict(world) {
      await world.edit('other', 1);
      return { over: instant() };
    },
  },
  {
    name: 'limit',
    fault: 'the limit is raised to 2, and lowered again 2 s later',
    mostMeanwhile: 2,
    fullUseMs: 3000,
    async inflict(world) {
      await world.edit('codec', 2);
      await pause(2000);
      await world.edit('codec', 1);
      return { over: instant() };
    },
  },
  {
    name: 'pairs',
    fault: 'nothing happens, with two pairs',
    pairs: true,
    fullUseMs: 1000,
    inflict: nothing,
  },
  {
    name: 'pairs-three',
    fault: 'nothing happens, with three pairs',
    pairs: true,
    envoys: 3,
    fullUseMs: 1000,
    inflict: nothing,
  },
  {
    name: 'pairs-envoy-killed',
    fault: 'pairs: an Envoy is killed, and started again a second later',
    pairs: true,
    fullUseMs: 3000,
    inflict: restartedEnvoy,
  },
  {
    name: 'pairs-envoy-frozen',
    fault: 'pairs: an Envoy is frozen for 3 s',
    pairs: true,
    fullUseMs: 3000,
    inflict: ({ victim }) => frozen((name) => victim.signal(name)),
  },
  {
    name: 'pairs-follower-killed',
    fault: 'pairs: a Sluice that follows is killed, and started again a second later',
    pairs: true,
    fullUseMs: 4000,
    inflict: ({ victim }) =>
      restarted(
        () => victim.killSluice(),
        () => victim.startSluice(),
      ),
  },
  {
    name: 'pairs-follower-frozen',
    fault: 'pairs: a Sluice that follows is frozen for 3 s',
    pairs: true,
    fullUseMs: 4000,
    inflict: ({ victim }) => frozen((name) => victim.signalSluice(name)),
  },
  {
    name: 'pairs-coordinator-killed',
    fault: 'three pairs: the Sluice that coordinates is killed, and started again a second later',
    pairs: true,
    envoys: 3,
    fullUseMs: 4000,
    inflict: restartedSluice,
  },
  {
    name: 'pairs-coordinator-frozen',
    fault: 'three pairs: the Sluice that coordinates is frozen for 3 s',
    pairs: true,
    envoys: 3,
    fullUseMs: 4000,
    inflict: (world) => frozen((name) => world.signalSluice(name)),
  },
  ...(
    [
      ['pairs-cut', 'pairs: a pair is cut off from the Sluice that coordinates for 3 s', ['hears', 'speaks']],
      ['pairs-cut-hears', 'pairs: nothing from the Sluice that coordinates gets to a pair for 3 s', ['hears']],
      ['pairs-cut-speaks', 'pairs: nothing from a pair gets to the Sluice that coordinates for 3 s', ['speaks']],
    ] as const
  ).map(
    ([name, fault, ways]): Row => ({
      name,
      fault,
      pairs: true,
      fullUseMs: 4000,
      inflict: (world) => cut(world, ...ways),
    }),
  ),
  {
    name: 'pairs-vanishes',
    fault: 'three pairs: an Envoy and its Sluice are killed together for good, with `--slots-reclaim 3s`',
    pairs: true,
    envoys: 3,
    args: ['--slots-reclaim', '3s'],
    fullUseMs: 6000,
    async inflict({ victim }) {
      await Promise.all([victim.kill(), victim.killSluice()]);
      return { over: instant(), explains: killed(victim) };
    },
  },
  {
    name: 'pairs-rolling',
    fault: 'all of two pairs are replaced, one after the other, with jobs of a second, the Sluice that coordinates too',
    pairs: true,
    workMs: 1000,
    forMs: 20_000,
    fullUseMs: 4000,
    async inflict(world) {
      const [follower, beside] = world.places;
      if (follower === undefined || beside === undefined) throw new Error('there are two pairs');
      await world.add(true);
      await world.replace(follower);
      await world.killSluice();
      await world.startSluice();
      await world.add(false);
      await world.replace(beside);
      return { over: instant() };
    },
  },
  {
    name: 'pairs-scale',
    fault: 'one pair becomes three, and one again',
    pairs: true,
    envoys: 1,
    forMs: 15_000,
    fullUseMs: 4000,
    async inflict(world) {
      const more = [await world.add(true), await world.add(true)];
      await pause(2000);
      for (const place of more) await world.replace(place);
      return { over: instant() };
    },
  },
];
