/**
 * `npm run soak -- --minutes 20 --seed N`: a random schedule of everything that can go wrong, with pods as judges. Ends with 1
 * when a rule is broken, and says after which step; with `--shrink` also by which few steps. `--replay FILE` runs a schedule
 * that was written then.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { report } from './report.ts';
import { type Outcome, run } from './run.ts';
import { type Schedule, scheduleOf, stepText } from './schedule.ts';
import { shrink } from './shrink.ts';

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly shrink?: number;
  readonly replay?: string;
  readonly network: string;
  readonly logLevel: 'debug' | 'info';
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('must be a number above 0.');
  return value;
}

const {
  minutes,
  seed,
  shrink: shrinkMinutes,
  replay,
  network,
  logLevel,
} = new Command('soak')
  .option('--minutes <number>', 'how long', positive, 20)
  .option('--seed <number>', 'the same seed makes the same schedule', positive, 1)
  .option('--shrink <minutes>', 'look for the few steps that break the rule, for so long', positive)
  .option('--replay <file>', 'run the schedule of this file')
  .option('--network <prefix>', "the first three parts of the pods' addresses", '127.0.5')
  .addOption(new Option('--log-level <level>', 'of Sluice').choices(['debug', 'info']).default('info'))
  .parse()
  .opts<Options>();

const schedule: Schedule =
  replay === undefined ? scheduleOf(seed, minutes * 60_000) : JSON.parse(await readFile(replay, 'utf8'));
const what = replay ?? `seed ${seed}, ${minutes} min`;
process.stdout.write(`${what}: ${schedule.steps.length} steps\n`);

let told = 0;
const outcome = await run(schedule, {
  network,
  logLevel,
  onJudged: (seconds, { sent }) => {
    if (seconds < told + 60) return;
    told = seconds;
    process.stdout.write(`${seconds.toFixed(0)} s, ${sent.length} requests in the last minute\n`);
  },
});
process.stdout.write(`${countsText(outcome)}\n`);
if (outcome.violations.length === 0) process.stdout.write(`${what}: every rule was kept\n`);
else await fail(outcome);

function countsText({ counts, at, stalledMs }: Outcome): string {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const each = [...counts].map(([kind, count]) => `${count} × ${kind}`).join(', ');
  return `${total} requests in ${(at / 1000).toFixed(0)} s, of which the machine stalled ${(stalledMs / 1000).toFixed(0)} s: ${each}`;
}

async function fail(failed: Outcome): Promise<void> {
  process.exitCode = 1;
  process.stdout.write(`${report(what, schedule, failed)}\n`);
  const file = join(tmpdir(), `soak-${seed}-${process.pid}.json`);
  await writeFile(file, JSON.stringify(schedule));
  const logFile = file.replace('.json', '.log');
  await writeFile(logFile, failed.log.join('\n'));
  const historyFile = file.replace('.json', '-history.json');
  await writeFile(historyFile, JSON.stringify(failed.history));
  process.stdout.write(
    `the schedule is in ${file}, what happened in ${historyFile}, the log of Sluice and Envoy in ${logFile}\n`,
  );
  if (shrinkMinutes === undefined) return;
  const small = await shrink(schedule, failed, {
    until: Date.now() + shrinkMinutes * 60_000,
    run: (one) => run(one, { network }),
    say: (line) => process.stdout.write(`${line}\n`),
  });
  const smallFile = file.replace('.json', '-small.json');
  await writeFile(smallFile, JSON.stringify(small));
  process.stdout.write(`the same rule is broken by these ${small.steps.length} steps, which are in ${smallFile}:\n`);
  process.stdout.write(`${JSON.stringify(small.setup)}\n${small.steps.map(stepText).join('\n')}\n`);
}
