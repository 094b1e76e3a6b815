import { pause } from '../../test/e2e/kit/instant.ts';
import { Contestant } from './contestant.ts';
import { opponentKinds } from './opponents/all.ts';
import type { OpponentName } from './opponents/opponent.ts';
import type { Run, ScenarioResult } from './results.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** The first of the networks 127.0.x in which pods get addresses; each contestant has one of its own. */
const FIRST_NETWORK = 40;

/** Opponents that run together begin this far apart, so that they do not all want the processor at the same moment. */
const STAGGER_MS = 37;

/** What a contest needs to know beside its scenario. */
export interface ContestOptions {
  readonly quick: boolean;
  /** Only these take part; all of the scenario's when left out. */
  readonly only?: readonly OpponentName[];
  /** Called with a line for the user now and then. */
  readonly say: (line: string) => void;
}

/** Runs a scenario with all its opponents, as often as it says. Errors: rejects when an opponent cannot be started. */
export async function contest(scenario: Scenario, { quick, only, say }: ContestOptions): Promise<ScenarioResult> {
  const skipped: Record<string, string> = {};
  const taking: OpponentName[] = [];
  for (const name of only ?? scenario.opponents) {
    const missing = await opponentKinds[name].missing();
    if (missing === undefined) taking.push(name);
    else skipped[name] = missing;
  }
  for (const [name, why] of Object.entries(skipped)) say(`  without ${name}: ${why}`);
  const contestants = await startAll(scenario, taking);
  try {
    await eachOf(scenario, contestants, (one) => one.warmUp());
    const runs: Run[] = [];
    const repeats = quick ? scenario.repeats.quick : scenario.repeats.full;
    for (let repeat = 0; repeat < repeats; repeat += 1) {
      const plan = scenario.plan(repeat + 1, quick);
      if (repeat > 0 && plan.changes.length > 0) await Promise.all(contestants.map((one) => one.reset()));
      runs.push(...(await eachOf(scenario, rotated(contestants, repeat), (one) => one.run(plan, repeat))));
    }
    return { name: scenario.name, date: new Date().toISOString(), quick, runs, skipped };
  } finally {
    await Promise.all(contestants.map((one) => one.stop()));
  }
}

async function startAll(scenario: Scenario, names: readonly OpponentName[]): Promise<readonly Contestant[]> {
  const starting = names.map((name, index) => Contestant.start(opponentKinds[name], scenario, FIRST_NETWORK + index));
  const started = await Promise.allSettled(starting);
  const failed = started.find((one) => one.status === 'rejected');
  const contestants = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (failed === undefined) return contestants;
  await Promise.all(contestants.map((one) => one.stop()));
  throw failed.reason;
}

/** Does something with all contestants, in the scenario's way: a little after each other, or one after the other. */
async function eachOf<T>(
  { how }: Scenario,
  contestants: readonly Contestant[],
  act: (one: Contestant) => Promise<T>,
): Promise<readonly T[]> {
  if (how === 'together') {
    const staggered = async (one: Contestant, index: number) => {
      await pause(index * STAGGER_MS);
      return act(one);
    };
    return Promise.all(contestants.map(staggered));
  }
  const done: T[] = [];
  for (const one of contestants) done.push(await act(one));
  return done;
}

/** So that each is first once: what is measured first may find a colder or a quieter machine. */
function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const first = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}
