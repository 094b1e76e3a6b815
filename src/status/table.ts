/** How a piece of text is shown; plain text is left as it is. */
export type Tone = 'good' | 'doubtful' | 'bad' | 'heading' | 'quiet';

/** Colours `text` for a terminal, or returns it as it is. */
export type Paint = (tone: Tone, text: string) => string;

/** A cell of a table: its text, and its tone if it has one. */
export type Cell = string | { readonly text: string; readonly tone: Tone };

/** Between two columns. */
const GAP = '   ';

/**
 * Rows below a heading, columns aligned. Each column is as wide as its widest cell; nothing is cut off, since a name that
 * is cut cannot be copied.
 */
export function table(heading: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string {
  const head = heading.map((text): Cell => ({ text, tone: 'heading' }));
  const all = [head, ...rows].map((row) => row.map(cleaned));
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.text.length ?? 0)));
  return all
    .map((row) => {
      const cells = row.map(({ text, tone }, column) => {
        const last = column === row.length - 1;
        // Padded before it is painted: colour codes have no width on the screen.
        const padded = last ? text : text.padEnd(widths[column] ?? 0);
        return tone === undefined ? padded : paint(tone, padded);
      });
      return cells.join(GAP).trimEnd();
    })
    .join('\n');
}

function cleaned(cell: Cell): { readonly text: string; readonly tone: Tone | undefined } {
  if (typeof cell === 'string') return { text: printable(cell), tone: undefined };
  return { text: printable(cell.text), tone: cell.tone };
}

/** One line without control characters: what other programs say must not steer the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/\p{Cc}/gu, '\u{fffd}');
}
