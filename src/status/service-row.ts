import type { Quantiles } from '../telemetry/durations.ts';
import type { ServiceStatus } from './status.ts';
import type { Cell } from './table.ts';

/** What stands over the columns of `serviceRow`. */
export const SERVICE_HEADING = [
  'SERVICE',
  'KIND',
  'PODS',
  'IN USE',
  'WAITING',
  'OLDEST WAIT',
  'REFUSED',
  'WAIT P50/P99',
  'WORK P50/P99',
] as const;

/** What is not known. */
const UNKNOWN = '?';
/** What there is none of. */
const NONE = '-';

/** A service in one line, without its source: who works, who waits, how long, and how the last minute was. */
export function serviceRow(service: ServiceStatus): readonly Cell[] {
  const { traffic } = service;
  return [
    service.name,
    service.kind === 'limited' ? `limit ${service.limit}` : service.balance,
    podsCell(service),
    inUseCell(service),
    waitingCell(service),
    oldestCell(service),
    refusedCell(service),
    traffic === undefined ? UNKNOWN : quantiles(traffic.lastMinute.waitMs),
    traffic === undefined ? UNKNOWN : quantiles(traffic.lastMinute.workMs),
  ];
}

/** A short length of time in the unit that suits it: `3 ms`, `2.1 s`, `4.0 min`. */
export function formatShort(ms: number): string {
  if (ms < 999.5) return `${ms < 9.95 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  return seconds < 99.95 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}

function podsCell({ pods, inForce, ejected = 0 }: ServiceStatus): Cell {
  if (!inForce) return { text: 'not in force yet', tone: 'doubtful' };
  const ready = pods.filter(({ state }) => state === 'ready').length;
  const draining = pods.length - ready;
  const parts = [
    `${ready} ready`,
    ...(draining === 0 ? [] : [`${draining} draining`]),
    ...(ejected === 0 ? [] : [`${ejected} ejected`]),
  ];
  const tone = ready === 0 || ejected >= ready ? 'bad' : parts.length > 1 ? 'doubtful' : 'good';
  return { text: parts.join(', '), tone };
}

/** `3/4` of the slots; without a report what there is of it. */
function inUseCell(service: ServiceStatus): Cell {
  const { requestsInProgress } = service;
  const known = requestsInProgress === undefined ? UNKNOWN : String(requestsInProgress);
  return service.kind === 'limited' ? `${known}/${service.slots}` : known;
}

/** `3/100` of the places in the line. */
function waitingCell(service: ServiceStatus): Cell {
  if (service.kind !== 'limited') return NONE;
  const { waiting, queue } = service;
  if (waiting === undefined) return `${UNKNOWN}/${queue.max}`;
  const text = `${waiting}/${queue.max}`;
  if (waiting === 0) return text;
  return { text, tone: waiting >= queue.max ? 'bad' : 'doubtful' };
}

function oldestCell({ kind, oldestWaitMs, waiting, traffic }: ServiceStatus): Cell {
  if (oldestWaitMs !== undefined) return { text: formatShort(oldestWaitMs), tone: 'doubtful' };
  if (kind !== 'limited' || waiting === 0) return NONE;
  if (traffic === undefined) return UNKNOWN;
  // Envoy tells of whoever has waited for a second, and what it tells is on its way for a moment.
  return waiting === undefined ? NONE : '< 2 s';
}

/** In the last minute. */
function refusedCell({ traffic }: ServiceStatus): Cell {
  if (traffic === undefined) return UNKNOWN;
  const { refused } = traffic.lastMinute;
  return refused === 0 ? '0' : { text: String(refused), tone: 'bad' };
}

function quantiles(of: Quantiles | undefined): string {
  return of === undefined ? NONE : `${formatShort(of.p50)} / ${formatShort(of.p99)}`;
}
