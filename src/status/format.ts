import { formatProblem, type Problem } from '../model/problem.ts';
import { type Sort, sortServices } from './order.ts';
import { SERVICE_HEADING, serviceRow } from './service-row.ts';
import type { NodeStatus, ServiceStatus, Status } from './status.ts';
import { type Cell, type Paint, printable, type Tone, table } from './table.ts';

/** How the status is shown. */
export interface FormatOptions {
  readonly paint: Paint;
  /** Columns of the terminal; undefined: as wide as it gets. */
  readonly width?: number | undefined;
  /** Rows of the terminal: services that do not fit are counted, and what matters comes first. */
  readonly height?: number | undefined;
  readonly sort: Sort;
}

/** Columns that are left out first where a terminal is too narrow. */
const DROP_OF_SERVICE = ['SOURCE', 'LIMIT', 'WORK P50/P99', 'WAIT P50/P99', 'REFUSED'];
const DROP_OF_NODE = ['FROM', 'VERSION', 'UP'];

/** The status for a person to read: a line per service, a line per Envoy, the problems. */
export function formatStatus(status: Status, options: FormatOptions): string {
  const { paint, height } = options;
  const now = Date.parse(status.at);
  const top = overview(status, now, paint);
  const envoys = joinedParts([envoyLines(status, now, options), ...memberLines(status, now, paint)]);
  const problems = status.problems.length === 0 ? [] : [problemBlock(status.problems, paint)];
  if (height === undefined) return joined([top, serviceLines(status, now, options), envoys, ...problems]);
  const taken = [top, envoys, ...problems].reduce((sum, part) => sum + part.split('\n').length + 1, 0);
  // The heading, the note below, and the line that the cursor stands in.
  const room = Math.max(3, height - taken - 4);
  return joined([top, ...problems, serviceLines(status, now, { ...options, height: room }), envoys]);
}

function joined(parts: readonly string[]): string {
  return `${joinedParts(parts)}\n`;
}

function joinedParts(parts: readonly string[]): string {
  return parts.join('\n\n');
}

function serviceLines({ services }: Status, now: number, { paint, width, height, sort }: FormatOptions): string {
  if (services.length === 0) return paint('quiet', 'no services');
  const shown = sortServices(services, sort).slice(0, height);
  const rows = shown.map((service) => [...serviceRow(service), sourceOf(service, now)]);
  const fit = width === undefined ? undefined : { width, drop: DROP_OF_SERVICE };
  const more = services.length - shown.length;
  const notes = [
    ...(more > 0 ? [`${more} more ${more === 1 ? 'service' : 'services'}.`] : []),
    'Refused, wait and work are of the last minute.',
  ];
  return [table([...SERVICE_HEADING, 'SOURCE'], rows, paint, fit), paint('quiet', notes.join(' '))].join('\n');
}

function envoyLines({ nodes }: Status, now: number, { paint, width }: FormatOptions): string {
  if (nodes.length === 0) return paint('doubtful', 'no Envoy is connected');
  const fit = width === undefined ? undefined : { width, drop: DROP_OF_NODE };
  const rows = nodes.map((node) => nodeRow(node, now));
  return table(['ENVOY', 'VERSION', 'UP', 'FROM', 'CONFIGURATION', 'QUEUE FILTER'], rows, paint, fit);
}

function problemBlock(problems: readonly Problem[], paint: Paint): string {
  return [paint('heading', 'PROBLEMS'), ...problemLines(problems, paint)].join('\n');
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
  const active =
    configuration === undefined
      ? paint('bad', 'none yet')
      : `${printable(configuration.version)}, published ${since(configuration.publishedAt, now)} ago`;
  const { text, tone } = sourceCell('', routeFile, now);
  const kept = routeFile.state === 'stale' ? ': the last version that could be used stays active' : '';
  return [
    `${paint('heading', 'Sluice')} ${printable(version)}, up ${since(startedAt, now)}`,
    `route file      ${printable(routeFile.path)}: ${paint(tone, text)}${kept}`,
    `configuration   ${active}`,
    ...sharingLines(status, now, paint),
  ].join('\n');
}

/** Who coordinates the slots that Envoys share. */
function sharingLines({ sharing, follows }: Status, now: number, paint: Paint): readonly string[] {
  if (follows !== undefined) {
    const { coordinator, name, state, since: from } = follows;
    if (coordinator === undefined) return [`slots           ${paint('bad', 'nobody is known to coordinate them')}`];
    const age = from === undefined ? '' : ` for ${since(from, now)}`;
    const tone = state === 'away' ? 'bad' : 'good';
    const called = name === undefined ? '' : ` (${printable(name)})`;
    return [`slots           shared; follows ${printable(coordinator)}${called}, ${paint(tone, `${state}${age}`)}`];
  }
  if (sharing === undefined) return [];
  const { members, term, reclaimMs } = sharing;
  const vias = [...new Set(members.flatMap(({ via }) => via ?? []))].map(printable);
  const others = vias.length === 0 ? '' : `, some by ${vias.join(', ')}`;
  const away = members.filter(({ state }) => state === 'away').length;
  const missing = away === 0 ? '' : `, ${paint('bad', `${away} away`)}`;
  const reclaimed =
    reclaimMs === undefined
      ? ''
      : `; ${formatAge(reclaimMs)} after it is away others get its slots, whether it runs or not`;
  return [
    `slots           shared by ${members.length} queue filter${members.length === 1 ? '' : 's'}${missing}${others}; this Sluice coordinates, term ${term}${reclaimed}`,
  ];
}

/** The queue filters that share slots: those of other Sluices, and those that are away, are in no other table. */
function memberLines({ sharing }: Status, now: number, paint: Paint): readonly string[] {
  if (sharing === undefined) return [];
  const rows = sharing.members.map(({ node, state, via, since: from }): readonly Cell[] => [
    node,
    {
      text: from === undefined ? state : `${state} for ${since(from, now)}`,
      tone: state === 'connected' ? 'good' : state === 'joining' ? 'doubtful' : 'bad',
    },
    via ?? 'this Sluice',
  ]);
  return [table(['SHARES SLOTS', 'STATE', 'BY'], rows, paint)];
}

/** How long ago a moment was. */
export function since(moment: string, now: number): string {
  return formatAge(now - Date.parse(moment));
}

/** Where a service's pods come from, and whether that is up to date. */
export function sourceOf({ source }: ServiceStatus, now: number): Cell {
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
  return [
    node.id,
    node.userAgent,
    since(node.connectedSince, now),
    node.peer,
    configurationCell(node),
    filterCell(node, now),
  ];
}

function filterCell({ filter }: NodeStatus, now: number): Cell {
  switch (filter?.state) {
    case undefined:
      return '-';
    case 'connected':
      return { text: 'connected', tone: 'good' };
    case 'disconnected': {
      const lost = filter.members.flatMap(({ lostAt }) => (lostAt === undefined ? [] : [lostAt])).sort();
      const last = lost.at(-1);
      return { text: last === undefined ? 'not connected' : `lost ${since(last, now)} ago`, tone: 'bad' };
    }
    case 'off':
      return { text: 'off', tone: 'doubtful' };
    case 'rejected':
      return { text: 'rejected', tone: 'bad' };
  }
}

function configurationCell({ types }: NodeStatus): Cell {
  const named = (status: string) => types.filter((type) => type.status === status).map(({ type }) => type);
  const rejected = named('rejected');
  const pending = named('pending');
  if (rejected.length > 0) return { text: `rejected: ${rejected.join(', ')}`, tone: 'bad' };
  if (pending.length > 0) return { text: `pending: ${pending.join(', ')}`, tone: 'doubtful' };
  return types.length === 0 ? { text: 'asks for nothing', tone: 'doubtful' } : { text: 'in sync', tone: 'good' };
}

/** A line for each. */
export function problemLines(problems: readonly Problem[], paint: Paint): readonly string[] {
  return problems.map((problem) =>
    paint(problem.severity === 'error' ? 'bad' : 'doubtful', printable(formatProblem(problem))),
  );
}
