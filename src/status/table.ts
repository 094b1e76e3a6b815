/** How a piece of text is shown; plain text is left as it is. */
export type Tone = 'good' | 'doubtful' | 'bad' | 'heading' | 'quiet';

/** Colours `text` for a terminal, or returns it as it is. */
export type Paint = (tone: Tone, text: string) => string;

/** A cell of a table: its text, and its tone if it has one. */
export type Cell = string | { readonly text: string; readonly tone: Tone };

/** How a table is made to fit. */
export interface Fit {
  /** Columns of the terminal. */
  readonly width: number;
  /** Headings of columns that may be left out, the first one first. */
  readonly drop: readonly string[];
}

/** Between two columns. */
const GAP = '  ';

/**
 * Rows below a heading, columns aligned. Each column is as wide as its widest cell; nothing is cut off, since a name that
 * is cut cannot be copied: whole columns are left out instead, as long as the table is too wide.
 */
export function table(heading: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint, fit?: Fit): string {
  const head = heading.map((text): Cell => ({ text, tone: 'heading' }));
  const all = [head, ...rows].map((row) => row.map(cleaned));
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.text.length ?? 0)));
  const columns = shown(heading, widths, fit);
  return all
    .map((row) => {
      const cells = columns.map((column, index) => {
        const { text = '', tone } = row[column] ?? {};
        const isLast = index === columns.length - 1;
        // Padded before it is painted: colour codes have no width on the screen.
        const padded = isLast ? text : text.padEnd(widths[column] ?? 0);
        return tone === undefined ? padded : paint(tone, padded);
      });
      return cells.join(GAP).trimEnd();
    })
    .join('\n');
}

/** The columns that fit, by their places. */
function shown(heading: readonly string[], widths: readonly number[], fit: Fit | undefined): readonly number[] {
  let columns = heading.map((_, column) => column);
  const width = () =>
    columns.reduce((sum, column) => sum + (widths[column] ?? 0), 0) + GAP.length * Math.max(0, columns.length - 1);
  for (const name of fit?.drop ?? []) {
    if (width() <= (fit?.width ?? Number.POSITIVE_INFINITY)) break;
    columns = columns.filter((column) => heading[column] !== name);
  }
  return columns;
}

function cleaned(cell: Cell): { readonly text: string; readonly tone: Tone | undefined } {
  if (typeof cell === 'string') return { text: printable(cell), tone: undefined };
  return { text: printable(cell.text), tone: cell.tone };
}

/** One line without control characters: what other programs say must not steer the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/\p{Cc}/gu, '\u{fffd}');
}
