import type { LoadResult } from '../e2e/kit/load.ts';
import { lostTime } from '../e2e/kit/lost-time.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { fifoOrder, overLimit } from '../e2e/kit/verdict.ts';
import { fullUseAfter } from '../faults/full-use.ts';
import { brokenText, keptLine, markdownLines } from '../faults/lines.ts';
import type { Inflicted, Row } from './rows.ts';
import { LIMIT, type Place, SLOTS } from './world.ts';

/** The cells of one row, all of them measured. */
export interface Measured {
  readonly requests: number;
  /** Moments at which a pod held more than it may. */
  readonly over: number;
  readonly lost: number;
  readonly wrong: number;
  /** Requests without a good answer that the fault explains: of clients of the very Envoy that was killed. */
  readonly explained: number;
  /** Requests that reached a pod after one that was sent later, and by how much at most. */
  readonly overtaken: number;
  readonly worstMs: number;
  /** Slot time that stood free while somebody waited, for each request. */
  readonly lostMs: number;
  /** From the end of the fault until all slots were in full use. */
  readonly fullUseMs: number;
  readonly examples: readonly string[];
}

/** A row with what was measured. */
export interface Done {
  readonly row: Row;
  readonly measured: Measured;
}

/** What a row's run left behind. */
export interface RowRun {
  readonly row: Row;
  readonly results: readonly LoadResult[];
  readonly requests: readonly PodRequest[];
  readonly inflicted: Inflicted;
  readonly placeOf: ReadonlyMap<string, Place>;
}

/** Measures every cell of a row. */
export function measure({ row, results, requests, inflicted, placeOf }: RowRun): Measured {
  const bad = results.filter(({ status }) => status !== 200);
  const isExplained = (result: LoadResult) => {
    const place = placeOf.get(result.id);
    return place !== undefined && inflicted.explains?.(result, place) === true;
  };
  const unexplained = bad.filter((result) => !isExplained(result));
  const lost = unexplained.filter(({ status }) => status === 0);
  const order = fifoOrder(results, requests);
  const over = overLimit(requests, row.mostMeanwhile ?? LIMIT);
  const words = ({ id, status, error = '', body }: LoadResult) => `${id}: ${status} ${error} ${body.slice(0, 120)}`;
  return {
    requests: results.length,
    over: over.times,
    lost: lost.length,
    wrong: unexplained.length - lost.length,
    explained: bad.length - unexplained.length,
    overtaken: order.overtaken,
    worstMs: order.worstMs,
    lostMs: lostTime({ results, requests, limit: row.mostMeanwhile ?? LIMIT, slots: SLOTS }).total / results.length,
    fullUseMs: fullUseAfter({ results, requests, slots: SLOTS, since: inflicted.over }),
    examples: [
      ...unexplained.slice(0, 5).map(words),
      ...over.excesses.slice(0, 5).map(({ pod, at, ms, held }) => `${pod} held ${held} for ${ms} ms at ${at}`),
    ],
  };
}

/** What a row promised and did not keep, in words; empty when it kept everything. */
export function brokenPromises(row: Row, { over, lost, wrong, fullUseMs }: Measured): readonly string[] {
  return [
    ...(over > 0 ? [`pods were over their limit ${over} times`] : []),
    ...(lost > 0 ? [`${lost} requests were lost`] : []),
    ...(wrong > 0 ? [`${wrong} requests were answered wrongly`] : []),
    ...(fullUseMs > row.fullUseMs ? [`full use again after ${fullUseMs} ms, not ${row.fullUseMs} at most`] : []),
  ];
}

const COLUMNS = [
  'over the limit',
  'lost',
  'wrong',
  'errors of the killed Envoy',
  'out of order',
  'slot time lost, ms a request',
  'full use again',
];

function cells({ measured }: Done): readonly string[] {
  const { requests, over, lost, wrong, explained, overtaken, worstMs, lostMs, fullUseMs } = measured;
  return [
    String(over),
    String(lost),
    String(wrong),
    String(explained),
    overtaken === 0 ? '0' : `${((overtaken / requests) * 100).toFixed(0)} %, by ${worstMs.toFixed(0)} ms at most`,
    lostMs.toFixed(2),
    fullUseMs === 0 ? 'at once' : `${fullUseMs} ms`,
  ];
}

/** One row for a terminal, with what it promised and did not keep. */
export function lineOf(done: Done): string {
  const { row, measured } = done;
  const broken = brokenPromises(row, measured);
  return keptLine({ name: row.name, columns: COLUMNS, cells: cells(done), broken, examples: measured.examples });
}

/** All rows as a Markdown table. */
export function markdownOf(all: readonly Done[]): string {
  const rows = all.map((done) => [
    `${done.row.fault}${brokenText(brokenPromises(done.row, done.measured))}`,
    ...cells(done),
  ]);
  return `${markdownLines(['fault', ...COLUMNS], rows).join('\n')}\n`;
}
