import { instant, pause, until } from '../e2e/kit/instant.ts';
import type { History, Violation } from './history.ts';
import { judge } from './judge.ts';
import type { Schedule, Step } from './schedule.ts';
import { LANES, type Lane } from './setup.ts';
import { World } from './world.ts';

/** What came of a run. */
export interface Outcome {
  /** Empty: every rule was kept. */
  readonly violations: readonly Violation[];
  /** When it was, in milliseconds from the start. */
  readonly at: number;
  readonly history: History;
  /** Requests sent, by how they ended. */
  readonly counts: ReadonlyMap<string, number>;
  /** See `World.stalledMs`. */
  readonly stalledMs: number;
  /** What Sluice and Envoy have logged, as far as they still run. */
  readonly log: readonly string[];
}

/** How to run a schedule. */
export interface RunOptions {
  /** The first three parts of the pods' addresses. */
  readonly network?: string;
  /** Of Sluice. */
  readonly logLevel?: 'debug' | 'info';
  /** Told of every judgement. */
  readonly onJudged?: (seconds: number, history: History) => void;
}

const JUDGE_MS = 5000;

/** What still runs and waits when the schedule is over ends by then, ejections included. */
const END_MS = 60_000;

/** The longest ejection: from then on all pods are used again. */
const EJECTED_MS = 11_000;

/** Runs a schedule to its end, or until a rule is broken; then everything must be as at the beginning. */
export async function run(schedule: Schedule, options: RunOptions = {}): Promise<Outcome> {
  const world = await World.start(schedule.setup, options);
  const began = instant();
  const failures: Violation[] = [];
  const counted = new Counted();
  const look = async () => {
    const history = await world.history();
    const { log, stalledMs } = world;
    counted.take(history);
    options.onJudged?.((history.now - began) / 1000, history);
    const violations = [...failures, ...deaths(world), ...judge(history)];
    return { violations, at: history.now - began, history, counts: counted.counts, log, stalledMs };
  };
  try {
    const steps = startSteps(world, schedule, (violation) => failures.push(violation));
    for (let next = JUDGE_MS; next < schedule.ms; next += JUDGE_MS) {
      await pause(Math.max(0, began + next - instant()));
      const outcome = await look();
      if (outcome.violations.length > 0) return outcome;
    }
    await steps;
    failures.push(...(await end(world)));
    return await look();
  } finally {
    await world.stop();
  }
}

/** Does every step at its time; resolves when all are over. */
async function startSteps(world: World, { steps }: Schedule, fail: (violation: Violation) => void): Promise<void> {
  const began = instant();
  const running: Promise<void>[] = [];
  for (const [index, step] of steps.entries()) {
    const early = began + step.at - instant();
    if (early > 0.5) await pause(early);
    if (world.isStopped) return;
    running.push(
      world.do(step, `s${index}`).catch((error: unknown) => {
        fail({ rule: 'end', at: instant(), text: `step ${index} (${step.kind}) cannot be done: ${error}`, about: [] });
      }),
    );
  }
  await Promise.all(running);
}

/** Sluice and Envoy end only when they are killed. */
function deaths({ sluice }: World): Violation[] {
  const { exit } = sluice.process;
  if (exit === null || exit === undefined || exit.signal === 'SIGKILL' || exit.code === 0) return [];
  const log = sluice.process.log.slice(-10).map(({ msg }) => msg);
  return [
    {
      rule: 'end',
      at: instant(),
      text: `Sluice has ended (${exit.code ?? exit.signal}): ${log.join('; ')}`,
      about: [],
    },
  ];
}

/** When all is well again: everything ends, and all slots can be in use at a time, and no more. */
async function end(world: World): Promise<Violation[]> {
  const fail = (text: string): Violation[] => [{ rule: 'end', at: instant(), text, about: [] }];
  try {
    await until(() => world.isSettled, { what: 'the last edit to be active', within: END_MS });
    await until(() => world.open === 0, { what: 'every request to end', within: END_MS });
  } catch (error) {
    return fail(`${error}`);
  }
  await pause(EJECTED_MS);
  const failed: Violation[] = [];
  for (const lane of LANES) failed.push(...(await fill(world, lane)).flatMap(fail));
  return failed;
}

const FILL_MS = 600;

/** Twice as many requests as there are slots: the first half has them all, and nobody has more. */
async function fill(world: World, lane: Lane): Promise<readonly string[]> {
  const { limit, pods } = world.setup[lane];
  // A pod that was ejected gets its first request alone.
  await world.do(fillStep(lane, 4 * pods.length * limit, 0), `warm-${lane}`);
  await world.do(fillStep(lane, 2 * pods.length * limit, FILL_MS), `fill-${lane}`);
  const { visits } = await world.history();
  return pods.flatMap((pod) => {
    const address = world.addresses[pod] ?? '';
    const own = visits.filter((visit) => visit.pod === address && visit.id.startsWith(`fill-${lane}`));
    const most = Math.max(0, ...own.map(({ held }) => held));
    return most === limit ? [] : [`at the end ${address} has ${most} of its ${limit} slots in use, with a full queue`];
  });
}

function fillStep(lane: Lane, count: number, at: number): Step {
  const work = at === 0 ? 'short' : 'even';
  return { at, kind: 'load', lane, client: 'h2', work, ms: 0, count, aborts: 0, odds: 0, seed: 1 };
}

/** Counts requests by how they ended, each once. */
class Counted {
  readonly counts = new Map<string, number>();
  #until = 0;

  take({ sent, now }: History): void {
    for (const { result } of sent) {
      if (result === undefined || result.ended <= this.#until || result.ended > now) continue;
      const kind = result.outcome === 'answered' ? String(result.status) : result.outcome;
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    }
    this.#until = now;
  }
}
