import { formatProblem, type Problem } from '../model/problem.ts';
import { SERVICE_HEADING, serviceRow } from './service-row.ts';
import type { NodeStatus, ServiceStatus, Status } from './status.ts';
import { type Cell, type Paint, printable, type Tone, table } from './table.ts';

/** The status for a person to read: what is in force, a line per service, a line per Envoy, the problems. */
export function formatStatus(status: Status, paint: Paint): string {
  const { services, nodes, problems } = status;
  const now = Date.parse(status.at);
  const parts = [
    overview(status, now, paint),
    services.length === 0
      ? paint('quiet', 'no services')
      : [
          table(
            [...SERVICE_HEADING, 'SOURCE'],
            services.map((service) => [...serviceRow(service), sourceOf(service, now)]),
            paint,
          ),
          paint('quiet', `Refused, wait and work are of the last minute.${sampled(status)}`),
        ].join('\n'),
    nodes.length === 0
      ? paint('doubtful', 'no Envoy is connected')
      : table(
          ['ENVOY', 'VERSION', 'CONNECTED FOR', 'FROM', 'CONFIGURATION'],
          nodes.map((node) => nodeRow(node, now)),
          paint,
        ),
    ...(problems.length === 0 ? [] : [[paint('heading', 'PROBLEMS'), ...problemLines(problems, paint)].join('\n')]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function sampled({ sampledOneIn }: Status): string {
  return sampledOneIn === undefined ? '' : ` So many requests that one in ${sampledOneIn} is counted, for all.`;
}

/** A length of time in its two largest units: `12s`, `3m12s`, `5d3h`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  if (first === -1) return '0s';
  return units
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join('');
}

function overview(status: Status, now: number, paint: Paint): string {
  const { version, startedAt, routeFile, configuration } = status;
  const inForce =
    configuration === undefined
      ? paint('bad', 'none yet')
      : `${printable(configuration.version)}, published ${since(configuration.publishedAt, now)} ago`;
  const { text, tone } = sourceCell('', routeFile, now);
  const kept = routeFile.state === 'stale' ? ': the last version that could be used stays in force' : '';
  return [
    `${paint('heading', 'Sluice')} ${printable(version)}, up ${since(startedAt, now)}`,
    `route file      ${printable(routeFile.path)}: ${paint(tone, text)}${kept}`,
    `configuration   ${inForce}`,
  ].join('\n');
}

function since(moment: string, now: number): string {
  return formatAge(now - Date.parse(moment));
}

function sourceOf({ source }: ServiceStatus, now: number): Cell {
  return sourceCell(source.kind === 'static' ? 'static: ' : `${source.kind} ${source.target}: `, source, now);
}

function sourceCell(
  target: string,
  source: Pick<Status['routeFile'], 'state' | 'since'>,
  now: number,
): { readonly text: string; readonly tone: Tone } {
  switch (source.state) {
    case 'ready':
      return { text: `${target}ready`, tone: 'good' };
    case 'stale': {
      const age = source.since === undefined ? '' : ` for ${since(source.since, now)}`;
      return { text: `${target}stale${age}`, tone: 'doubtful' };
    }
    case 'pending':
      return { text: `${target}pending`, tone: 'bad' };
  }
}

function nodeRow(node: NodeStatus, now: number): readonly Cell[] {
  return [node.id, node.userAgent, since(node.connectedSince, now), node.peer, configurationCell(node)];
}

function configurationCell({ types }: NodeStatus): Cell {
  const named = (status: string) => types.filter((type) => type.status === status).map(({ type }) => type);
  const nacked = named('nacked');
  const pending = named('pending');
  if (nacked.length > 0) return { text: `refused: ${nacked.join(', ')}`, tone: 'bad' };
  if (pending.length > 0) return { text: `pending: ${pending.join(', ')}`, tone: 'doubtful' };
  return types.length === 0 ? { text: 'asks for nothing', tone: 'doubtful' } : { text: 'in sync', tone: 'good' };
}

function problemLines(problems: readonly Problem[], paint: Paint): readonly string[] {
  return problems.map((problem) =>
    paint(problem.severity === 'error' ? 'bad' : 'doubtful', printable(formatProblem(problem))),
  );
}
