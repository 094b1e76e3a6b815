import { sharedText } from './describe-sharing.ts';
import { formatAge, problemLines, since, sourceOf } from './format.ts';
import { formatShort, SERVICE_HEADING, serviceRow } from './service-row.ts';
import type { LimitedStatus, PodStatus, RouteStatus, ServiceStatus, Status } from './status.ts';
import { type Cell, type Paint, printable, table } from './table.ts';

/** More of them are in the log and on the page. */
const MOST_EVENTS = 10;

/** One service for a person to read: its numbers, pods, routes, problems and recent events. */
export function formatService(status: Status, service: ServiceStatus, paint: Paint): string {
  const now = Date.parse(status.at);
  const routes = status.routes.filter(({ services }) => services.includes(service.name));
  const problems = [
    ...service.source.problems,
    ...status.problems.filter(({ subject, path }) => isAbout(service, subject, path)),
  ];
  const events = status.events.filter((event) => event.service === service.name).slice(0, MOST_EVENTS);
  const parts = [
    table([...SERVICE_HEADING], [serviceRow(service)], paint, { width: 80, drop: ['LIMIT'] }),
    [...facts(service), ['pods from', textOf(sourceOf(service, now))] as const]
      .map(([name, text]) => `${name.padEnd(12)}  ${printable(text)}`)
      .join('\n'),
    ...classTable(service, paint),
    ...tenantTable(service, paint),
    podTable(service, now, paint),
    ...(routes.length === 0 ? [] : [block('ROUTES', routes.map(routeText), paint)]),
    ...(problems.length === 0 ? [] : [[paint('heading', 'PROBLEMS'), ...problemLines(problems, paint)].join('\n')]),
    ...(events.length === 0
      ? []
      : [
          block(
            'EVENTS',
            events.map(({ at, pod, message }) => `${since(at, now)} ago  ${[pod, message].filter(Boolean).join(' ')}`),
            paint,
          ),
        ]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function isAbout({ name }: ServiceStatus, subject: string, path: string | undefined): boolean {
  return subject === `service ${name}` || path === `services.${name}` || path?.startsWith(`services.${name}.`) === true;
}

function block(title: string, lines: readonly string[], paint: Paint): string {
  return [paint('heading', title), ...lines.map(printable)].join('\n');
}

function facts(service: ServiceStatus): readonly (readonly [string, string])[] {
  if (service.kind === 'balanced')
    return [
      ['balance', service.balance.replaceAll('_', ' ')],
      ['in flight', `at most ${service.maxRequests}, counted by Envoy alone`],
    ];
  const { limit, queue, expectedWaitMs, coming, jobs, desiredPods, oldSince, paused } = service;
  const longest = queue.timeoutMs === 0 ? 'as long as it takes' : `for at most ${formatShort(queue.timeoutMs)}`;
  return [
    ...(paused === undefined ? [] : [['paused', `by ${paused.by}, ${paused.at}`] as const]),
    ['limit', `${limit} a pod, ${service.slots} ${service.slots === 1 ? 'slot' : 'slots'} now`],
    ...sharedFact(service),
    ['queue', `at most ${queue.max} wait, ${longest}`],
    ...(expectedWaitMs === undefined
      ? []
      : [['expected', `a request that comes now waits for about ${formatShort(expectedWaitMs)}`] as const]),
    ...(jobs === undefined ? [] : [['jobs', `${jobs} in use go on without their requests`] as const]),
    ...(coming === undefined ? [] : [['coming', `${coming} more, whose bodies are on their way`] as const]),
    ...(desiredPods === undefined
      ? []
      : [['wanted', `${desiredPods} ${desiredPods === 1 ? 'pod' : 'pods'} would serve all at once`] as const]),
    ...minute(service),
    ...(oldSince === undefined ? [] : [['numbers', `of ${oldSince}: the queue filter is not connected`] as const]),
  ];
}

function sharedFact({ shared }: LimitedStatus): readonly (readonly [string, string])[] {
  if (shared === undefined) return [];
  return [['held by', sharedText(shared)]];
}

function classTable(service: ServiceStatus, paint: Paint): readonly string[] {
  if (service.kind !== 'limited' || service.classes === undefined) return [];
  const rows = service.classes.map(({ name, waiting, started, waitedMs }) => [
    name,
    String(waiting ?? '?'),
    String(started ?? '?'),
    started === undefined || started === 0 ? '-' : formatShort((waitedMs ?? 0) / started),
  ]);
  return [table(['CLASS', 'WAITING', 'STARTED', 'MEAN WAIT'], rows, paint)];
}

function tenantTable(service: ServiceStatus, paint: Paint): readonly string[] {
  if (service.kind !== 'limited' || service.tenants === undefined || service.tenants.busy === 0) return [];
  const { busy, most } = service.tenants;
  const rows = most.map(({ name, waiting, inUse }) => [printable(name), String(waiting), String(inUse)]);
  const rest = busy > most.length ? [paint('quiet', `and ${busy - most.length} more tenants`)] : [];
  return [[table(['TENANT', 'WAITING', 'IN USE'], rows, paint), ...rest].join('\n')];
}

function minute({ traffic }: LimitedStatus): readonly (readonly [string, string])[] {
  if (traffic === undefined) return [];
  const { lastMinute: last } = traffic;
  const parts = [
    [last.arrived, 'came'],
    [last.answered, 'answered'],
    [last.failed, 'failed'],
    [last.refused, 'refused'],
    [last.waitTimeouts, 'waited too long'],
    [last.workTimeouts, 'worked too long'],
    [last.abandonedWaiting + last.abandonedWorking, 'given up by their client'],
    [last.unserved, 'not served'],
    [last.retried, 'sent to another pod'],
  ] as const;
  const text = parts.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`])).join(', ');
  return [
    ['last minute', text === '' ? 'no request' : text],
    ['at most', `${last.mostInUse} in use and ${last.mostWaiting} waiting at a time`],
  ];
}

function podTable({ pods }: ServiceStatus, now: number, paint: Paint): string {
  if (pods.length === 0) return paint('bad', 'no pods');
  const isNamed = pods.some(({ name }) => name !== undefined);
  return table(
    ['POD', 'STATE', 'IN USE', 'FOR', 'WHY', ...(isNamed ? ['NAME', 'NODE'] : [])],
    pods.map((pod) => [
      pod.address,
      stateCell(pod),
      inUseText(pod),
      pod.since ? since(pod.since, now) : '-',
      why(pod, now),
      ...(isNamed ? [pod.name ?? '-', pod.node ?? '-'] : []),
    ]),
    paint,
  );
}

function stateCell({ state }: PodStatus): Cell {
  const tone = state === 'ready' ? 'good' : state === 'draining' || state === 'trying' ? 'doubtful' : 'bad';
  return { text: state, tone };
}

function inUseText({ inUse, limit }: PodStatus): string {
  return limit === undefined ? '-' : `${inUse ?? '?'}/${limit}`;
}

function why({ reason, ejectedUntil, drained }: PodStatus, now: number): string {
  const again = ejectedUntil === undefined ? '' : `tried again in ${formatAge(Date.parse(ejectedUntil) - now)}`;
  const by = drained === undefined ? '' : `drained by ${drained.by}`;
  return [by, reason, again].filter(Boolean).join(', ') || '-';
}

function routeText({ name, hosts, path, conditions, target }: RouteStatus): string {
  return [`${name}:`, hosts.length === 0 ? 'any host' : hosts.join(' or '), path, ...conditions, `→ ${target}`].join(
    ' ',
  );
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}
