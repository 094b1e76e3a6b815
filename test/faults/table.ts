import { brokenText, keptLine, markdownLines } from './lines.ts';
import { brokenPromises, type Measured } from './measure.ts';
import type { FaultRow } from './row.ts';

/** A row with what was measured. */
export interface Done {
  readonly row: FaultRow;
  readonly measured: Measured;
}

const COLUMNS = ['over the limit', 'lost', 'wrong', 'cost of the fault itself', 'out of order', 'full use again'];

/** The cells behind a row's name, as text. */
function cells({ measured }: Done): readonly string[] {
  const { over, overByAbort, peak, lost, wrong, explained, overtaken, worstMs, fullUseMs } = measured;
  const cost = Object.entries(explained).map(([kind, count]) => `${count} × ${kind}`);
  return [
    over > 0 ? `${over}, up to ${peak}` : overByAbort > 0 ? `0 (after aborts ${overByAbort}, up to ${peak})` : '0',
    String(lost),
    String(wrong),
    cost.join(', ') || '0',
    overtaken === 0 ? '0' : `${overtaken}, by ${worstMs.toFixed(0)} ms at most`,
    fullUseMs === 0 ? 'at once' : `${fullUseMs} ms`,
  ];
}

/** One row for a terminal, with what it promised and did not keep. */
export function lineOf(done: Done): string {
  const { row, measured } = done;
  const broken = brokenPromises(row, measured);
  return keptLine({ name: row.name, columns: COLUMNS, cells: cells(done), broken, examples: measured.examples });
}

/** All rows as a table for a terminal. */
export function tableOf(all: readonly Done[]): string {
  const lines = [['fault', 'requests', ...COLUMNS], ...all.map((done) => [...head(done), ...cells(done)])];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n');
}

/** All rows as a Markdown table, and a sentence for each. */
export function markdownOf(all: readonly Done[]): string {
  const rows = all.map((done) => {
    const broken = brokenText(brokenPromises(done.row, done.measured));
    return [`${done.row.fault} (\`${done.row.name}\`)${broken}`, ...head(done).slice(1), ...cells(done)];
  });
  const sentences = all.map(({ row }) => `- **${row.fault}**: ${row.user}`);
  const table = markdownLines(['fault', 'requests', ...COLUMNS], rows);
  return [...table, '', '## What a user sees', '', ...sentences].join('\n');
}

function head({ row, measured }: Done): readonly string[] {
  return [row.name, String(measured.requests)];
}
