import { instant, pause } from '../e2e/kit/instant.ts';
import { startLoad } from '../e2e/kit/load.ts';
import { burst, poisson, rateFor } from '../e2e/kit/load-plan.ts';
import { exponential, seeded } from '../e2e/kit/random.ts';
import { FAULT_MS } from './pod-rows.ts';
import { type FaultRow, FULL_USE_MS, type Inflicted } from './row.ts';
import { LOAD } from './run-row.ts';
import { readSlowly, sendSlowly } from './slow-client.ts';
import { SLOTS, type World } from './world.ts';

/** Slow clients at a time: each holds a slot for as long as it takes. */
const SLOW = 3;

/** Requests of the burst. */
const WAITING = 2000;

/** What clients do. */
export const clientRows: readonly FaultRow[] = [
  {
    name: 'abort-storm',
    fault: 'every second client gives up, waiting or served',
    user: 'Their places and slots are free at once. A pod hears of it a moment later: for that moment it may hold one more.',
    // The next one needs a new connection to the pod, and the one after it may find one that is open.
    promise: { overtaken: SLOTS, fullUseMs: FULL_USE_MS },
    inflict: abortStorm,
  },
  {
    name: 'slow-clients',
    fault: `${SLOW} clients take 1.5 s to send their bodies`,
    user: 'Each holds a slot while it sends, as its pod has the request from the first byte on; nobody else notices.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: ({ sluice }) => slow(sendSlowly, sluice.port),
  },
  {
    name: 'slow-readers',
    fault: `${SLOW} clients let answers of 32 MB lie for 1.5 s`,
    user: 'Each holds a slot until its pod has got rid of the answer; nobody else notices.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: ({ sluice }) => slow(readSlowly, sluice.port),
  },
  {
    name: 'many-waiting',
    fault: `${WAITING} requests come at once`,
    user: 'They wait, each for its turn.',
    service: { queue: { max: WAITING + 1000 } },
    promise: { fullUseMs: FULL_USE_MS },
    inflict: flood,
  },
];

/** As many requests as the load has, all of which give up: after 5 to 60 ms, so some in the line and some at a pod. */
async function abortStorm({ client }: World): Promise<Inflicted> {
  const perSecond = rateFor(LOAD.share, SLOTS, LOAD.workMs);
  const random = seeded(LOAD.seed + 1);
  const plan = poisson(Math.round((perSecond * FAULT_MS) / 1000), perSecond, {
    name: 'gone',
    work: exponential(LOAD.workMs),
    seed: LOAD.seed + 1,
  });
  const along = await startLoad(
    client,
    plan.map((request) => ({ ...request, abortAfter: 5 + 55 * random() })),
  ).results;
  return { over: instant(), along };
}

async function slow(client: typeof sendSlowly, port: number): Promise<Inflicted> {
  const clients = Array.from({ length: SLOW }, (_, index) => client({ port, id: `slow${index}`, forMs: 1500 }));
  const beside = await Promise.all(clients);
  return { over: instant(), beside };
}

async function flood({ client }: World): Promise<Inflicted> {
  const plan = burst(WAITING, { name: 'burst', work: exponential(LOAD.workMs), seed: LOAD.seed + 1 });
  const run = startLoad(client, plan);
  await pause(100);
  const over = instant();
  return { over, along: await run.results };
}
