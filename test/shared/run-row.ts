import { pause } from '../e2e/kit/instant.ts';
import { startLoad } from '../e2e/kit/load.ts';
import { poisson, rateFor } from '../e2e/kit/load-plan.ts';
import { exponential } from '../e2e/kit/random.ts';
import { type Measured, measure } from './measure.ts';
import type { Row } from './rows.ts';
import { type Place, SLOTS, World } from './world.ts';

/** The load that every fault meets: open loop, Poisson arrivals, exponential work. Times in milliseconds. */
const LOAD = { share: 0.9, workMs: 50, forMs: 9000, faultAt: 1500, seed: 1 } as const;

/** What a request costs its slot beside its work, in milliseconds, roughly: without it the load would be above 90 %. */
const OVERHEAD_MS = 2;

/** Runs a row on Envoys of its own, each with its share of the load. Errors: rejects when the fault cannot be brought about. */
export async function runRow(row: Row): Promise<Measured> {
  const world = await World.start({ envoys: row.envoys ?? 2, pairs: row.pairs ?? false, args: row.args ?? [] });
  try {
    const { workMs = LOAD.workMs, forMs = LOAD.forMs } = row;
    const perSecond = rateFor(LOAD.share, SLOTS, workMs + OVERHEAD_MS);
    const count = Math.round((perSecond * forMs) / 1000);
    const plan = poisson(count, perSecond, { work: exponential(workMs), seed: LOAD.seed });
    const placeOf = new Map<string, Place>();
    const client = {
      send(request: (typeof plan)[number]) {
        const place = world.next();
        placeOf.set(request.id, place);
        return place.send(request);
      },
      close: () => {},
    };
    const run = startLoad(client, plan);
    await pause(LOAD.faultAt);
    const inflicted = await row.inflict(world);
    const results = await run.results;
    return measure({ row, results, requests: await world.pods.requests(), inflicted, placeOf });
  } finally {
    await world.stop();
  }
}
