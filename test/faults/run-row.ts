import { pause } from '../e2e/kit/instant.ts';
import { load, startLoad } from '../e2e/kit/load.ts';
import { burst, poisson, rateFor } from '../e2e/kit/load-plan.ts';
import { exponential, fixed } from '../e2e/kit/random.ts';
import { type Measured, measure } from './measure.ts';
import type { FaultRow } from './row.ts';
import { SLOTS, World } from './world.ts';

/** The load that every fault meets: open loop, Poisson arrivals, exponential work. Times in milliseconds. */
export const LOAD = { share: 0.9, workMs: 40, forMs: 6000, faultAt: 700, seed: 1 } as const;

/** What a request costs its slot beside its work, in milliseconds, roughly: without it the load would be above 90 %. */
const OVERHEAD_MS = 2;

/** Runs a row on an Envoy of its own, under load for `forMs` milliseconds. Errors: rejects when the fault cannot be brought about. */
export async function runRow(row: FaultRow, forMs: number = LOAD.forMs): Promise<Measured> {
  const world = await World.start(row.service ?? {}, row.protocol);
  try {
    await load(world.client, burst(10 * SLOTS, { name: 'warm', work: fixed(5) }));
    await world.idle();
    const perSecond = rateFor(LOAD.share, SLOTS, LOAD.workMs + OVERHEAD_MS);
    const count = Math.round((perSecond * forMs) / 1000);
    const plan = poisson(count, perSecond, { work: exponential(LOAD.workMs), seed: LOAD.seed });
    const run = startLoad(world.client, plan);
    await pause(LOAD.faultAt);
    const inflicted = await row.inflict(world);
    const results = await run.results;
    await world.idle();
    return measure({ results, requests: world.requests, inflicted });
  } finally {
    await world.stop();
  }
}
