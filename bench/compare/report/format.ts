import type { MedianOf } from './statistics.ts';

/** Milliseconds with as many digits as mean something. */
export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (Math.abs(value) < 10) return value.toFixed(2);
  return Math.abs(value) < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** A share as percent; a dash for none, and never 0 % for what is more than nothing. */
export function percent(share: number | undefined): string {
  if (share === undefined || !Number.isFinite(share)) return '–';
  if (share === 0) return '0';
  const value = share * 100;
  return value < 0.1 ? '< 0.1 %' : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} %`;
}

/** A multiple: 1.04 ×. */
export function times(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '–' : `${value.toFixed(2)} ×`;
}

/** The median, and the range in brackets when there was more than one run. */
export function withRange(value: MedianOf | undefined, format: (value: number) => string): string {
  if (value === undefined) return '–';
  const { median, least, most } = value;
  return least === most ? format(median) : `${format(median)} (${format(least)}–${format(most)})`;
}

/** A Markdown table: the first column and those with several lines to the left, figures to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    line(head.map((_, index) => (index === 0 || rows.some((row) => row[index]?.includes('<br>')) ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n');
}
