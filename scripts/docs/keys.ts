import type { KeyReference } from '../../src/routes/file/reference.ts';

/** Keys of one map, with what is said of the map itself. */
interface Group {
  /** `services.<name>.queue`; empty for the top of the file. */
  readonly path: string;
  readonly map: KeyReference | undefined;
  readonly keys: readonly KeyReference[];
}

/** The keys of a route file as Markdown: a section for each map, a row for each key of it. */
export function keysMarkdown(rows: readonly KeyReference[], top: string): string {
  const groups = groupByMap(rows);
  const sections = groups.map(({ path, map, keys }) =>
    [
      `### ${path === '' ? top : `\`${path}\``}`,
      ...(map === undefined ? [] : [mapText(map)]),
      [
        '| key | value | left out | meaning |',
        '| --- | --- | --- | --- |',
        ...keys.map((key) => row(key, groups)),
      ].join('\n'),
    ].join('\n\n'),
  );
  return sections.join('\n\n');
}

function groupByMap(rows: readonly KeyReference[]): readonly Group[] {
  const parents = [...new Set(rows.map(({ path }) => parentOf(path)))];
  return parents.map((path) => ({
    path,
    // `services.<name>` and `routes[]` are what the keys `services` and `routes` have many of.
    map: rows.find((candidate) => candidate.path === path.replace(/(\[\]|\.<\w+>)$/, '')),
    keys: rows.filter((candidate) => parentOf(candidate.path) === path),
  }));
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}

function mapText({ description, required, fallback, example, path }: KeyReference): string {
  const name = path.slice(path.lastIndexOf('.') + 1);
  const without = required ? 'Required.' : fallback === undefined ? '' : `Left out: ${fallback.text}.`;
  const sentence = description.endsWith('.') ? description : `${description}.`;
  const shown = example === '{}' || example === '[]' ? '' : `\`\`\`yaml\n${name}: ${example}\n\`\`\``;
  return [[sentence, without].filter(Boolean).join(' '), shown].filter(Boolean).join('\n\n');
}

function row(
  { path, value, example, required, fallback, description }: KeyReference,
  groups: readonly Group[],
): string {
  const name = `\`${path.slice(path.lastIndexOf('.') + 1)}\``;
  const section = groups.find(({ map }) => map?.path === path);
  const key = section === undefined ? name : `[${name}](#${slug(section.path)})`;
  const such = section !== undefined || value.includes('such as') ? value : `${value}: \`${example}\``;
  return `| ${[key, such, leftOut(required, fallback), description].map(cell).join(' | ')} |`;
}

function leftOut(required: boolean, fallback: KeyReference['fallback']): string {
  if (required) return '**required**';
  if (fallback === undefined) return '';
  return fallback.kind === 'value' ? `\`${fallback.text}\`` : fallback.text;
}

/** A text inside a table: what would end its cell is escaped, and `<name>` outside of code would be an HTML tag. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/(`[^`]*`)|</g, (found, code) => code ?? (found === '<' ? '&lt;' : found));
}

/** The anchor GitHub gives a heading. */
export function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-');
}
