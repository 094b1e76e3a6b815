import { groupsChart } from '../charts/groups.ts';
import { growthChart } from '../charts/growth.ts';
import { podsChart } from '../charts/pods.ts';
import { ratioChart } from '../charts/ratio.ts';
import { responseChart } from '../charts/response.ts';
import { inFlightChart, responseOverTimeChart, spreadOverTimeChart } from '../charts/rising.ts';
import { opponentKinds } from '../opponents/all.ts';
import { OPPONENTS } from '../opponents/opponent.ts';
import type { Results, ScenarioResult } from '../results.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { costSection } from './cost-section.ts';
import { type NotFirst, notFirst, strictnessFaults } from './findings.ts';
import { table } from './format.ts';
import { haproxyRatios, haproxySection } from './haproxy-section.ts';
import { overviewTable } from './overview.ts';
import { scenarioSection } from './scenario-section.ts';
import { titleOf } from './titles.ts';

/** The page and its pictures by name, without folder and ending. */
export interface Page {
  readonly markdown: string;
  readonly pictures: ReadonlyMap<string, string>;
}

/** Makes the page from results alone: nothing on it was written by hand but the explanations. */
export function renderPage(results: Results, scenarios: readonly Scenario[]): Page {
  const pictures = new Map<string, string>();
  const sections = scenarios.flatMap((scenario) => {
    const result = results.scenarios.find(({ name }) => name === scenario.name);
    if (result === undefined || result.runs.length === 0) return [];
    const own = picturesOf(scenario, result);
    for (const [name, svg] of own) pictures.set(name, svg);
    return [scenarioSection(scenario, result, [...own.keys()])];
  });
  const ratios = haproxyRatios(results, scenarios);
  if (ratios.length > 0) pictures.set('haproxy', ratioChart(ratios));
  if (results.growth !== undefined) pictures.set('growth', growthChart(results.growth));
  const parts = [
    introduction(results),
    '## The scenarios',
    ...sections,
    haproxySection(results, scenarios),
    costSection(results),
    notFirstSection(results, scenarios),
    method(results),
  ];
  return { markdown: `${parts.join('\n\n')}\n`, pictures };
}

function picturesOf(scenario: Scenario, result: ScenarioResult): ReadonlyMap<string, string> {
  const { name, picture } = scenario;
  const response = [`${name}-response`, responseChart(scenario.title, result)] as const;
  switch (picture) {
    case 'response':
      return new Map([response]);
    case 'groups':
      return new Map([[`${name}-waits`, groupsChart(scenario.title, result)]]);
    case 'pods':
      return new Map([[`${name}-pods`, podsChart(scenario, result)], response]);
    case 'rising':
      return new Map([
        [`${name}-in-flight`, inFlightChart(scenario, result)],
        [`${name}-spread`, spreadOverTimeChart(scenario, result)],
        [`${name}-over-time`, responseOverTimeChart(scenario, result)],
      ]);
  }
}

function introduction(results: Results): string {
  const faults = strictnessFaults(results);
  const runs = results.scenarios.flatMap((scenario) => scenario.runs.filter(({ opponent }) => opponent === 'sluice'));
  const requests = runs.reduce((sum, { sent }) => sum + sent, 0);
  const strict =
    faults.length === 0
      ? `In ${runs.length} runs with ${requests.toLocaleString('en')} requests no pod ever held more than its limit behind Sluice.`
      : `**Sluice broke its promise:** ${faults.join('; ')}.`;
  return [
    '# Side by side',
    `Sluice beside what people use today: the same pods, the same arrivals, one run. Everything on this page was measured and written by \`npm run bench\`; the raw results are in [benchmark/results.json](benchmark/results.json). ${strict}`,
    overviewTable(results),
    'Over the scenarios with a queue, from *Four requests* to *gRPC*: the median of the scenarios, and the worst of them in brackets. *Ideal* is one first-in first-out queue in front of all workers, simulated on the same arrivals and jobs, without any time lost. An asterisk: it refuses what it cannot place, and who is refused makes the others faster. [Where Sluice is not first](#where-sluice-is-not-first) lists every figure in which somebody else was better.',
  ].join('\n\n');
}

function notFirstSection(results: Results, scenarios: readonly Scenario[]): string {
  const rows = scenarios.flatMap((scenario) => {
    const result = results.scenarios.find(({ name }) => name === scenario.name);
    const found = result === undefined ? [] : notFirst(result);
    if (found.length === 0) return [];
    const [refuse, answer] = [found.filter(({ refused }) => refused), found.filter(({ refused }) => !refused)];
    return [[scenario.title, answer.map(betterLine).join('<br>'), refuse.map(betterLine).join('<br>')]];
  });
  const parts = ['## Where Sluice is not first'];
  if (rows.length === 0) return [...parts, 'Nowhere, in these runs.'].join('\n\n');
  parts.push(
    'Every figure in which the median of somebody else was better, found by the program that writes this page: Sluice, then the best of the others. *~*: the ranges of the repeats overlap, so the next run may say otherwise. Who refuses requests when all pods are busy is in a column of its own: the fewer are answered, the faster those are.',
    table(['', 'better, and answers everything', 'better, and refuses or fails more than 1 %'], rows),
  );
  return parts.join('\n\n');
}

function betterLine({ figure, sluice, best, opponent, withinRange }: NotFirst): string {
  return `${figure}: ${sluice}, ${titleOf(opponent)} ${best}${withinRange ? ' *~*' : ''}`;
}

function method({ machine, versions }: Results): string {
  const who = OPPONENTS.map((name) => `- **${titleOf(name)}**: ${opponentKinds[name].about}`);
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    '## How it is measured',
    `Load and pods are one program with one clock. The load is an open loop: a request is sent when its time has come, whatever became of those before. Arrivals and jobs come from a seeded generator, so every opponent gets the same ones, and so does whoever repeats this. A pod works on as many requests as it has workers (its limit); what it is given beyond that waits inside the pod, in the order in which it came. That is kind to those who overload pods: a real pod gets slower, or runs out of memory.`,
    `- **held at most**: requests that a pod had at the same time. Bold: more than its limit.\n- **overtaken**: requests that saw a later one begin before them (sent 2 ms later at least, begun 5 ms earlier at least).\n- **slot time lost**: the integral over time of the smaller of free workers and waiting requests, as a share of the time that workers were busy or so lost. A request waits until a worker begins on it, wherever it waits.\n- **wait**: from sending to the begin of the work. **response**: from sending to the last byte, of the requests that were answered.\n- **ideal**: the same requests with the same jobs (as long as they really took) in one queue in front of workers that come and go at the same moments.`,
    'The opponents, each with one worker (thread, process), so that limits and queues are global, and each set up as its own documentation says; the files are in [bench/compare/opponents/config](../bench/compare/opponents/config):',
    who.join('\n'),
    'Envoy without Sluice has no queue for all pods together: its circuit breakers refuse, or queue per connection pool, that is per pod. So there is a plain Envoy that refuses, and those that give pods what they are not ready for; one with a queue takes part where there is one pod.',
    `Measured on ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}; load, pods and proxies share it. ${software.join(', ')}.`,
    '```sh\nnpm run bench                        # all of it, about 14 minutes; rewrites this page\nnpm run bench -- --quick             # under 3 minutes: shorter runs, fewer repeats\nnpm run bench -- --only heavy-tails  # one scenario; the others stay as they were measured\nnpm run bench -- --render            # the page again, from the raw results\n```\n\n`--out FOLDER` writes elsewhere than to `docs`.',
  ].join('\n\n');
}
