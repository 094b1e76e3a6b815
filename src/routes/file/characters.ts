import type { Problem } from '../../model/problem.ts';

/** A character that looks like one that YAML means something by, or like none at all. */
interface LookAlike {
  readonly name: string;
  /** What to do about it. */
  readonly fix: string;
}

const space = (name: string): LookAlike => ({ name, fix: 'write a plain space' });
const nothing = (name: string): LookAlike => ({ name, fix: 'remove it' });
const sign = (name: string, plain: string): LookAlike => ({ name, fix: `write ${plain}` });

/** Input methods, word processors and web pages leave these behind. */
const LOOK_ALIKES: ReadonlyMap<string, LookAlike> = new Map([
  ['\u00a0', space('a no-break space')],
  ['\u2007', space('a figure space')],
  ['\u202f', space('a narrow no-break space')],
  ['\u3000', space('an ideographic space')],
  ['\u2002', space('an en space')],
  ['\u2003', space('an em space')],
  ['\u2009', space('a thin space')],
  ['\ufeff', nothing('a byte order mark')],
  ['\u200b', nothing('a zero-width space')],
  ['\u200c', nothing('a zero-width non-joiner')],
  ['\u200d', nothing('a zero-width joiner')],
  ['\u2060', nothing('a word joiner')],
  ['\u00ad', nothing('a soft hyphen')],
  ['\u2028', sign('a line separator', 'an ordinary line end')],
  ['\u2029', sign('a paragraph separator', 'an ordinary line end')],
  ['\u0085', sign('a next-line character', 'an ordinary line end')],
  ['\uff1a', sign('a full-width colon', '":"')],
  ['\ufe55', sign('a small colon', '":"')],
  ['\uff0c', sign('a full-width comma', '","')],
  ['\u3001', sign('an ideographic comma', '","')],
  ['\uff1b', sign('a full-width semicolon', '","')],
  ['\uff0d', sign('a full-width hyphen', '"-"')],
  ['\u2010', sign('a typographic hyphen', '"-"')],
  ['\u2011', sign('a no-break hyphen', '"-"')],
  ['\u2013', sign('an en dash', '"-"')],
  ['\u2014', sign('an em dash', '"-"')],
  ['\u2212', sign('a minus sign', '"-"')],
  ['\u201c', sign('a curly quotation mark', 'a straight one')],
  ['\u201d', sign('a curly quotation mark', 'a straight one')],
  ['\u201e', sign('a curly quotation mark', 'a straight one')],
  ['\u2018', sign('a curly quotation mark', 'a straight one')],
  ['\u2019', sign('a curly quotation mark', 'a straight one')],
  ['\u00ab', sign('an angled quotation mark', 'a straight one')],
  ['\u00bb', sign('an angled quotation mark', 'a straight one')],
  ['\uff02', sign('a full-width quotation mark', 'a straight one')],
  ['\uff07', sign('a full-width quotation mark', 'a straight one')],
  ['\uff3b', sign('a full-width bracket', '"["')],
  ['\uff3d', sign('a full-width bracket', '"]"')],
  ['\u3010', sign('a full-width bracket', '"["')],
  ['\u3011', sign('a full-width bracket', '"]"')],
  ['\uff5b', sign('a full-width brace', '"{"')],
  ['\uff5d', sign('a full-width brace', '"}"')],
  ['\uff0f', sign('a full-width slash', '"/"')],
  ['\uff0e', sign('a full-width full stop', '"."')],
  ['\uff0a', sign('a full-width asterisk', '"*"')],
  ['\uff03', sign('a full-width number sign', '"#"')],
  ['\uff04', sign('a full-width dollar sign', '"$"')],
  ...Array.from({ length: 10 }, (_, digit): [string, LookAlike] => [
    String.fromCodePoint(0xff10 + digit),
    sign('a full-width digit', `"${digit}"`),
  ]),
]);

/** Invisible, and never meant. Tabs and line ends are not among them. */
function isControl(character: string): boolean {
  return (character < ' ' && !'\t\n\r'.includes(character)) || character === '\u007f';
}

/** Where in a line such a character is, and what to do about it. */
interface Found {
  /** Counted from 1. */
  readonly column: number;
  readonly advice: string;
}

/** The first character of a line that is not what it looks like; comments are left alone. */
function findLookAlike(line: string): Found | undefined {
  const content = line.replace(/(^|\s)#.*$/, '$1');
  for (const [index, character] of [...content].entries()) {
    const known = LOOK_ALIKES.get(character) ?? (isControl(character) ? nothing('a control character') : undefined);
    if (known === undefined) continue;
    const code = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
    const column = index + 1;
    return { column, advice: `in column ${column} is ${known.name} (${code}): ${known.fix}` };
  }
  return undefined;
}

/** Whether a value begins or ends with such a character: then it is hardly meant to be part of it. */
export function lookAlikeAtEdge(value: string): string | undefined {
  for (const character of [value.at(0), value.at(-1)]) {
    const known = character === undefined ? undefined : LOOK_ALIKES.get(character);
    if (known !== undefined) return `${known.name} is part of this value`;
  }
  return undefined;
}

/**
 * Adds to what is wrong that a character of the line, or of the one above (where a mistake of syntax often begins), is not
 * what it looks like: it is hardly ever seen, and mostly the cause. Each such character is told once.
 */
export function nameLookAlikes(problems: readonly Problem[], text: string): readonly Problem[] {
  const lines = text.split(/\r\n|\n|\r/);
  const told = new Set<string>();
  const placeOf = ({ position }: Problem) => `${position?.line}:${position?.column}`;
  const wrong = new Set(problems.filter(({ severity }) => severity === 'error').map(placeOf));
  return problems.flatMap((problem): readonly Problem[] => {
    const { severity, position, path } = problem;
    if (severity === 'warning') return wrong.has(placeOf(problem)) ? [] : [problem];
    if (position === undefined) return [problem];
    const rows = path === undefined ? [position.line, position.line - 1] : [position.line];
    for (const row of rows) {
      const found = findLookAlike(lines[row - 1] ?? '');
      if (found === undefined) continue;
      const place = `${row}:${found.column}`;
      if (told.has(place)) return [];
      told.add(place);
      const where = row === position.line ? '' : `on line ${row} `;
      return [{ ...problem, fix: `${where}${found.advice}` }];
    }
    return [problem];
  });
}
