import { OPPONENTS } from '../opponents/opponent.ts';
import type { ClosedLoopResult, GrowthResult, Results, Run } from '../results.ts';
import { ms, percent, table, times } from './format.ts';
import { medianOf, middle, partakers, runsOf } from './statistics.ts';
import { titleOf } from './titles.ts';

/** What everything costs: processor and memory per request and per service. */
export function costSection({ scenarios, closedLoop, growth }: Results): string {
  const highRate = scenarios.find(({ name }) => name === 'high-rate');
  const parts = ['## What it costs'];
  if (highRate !== undefined) {
    const rows = partakers(highRate, OPPONENTS).map((name) => {
      const runs = runsOf(highRate, name);
      const cpu = (part: 'proxy' | 'controlPlane') =>
        medianOf(runs, ({ cpuMs, answered }: Run) => (answered === 0 ? null : (cpuMs[part] / answered) * 1000))?.median;
      const memory = (part: 'proxy' | 'controlPlane') => medianOf(runs, ({ residentMb }) => residentMb[part])?.median;
      const alone = name !== 'sluice';
      return [
        alone ? titleOf(name) : `**${titleOf(name)}**`,
        ms(cpu('proxy')),
        alone ? '' : ms(cpu('controlPlane')),
        ms(memory('proxy')),
        alone ? '' : ms(memory('controlPlane')),
      ];
    });
    parts.push(
      'Per 1,000 requests, in *Short requests at a high rate*: CPU time in ms and resident memory in MB. For Sluice the proxy is its Envoy.',
      table(['', 'CPU: proxy', 'CPU: control plane', 'memory: proxy', 'memory: control plane'], rows),
    );
  }
  if (closedLoop !== undefined) parts.push(...closedLoopParts(closedLoop));
  if (growth !== undefined) parts.push(...growthParts(growth));
  return parts.join('\n\n');
}

function closedLoopParts({ pods, limit, clients, runs }: ClosedLoopResult): readonly string[] {
  const present = OPPONENTS.filter((name) => runs.some(({ opponent }) => opponent === name));
  const perSecond = (name: string, round?: number) =>
    runs
      .filter((run) => run.opponent === name && (round === undefined || run.round === round))
      .map((run) => run.perSecond);
  const rounds = [...new Set(runs.map(({ round }) => round))];
  const rows = present.map((name) => {
    const own = runs.filter(({ opponent }) => opponent === name);
    const rates = perSecond(name);
    const shares = rounds.flatMap((round) => {
      const [of, to] = [perSecond(name, round)[0], perSecond('haproxy', round)[0]];
      return of === undefined || to === undefined ? [] : [of / to];
    });
    const whole = (value: number) => Math.round(value).toLocaleString('en');
    return [
      name === 'sluice' ? `**${titleOf(name)}**` : titleOf(name),
      `${whole(middle(rates))} (${whole(Math.min(...rates))}–${whole(Math.max(...rates))})`,
      times(shares.length === 0 ? undefined : middle(shares)),
      ms(middle(own.map(({ cpuMs, requests }) => (requests === 0 ? Number.NaN : (cpuMs.proxy / requests) * 1000)))),
      own.reduce((sum, { errors }) => sum + errors, 0).toLocaleString('en'),
    ];
  });
  return [
    `A closed loop: \`wrk\` keeps ${clients} requests open, ${pods} pods of limit ${limit} (nginx) answer at once, every proxy has one worker. It shows the most that one worker carries; nobody has jobs like these. Median and range of ${rounds.length} rounds in turn; CPU of the proxy in ms per 1,000 requests.`,
    table(['', 'requests per second', '÷ HAProxy, same round', 'CPU: proxy', 'errors'], rows),
  ];
}

function growthParts({ sizes, podsPerService, quick }: GrowthResult): readonly string[] {
  const rows = sizes.map(({ services, readyMs, cpuMs, residentMb, idleShare }) => [
    services.toLocaleString('en'),
    ms(readyMs / 1000),
    ms(cpuMs.proxy),
    ms(cpuMs.controlPlane),
    ms(residentMb.proxy),
    ms(residentMb.controlPlane),
    percent(idleShare.proxy),
    percent(idleShare.controlPlane),
  ]);
  const head = ['services', 'active after (s)', 'CPU until then: Envoy (ms)', 'control plane (ms)'];
  head.push('memory: Envoy (MB)', 'control plane (MB)', 'CPU when idle: Envoy', 'control plane');
  const first = sizes.find(({ services }) => services === 10) ?? sizes[0];
  const last = sizes.at(-1);
  const parts = [
    `Services of ${podsPerService} pods each and no traffic, from the start of both processes on; one run. CPU when idle is a share of one core.`,
    '![Memory and CPU by the number of services](benchmark/growth.svg)',
    table(head, rows),
  ];
  if (first !== undefined && last !== undefined && last.services > first.services) {
    const per = (after: number, before: number) => ms(((after - before) * 1000) / (last.services - first.services));
    parts.push(
      `From ${first.services} to ${last.services.toLocaleString('en')} services, 1,000 more services cost ${per(last.residentMb.proxy, first.residentMb.proxy)} MB in Envoy and ${per(last.residentMb.controlPlane, first.residentMb.controlPlane)} MB in the control plane, and ${per(last.cpuMs.proxy, first.cpuMs.proxy)} ms and ${per(last.cpuMs.controlPlane, first.cpuMs.controlPlane)} ms of CPU at the start.`,
    );
  }
  if (quick) parts.push('A quick run: without the largest size.');
  return parts;
}
