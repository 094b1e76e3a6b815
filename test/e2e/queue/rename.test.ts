import { expect, test } from 'vitest';
import { pause, until } from '../kit/instant.ts';
import { type LoadResult, startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed, seeded } from '../kit/random.ts';
import { fifoOrder, overLimit } from '../kit/verdict.ts';
import { startQueue } from './queue.ts';

/** At how many moments Sluice ends or hangs; `SLUICE_MOMENTS=100` for the long run. */
const MOMENTS = Number(process.env['SLUICE_MOMENTS'] ?? 6);
const SEED = Number(process.env['SLUICE_SEED'] ?? 1);
const WORK_MS = 40;
/** Requests that wait by the old name: they take 600 ms. */
const BEFORE = 30;
const AFTER = 10;
/** Sluice is away for as long: all are answered meanwhile, wherever their requests wait. */
const AWAY_MS = 4000;

/** The pods under a name, with one more pod that comes with it now and then. */
function named(name: string, pods: readonly string[], limit: number) {
  return {
    services: { [name]: { static: pods, limit } },
    routes: [{ match: { prefix: '/' }, service: name }],
  };
}

test(
  `Sluice is killed or frozen at ${MOMENTS} random moments after a service got another name: its queue goes on, then those behind it`,
  async () => {
    const random = seeded(SEED);
    const queue = await startQueue({ pods: 3, limit: 1 });
    const [one = '', two = '', three = ''] = queue.pods.addresses;
    await queue.edit([one, two]);
    const client = queue.h2();
    const all: LoadResult[] = [];
    const lost: string[] = [];
    let overtaken = 0;
    for (let moment = 0; moment < MOMENTS; moment++) {
      const before = startLoad(client, burst(BEFORE, { name: `${moment}-before`, work: fixed(WORK_MS) }));
      await queue.untilHeld(2);
      // The next one has a pod more, or other limits, now and then.
      const pods = random() < 0.3 ? [one, two, three] : [one, two];
      await queue.sluice.edit(named(`name-${moment}`, pods, 1));
      await pause(20 + random() * 300);
      const isKilled = random() < 0.5;
      const { pid = Number.NaN } = queue.sluice.process;
      if (isKilled) await queue.sluice.kill();
      else process.kill(pid, 'SIGSTOP');
      const after = startLoad(client, burst(AFTER, { name: `${moment}-after`, work: fixed(WORK_MS) }));
      const runs = Promise.all([before.results, after.results]);
      const isAll = await Promise.race([runs.then(() => true), pause(AWAY_MS).then(() => false)]);
      if (!isAll) lost.push(`${isKilled ? 'killed' : 'frozen'} at moment ${moment}: not all are answered`);
      if (isKilled) await queue.sluice.restart();
      else process.kill(pid, 'SIGCONT');
      const results = (await runs).flat();
      all.push(...results);
      const order = fifoOrder(results, await queue.pods.requests());
      overtaken = Math.max(overtaken, order.overtaken);
      // The same pods in all: what an edit did meanwhile is done.
      await queue.sluice.edit(named(`name-${moment}`, [one, two], 1));
      await until(async () => (await queue.stat(`cluster.name-${moment}.membership_total`)) === 2, {
        what: 'two pods',
      });
    }
    expect(lost).toEqual([]);
    expect(all.filter(({ status }) => status !== 200).slice(0, 3)).toEqual([]);
    const requests = await queue.pods.requests();
    expect(overLimit(requests, 1)).toMatchObject({ unexcused: 0 });
    expect(requests.length, 'each was at one pod, once').toBe(all.length);
    // Those that have left the queue in the moment of the edit, at most as many as there are slots, find their pod anew.
    expect(overtaken).toBeLessThanOrEqual(4);
  },
  60_000 + MOMENTS * 8000,
);
