import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../../test/e2e/kit/ports.ts';
import { rounded } from '../measures/distribution.ts';
import { opponentKinds } from '../opponents/all.ts';
import { findProgram, InstalledProgram } from '../opponents/installed.ts';
import { listening } from '../opponents/listening.ts';
import type { Opponent, OpponentName } from '../opponents/opponent.ts';
import { fillTemplate, replaceFile } from '../opponents/template.ts';
import type { ClosedLoopResult } from '../results.ts';
import { cpuOf, difference } from './process-cost.ts';

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
  const [wrk, nginx] = await Promise.all([findProgram('wrk'), findProgram('nginx')]);
  if (wrk === undefined || nginx === undefined) {
    say(`  left out: ${wrk === undefined ? 'wrk' : 'nginx'} is not installed`);
    return undefined;
  }
  const folder = await mkdtemp(join(tmpdir(), 'sluice-compare-'));
  const port = await freePort();
  const pods = Array.from({ length: PODS }, (_, pod) => `127.0.39.${pod + 1}:${port}`);
  const config = join(folder, 'pods.conf');
  const listen = pods.map((pod) => `        listen ${pod} backlog=4096;`).join('\n');
  await replaceFile(config, await fillTemplate('pods.conf', { FOLDER: folder, LISTEN: listen }));
  const program = new InstalledProgram(nginx, ['-e', 'stderr', '-p', folder, '-c', config]);
  const started: { readonly name: OpponentName; readonly opponent: Opponent }[] = [];
  try {
    await listening(port, () => program.said, '127.0.39.1');
    for (const name of WHO) {
      const missing = await opponentKinds[name].missing();
      if (missing !== undefined) say(`  without ${name}: ${missing}`);
      else
        started.push({
          name,
          opponent: await opponentKinds[name].start({ pods, limit: LIMIT, protocol: 'http1', folder }),
        });
    }
    for (const { opponent } of started) await run(wrk, opponent, 1);
    const runs: ClosedLoopResult['runs'] = [];
    const rounds = quick ? 2 : 7;
    for (let round = 0; round < rounds; round += 1) {
      for (let turn = 0; turn < started.length; turn += 1) {
        const one = started[(round + turn) % started.length];
        if (one === undefined) continue;
        const before = cpuOf(one.opponent.processes());
        const { perSecond, requests, errors } = await run(wrk, one.opponent, quick ? 2 : 4);
        const cpuMs = difference(cpuOf(one.opponent.processes()), before);
        runs.push({ opponent: one.name, round, perSecond, requests, errors, cpuMs });
      }
    }
    return { date: new Date().toISOString(), quick, pods: PODS, limit: LIMIT, clients: CLIENTS, runs };
  } finally {
    await Promise.all(started.map(({ opponent }) => opponent.stop()));
    await program.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(wrk: string, { port }: Opponent, seconds: number) {
  const args = ['-t', '1', '-c', String(CLIENTS), '-d', `${seconds}s`, `http://127.0.0.1:${port}/`];
  const { stdout } = await promisify(execFile)(wrk, args);
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0);
  const socketErrors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? [];
  return {
    perSecond: rounded(number(/Requests\/sec:\s+([\d.]+)/)),
    requests: number(/(\d+) requests in/),
    errors: socketErrors.reduce((sum, count) => sum + Number(count), number(/Non-2xx or 3xx responses: (\d+)/)),
  };
}
