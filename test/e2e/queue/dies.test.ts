import { expect, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { keepBusy } from '../kit/keep-busy.ts';
import { seeded } from '../kit/random.ts';
import { overLimit } from '../kit/verdict.ts';
import { type Queue, startQueue } from './queue.ts';

/** At how many moments Sluice ends or hangs; `SLUICE_MOMENTS=100` for the long run. */
const MOMENTS = Number(process.env['SLUICE_MOMENTS'] ?? 12);
const SEED = Number(process.env['SLUICE_SEED'] ?? 1);
/** The limits that edits choose from. */
const LIMITS = [1, 2, 3] as const;
const PODS = 4;
const WORK_MS = 20;
/** How long Sluice is away, at least; jobs take a fraction of that. */
const AWAY_MS = 600;
/** How long it stays away at most until enough is answered: a machine with much else to do takes longer than that for nothing. */
const PATIENCE_MS = 5000;

/** Edits of all kinds that leave pods to the service: a limit, pods more or less, the queue, a route. */
function editOf(random: () => number, queue: Queue): { readonly pods: readonly string[]; readonly limit: number } {
  const all = queue.pods.addresses;
  const from = Math.floor(random() * all.length);
  const count = 1 + Math.floor(random() * all.length);
  const pods = Array.from({ length: count }, (_, index) => all[(from + index) % all.length] ?? '');
  return { pods, limit: LIMITS[Math.floor(random() * LIMITS.length)] ?? 1 };
}

test(
  `Sluice is killed or frozen at ${MOMENTS} random moments of edits, scale-ups and drains: no queue is ever without slots, and none over its limit`,
  async () => {
    const random = seeded(SEED);
    const queue = await startQueue({ pods: PODS, limit: 1 });
    const busy = keepBusy({ port: queue.sluice.port, clients: 30, workMs: WORK_MS });
    const stalls: string[] = [];
    for (let moment = 0; moment < MOMENTS; moment++) {
      const { pods, limit } = editOf(random, queue);
      await queue.edit(pods, { limit, service: { queue: { max: 500 + moment } } });
      // A second one on its heels, now and then.
      if (random() < 0.3) {
        await pause(random() * 60);
        await queue.edit(editOf(random, queue).pods, { limit });
      }
      await pause(random() * 300);
      const isKilled = random() < 0.5;
      const { pid = Number.NaN } = queue.sluice.process;
      if (isKilled) await queue.sluice.kill();
      else process.kill(pid, 'SIGSTOP');
      const before = busy.results.length;
      const at = instant();
      // At least one slot works on one request after another: were there none, nothing would be answered, however long it takes.
      await pause(AWAY_MS);
      const answered = () => busy.results.length - before;
      while (answered() < AWAY_MS / WORK_MS / 3 && instant() - at < PATIENCE_MS) await pause(20);
      if (answered() < AWAY_MS / WORK_MS / 3)
        stalls.push(
          `${isKilled ? 'killed' : 'frozen'} at moment ${moment} (limit ${limit}, ${pods.length} pods): ${answered()} answered in ${(instant() - at).toFixed(0)} ms`,
        );
      if (isKilled) await queue.sluice.restart();
      else process.kill(pid, 'SIGCONT');
      await pause(random() * 400);
    }
    const last = { pods: queue.pods.addresses, limit: 2 };
    await queue.edit(last.pods, { limit: last.limit });
    await until(async () => (await queue.pods.held()) === PODS * last.limit, { what: 'all slots in use' });
    const results = await busy.stop();
    process.stdout.write(`── ${MOMENTS} moments: ${results.length} requests, ${stalls.length} stalls\n`);
    expect(stalls).toEqual([]);
    expect(results.filter(({ status }) => status !== 200).slice(0, 3)).toEqual([]);
    const requests = await queue.pods.requests();
    expect(overLimit(requests, Math.max(...LIMITS))).toMatchObject({ unexcused: 0 });
    expect(requests.length, 'each was at one pod, once').toBe(results.length);
  },
  60_000 + MOMENTS * 5000,
);
