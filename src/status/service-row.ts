import type { Quantiles } from '../telemetry/histogram.ts';
import type { LimitedStatus, ServiceStatus } from './status.ts';
import type { Cell } from './table.ts';

/** What stands over the columns of `serviceRow`. */
export const SERVICE_HEADING = [
  'SERVICE',
  'LIMIT',
  'PODS',
  'IN USE',
  'WAITING',
  'OLDEST',
  'REFUSED',
  'WAIT P50/P99',
  'WORK P50/P99',
] as const;

/** What is not known. */
const UNKNOWN = '?';
/** What there is none of. */
const NONE = '-';

/** A service in one line, without its source: its pods, who waits, how long, and how the last minute was. */
export function serviceRow(service: ServiceStatus): readonly Cell[] {
  if (service.kind === 'balanced') return [service.name, NONE, podsCell(service), NONE, NONE, NONE, NONE, NONE, NONE];
  const { traffic } = service;
  return [
    service.name,
    String(service.limit),
    podsCell(service),
    // `3/4` of the slots.
    `${service.inUse ?? UNKNOWN}/${service.slots}`,
    waitingCell(service),
    oldestCell(service),
    refusedCell(service),
    quantiles(traffic?.lastMinute.waitMs),
    quantiles(traffic?.lastMinute.workMs),
  ];
}

/** A short length of time in the unit that suits it: `3 ms`, `2.1 s`, `4.0 min`, `3.5 h`. */
export function formatShort(ms: number): string {
  if (ms < 999.5) return `${ms < 9.95 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  return seconds < 5940 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** `3 ready`, or `2/3 ready` where some are not. */
function podsCell(service: ServiceStatus): Cell {
  const { pods, active } = service;
  const paused = service.kind === 'limited' ? service.paused : undefined;
  if (!active) return { text: 'not active yet', tone: 'doubtful' };
  if (paused !== undefined) return { text: 'paused', tone: 'bad' };
  const ready = pods.filter(({ state }) => state === 'ready').length;
  const isOut = pods.some(({ state }) => state !== 'ready' && state !== 'draining');
  const text = ready === pods.length ? `${ready} ready` : `${ready}/${pods.length} ready`;
  return { text, tone: ready === 0 ? 'bad' : isOut ? 'doubtful' : 'good' };
}

/** `3/100` of the places in the queue. */
function waitingCell({ waiting, queue }: LimitedStatus): Cell {
  const text = `${waiting ?? UNKNOWN}/${queue.max}`;
  if (waiting === undefined || waiting === 0) return text;
  return { text, tone: waiting >= queue.max ? 'bad' : 'doubtful' };
}

function oldestCell({ oldestWaitMs, waiting }: LimitedStatus): Cell {
  if (oldestWaitMs !== undefined) return { text: formatShort(oldestWaitMs), tone: 'doubtful' };
  return waiting === undefined ? UNKNOWN : NONE;
}

/** In the last minute. */
function refusedCell({ traffic, inUse }: LimitedStatus): Cell {
  if (inUse === undefined) return UNKNOWN;
  const refused = traffic?.lastMinute.refused ?? 0;
  return refused === 0 ? '0' : { text: String(refused), tone: 'bad' };
}

function quantiles(of: Quantiles | undefined): string {
  return of === undefined ? NONE : `${formatShort(of.p50)} / ${formatShort(of.p99)}`;
}
