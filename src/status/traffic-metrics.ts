import type { Counts } from '../slots/events.ts';
import { BOUNDS_MS } from '../telemetry/histogram.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { countsOf, durationsOf, noTotals, type Totals } from '../telemetry/totals.ts';
import { exposition, type Family, histogram, label, series } from './exposition.ts';

/** 1, 2 and 5 times each power of ten from 5 ms to 14 hours: every service has a series of each. */
const SHOWN = BOUNDS_MS.flatMap((end, place) =>
  end >= 5 && end <= 50_000_000 && /^[125]0*$/.test(String(end)) ? [[place, String(end / 1000)] as const] : [],
);

/** How requests end, as the metrics call it. */
const OUTCOMES: readonly (readonly [outcome: string, name: keyof Counts])[] = [
  ['answered', 'answered'],
  ['failed', 'failed'],
  ['refused', 'refused'],
  ['wait_timeout', 'waitTimeouts'],
  ['work_timeout', 'workTimeouts'],
  ['abandoned_waiting', 'abandonedWaiting'],
  ['abandoned_working', 'abandonedWorking'],
  ['unserved', 'unserved'],
  ['deadline', 'deadlines'],
];

/** Counters and histograms of the requests of these services, in Prometheus' text format. */
export function trafficMetrics(telemetry: Pick<Telemetry, 'totals'>, services: readonly string[]): string {
  // All are there from the start: a rate sees the first request too.
  const all = services.map((name) => [label('service', name), telemetry.totals(name) ?? NONE] as const);
  const each = all.map(([service, totals]) => [service, countsOf(totals)] as const);
  const counter = (name: string, help: string, of: keyof Counts): Family => ({
    name,
    type: 'counter',
    help,
    lines: each.map(([service, counts]) => series(name, service, counts[of])),
  });
  return exposition([
    counter('sluice_requests_arrived_total', 'Requests that came.', 'arrived'),
    {
      name: 'sluice_requests_total',
      type: 'counter',
      help: 'Requests that ended, by outcome: answered (a status below 500), failed (500 and above), refused (the queue was full), wait_timeout (queue.timeout), work_timeout (timeout.request), abandoned_waiting and abandoned_working (their client left), unserved (503 by the queue filter itself), deadline (their own, before they had a slot).',
      lines: each.flatMap(([service, counts]) =>
        OUTCOMES.map(([outcome, of]) =>
          series('sluice_requests_total', `${service},${label('outcome', outcome)}`, counts[of]),
        ),
      ),
    },
    counter('sluice_requests_retried_total', 'Requests that went to another pod than the first one.', 'retried'),
    counter('sluice_pod_ejections_total', 'How often a pod was ejected for how it answered.', 'ejections'),
    durations('wait', 'Time from the arrival of a request until it got its slot.', all),
    durations('work', 'Time from the slot to the end of the answer.', all),
  ]);
}

const NONE = noTotals();

function durations(what: 'wait' | 'work', help: string, all: readonly (readonly [string, Totals])[]): Family {
  const name = `sluice_${what}_seconds`;
  const lines = all.flatMap(([service, totals]) => {
    const { buckets, sumMs } = durationsOf(totals, what);
    // Services that nobody asks for anything would be most of all series.
    if (buckets.every((count) => count === 0)) return [];
    return histogram(name, service, { ends: BOUNDS_MS, counts: buckets, sum: sumMs / 1000, shown: SHOWN });
  });
  return { name, type: 'histogram', help, lines };
}
