import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { opponentKinds } from '../opponents/all.ts';
import type { Opponent, OpponentName } from '../opponents/opponent.ts';
import type { ClosedLoopResult } from '../results.ts';
import { cpuOf, difference } from './process-cost.ts';
import { findLoadTools, press, startQuickPods } from './wrk.ts';

/** Who takes part: the two with a queue for all pods, and an Envoy without any. */
const WHO: readonly OpponentName[] = ['sluice', 'haproxy', 'full-scan'];

const PODS = 4;
const LIMIT = 8;
/** Twice as many as there are slots: half of them always wait, where there is a queue. */
const CLIENTS = 64;

/**
 * The most that each proxy can carry with one worker: `wrk` keeps 64 requests open, pods (nginx) answer at once.
 * Undefined when wrk or nginx is not installed, which `say` is told.
 */
export async function measureClosedLoop(
  quick: boolean,
  say: (line: string) => void,
): Promise<ClosedLoopResult | undefined> {
  const tools = await findLoadTools(say);
  if (tools === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-compare-'));
  const pods = await startQuickPods(tools, { count: PODS, network: '127.0.39', folder });
  const started: { readonly name: OpponentName; readonly opponent: Opponent }[] = [];
  try {
    for (const name of WHO) {
      const missing = await opponentKinds[name].missing();
      if (missing !== undefined) say(`  without ${name}: ${missing}`);
      else
        started.push({
          name,
          opponent: await opponentKinds[name].start({ pods: pods.addresses, limit: LIMIT, protocol: 'http1', folder }),
        });
    }
    for (const { opponent } of started) await press(tools, opponent.port, { clients: CLIENTS, seconds: 1 });
    const runs: ClosedLoopResult['runs'] = [];
    const rounds = quick ? 2 : 7;
    for (let round = 0; round < rounds; round += 1) {
      for (let turn = 0; turn < started.length; turn += 1) {
        const one = started[(round + turn) % started.length];
        if (one === undefined) continue;
        const before = cpuOf(one.opponent.processes());
        const carried = await press(tools, one.opponent.port, { clients: CLIENTS, seconds: quick ? 2 : 4 });
        const cpuMs = difference(cpuOf(one.opponent.processes()), before);
        runs.push({ opponent: one.name, round, ...carried, cpuMs });
      }
    }
    return { date: new Date().toISOString(), quick, pods: PODS, limit: LIMIT, clients: CLIENTS, runs };
  } finally {
    await Promise.all(started.map(({ opponent }) => opponent.stop()));
    await pods.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
