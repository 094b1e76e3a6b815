// Sluice beside what people use today: npm run bench [-- --quick] [-- --only SCENARIO]. Writes docs/benchmark.md.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { instant } from '../../test/e2e/kit/instant.ts';
import { type Arguments, CLOSED_LOOP, GROWTH, parseArguments } from './arguments.ts';
import { contest } from './contest.ts';
import { measureClosedLoop } from './cost/closed-loop.ts';
import { measureGrowth } from './cost/growth.ts';
import { thisMachine, versions } from './machine.ts';
import { summaryLines } from './report/console.ts';
import { strictnessFaults } from './report/findings.ts';
import { renderPage } from './report/page.ts';
import { formatResults, mergeResults, parseResults, type Results } from './results.ts';
import { SCENARIOS } from './scenarios/all.ts';
import type { Scenario } from './scenarios/scenario.ts';

const names = SCENARIOS.map(({ name }) => name);

/** Measures what was asked for; writes the results after each scenario, so that none is lost. */
async function bench({ quick, only, out }: Arguments): Promise<Results> {
  const wanted = (name: string) => only.length === 0 || only.includes(name);
  const common = { machine: thisMachine(), versions: await versions() };
  let results = (await readResults(out)) ?? { ...common, scenarios: [] };
  const add = async (fresh: Partial<Results>) => {
    results = mergeResults(results, { ...common, scenarios: [], ...fresh }, names);
    await writeResults(out, results);
  };
  const isRun = (repeats: Scenario['repeats']) => (quick ? repeats.quick : repeats.full) > 0;
  for (const scenario of SCENARIOS.filter(({ name, repeats }) => wanted(name) && isRun(repeats))) {
    const began = instant();
    console.log(`${scenario.title} (${scenario.name})`);
    const result = await contest(scenario, { quick, say: console.log });
    for (const line of summaryLines(result)) console.log(`  ${line}`);
    console.log(`  ${Math.round((instant() - began) / 1000)} s`);
    await add({ scenarios: [result] });
  }
  if (wanted(CLOSED_LOOP)) {
    console.log('The most that one worker carries (closed-loop)');
    const closedLoop = await measureClosedLoop(quick, console.log);
    if (closedLoop !== undefined) await add({ closedLoop });
  }
  if (wanted(GROWTH)) {
    console.log('What many services cost (growth)');
    await add({ growth: await measureGrowth(quick, console.log) });
  }
  return results;
}

async function readResults(out: string): Promise<Results | undefined> {
  const text = await readFile(join(out, 'benchmark', 'results.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseResults(text);
}

async function writeResults(out: string, results: Results): Promise<void> {
  await mkdir(join(out, 'benchmark'), { recursive: true });
  await writeFile(join(out, 'benchmark', 'results.json'), formatResults(results));
}

async function writePage(out: string, results: Results): Promise<void> {
  const { markdown, pictures } = renderPage(results, SCENARIOS);
  await writeFile(join(out, 'benchmark.md'), markdown);
  for (const [name, svg] of pictures) await writeFile(join(out, 'benchmark', `${name}.svg`), svg);
  console.log(`${join(out, 'benchmark.md')} and ${pictures.size} pictures are written`);
}

async function run(args: readonly string[]): Promise<number> {
  const parsed = parseArguments(args, names);
  if (!parsed.ok) {
    for (const error of parsed.errors) console.error(error);
    return 2;
  }
  const { render, out } = parsed.value;
  const results = render ? await readResults(out) : await bench(parsed.value);
  if (results === undefined) {
    console.error(`there are no results in ${join(out, 'benchmark')} yet: run without --render first`);
    return 1;
  }
  await writePage(out, results);
  const faults = strictnessFaults(results);
  for (const fault of faults) console.error(fault);
  return faults.length === 0 ? 0 : 1;
}

// Whoever ends this ends what it has started: each child process is ended when this one exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

process.exitCode = await run(process.argv.slice(2));
