/** What a row of measured cells comes to. */
export interface Kept {
  readonly name: string;
  readonly columns: readonly string[];
  readonly cells: readonly string[];
  /** What it promised and did not keep, in words. */
  readonly broken: readonly string[];
  readonly examples: readonly string[];
}

/** A row for a terminal, with what it promised and did not keep. */
export function keptLine({ name, columns, cells, broken, examples }: Kept): string {
  const text = cells.map((cell, index) => `${columns[index]}: ${cell}`);
  const head = `${broken.length === 0 ? 'kept  ' : 'BROKEN'} ${name.padEnd(20)} ${text.join(' | ')}`;
  const why = broken.length === 0 ? [] : [...broken, ...examples];
  return [head, ...why.map((line) => `         ${line}`)].join('\n');
}

/** Promises that were not kept, as a Markdown table tells them. */
export function brokenText(broken: readonly string[]): string {
  return broken.map((text) => ` **Broken promise: ${text}.**`).join('');
}

/** The lines of a Markdown table. */
export function markdownLines(titles: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
