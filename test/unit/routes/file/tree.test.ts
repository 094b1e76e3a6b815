import { describe, expect, it } from 'vitest';
import { parsed, said, withRoutes, withService } from './kit.ts';

const limited = (value: string) => withService('static: []', `limit: ${value}`);
const limitOf = (text: string, env: Record<string, string> = {}) => {
  const discipline = parsed(text, env).routing.services[0]?.discipline;
  return discipline?.kind === 'limited' ? discipline.limit : undefined;
};

describe('placeholders', () => {
  it.each([
    [`\${LIMIT}`, 2],
    [`\${LIMIT:-5}`, 2],
    [`\${NONE:-5}`, 5],
    [`\${EMPTY:-5}`, 5],
    [`1\${LIMIT}0`, 120],
    [`"\${LIMIT}"`, 2],
  ])('reads limit: %s as %i', (written, limit) => {
    expect(limitOf(limited(written), { LIMIT: '2', EMPTY: '' })).toBe(limit);
  });

  it.each([
    [`\${NONE}`, `the environment variable NONE is not set; set NONE in the environment, or write \${NONE:-default}`],
    [
      `\${toString}`,
      `the environment variable toString is not set; set toString in the environment, or write \${toString:-default}`,
    ],
    [`\${EMPTY}`, 'has no value; write limit: 2'],
    [`\${WORD}`, 'must be a whole number from 1 to 10,000, not "many"; write digits only, such as 2'],
    [
      `\${A-B}`,
      `not a placeholder: "\${A-B}"; write \${NAME} or \${NAME:-default}, not nested, or $\${ for the two characters themselves`,
    ],
    [
      `\${A:-\${B}}`,
      `not a placeholder: "\${A:-\${B}"; write \${NAME} or \${NAME:-default}, not nested, or $\${ for the two characters themselves`,
    ],
    [`\${LIMIT`, `"\${LIMIT" has no closing }; write \${NAME}, or $\${ for the two characters themselves`],
  ])('refuses limit: %s', (written, told1) => {
    expect(said(limited(written), { EMPTY: '', WORD: 'many' })).toEqual([`services.s.limit: ${told1}`]);
  });

  it('tells every one that is not set', () => {
    expect(said(limited(`\${A}\${B}`))).toHaveLength(2);
  });

  it('leaves them alone in comments and when escaped', () => {
    const text = `${withRoutes(`match: {prefix: /, headers: {a: "$\${X}"}}`)}# \${X}\n`;
    const { routes } = parsed(text).routing;
    expect(routes[0]?.match.headers[0]?.value).toEqual({ kind: 'exact', text: `\${X}` });
  });

  it('says that they need quotes inside brackets', () => {
    expect(said(`version: 1\nlisten: {port: \${PORT}}\nroutes: []`, { PORT: '80' })).toEqual([
      `not valid YAML; inside { } and [ ] put a placeholder in quotes: "\${NAME}"`,
    ]);
  });

  it('does not replace within what was replaced', () => {
    const { routes } = parsed(withRoutes(`match: {prefix: /, headers: {a: "\${X}"}}`), { X: `\${Y}` }).routing;
    expect(routes[0]?.match.headers[0]?.value).toEqual({ kind: 'exact', text: `\${Y}` });
  });
});

describe('YAML', () => {
  const head = 'version: 1\nroutes: []\n';

  it('takes a byte order mark, CRLF, aliases and a document start', () => {
    const text = `\uFEFF---\r\nversion: 1\r\nservices:\r\n  a: &a {static: [], limit: 3}\r\n  b: *a\r\nroutes: []\r\n`;
    expect(parsed(text).routing.services.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(said('\uFEFFversion: 1\nrouts: []')).toEqual(['routs: unknown key "routs"; write routes']);
  });

  it.each([
    ['a key twice', `${head}version: 1`, ['version: this key is already on line 1; remove one of the two']],
    [
      'a key twice below',
      'version: 1\nroutes: []\nlisten: {port: 1, port: 2}',
      ['listen.port: this key is already on line 3; remove one of the two'],
    ],
    ['two documents', `${head}---\n${head}`, ['a second document begins here; write one document: remove the ---']],
    ['a tab', 'version: 1\nlisten:\n\tport: 80\nroutes: []', ['a tab is used for indentation; write spaces']],
    [
      'an unquoted star',
      withRoutes('match: {prefix: /, hosts: [*.a.example]}'),
      [
        'routes[0].match.hosts[0]: *.a.example is an alias of YAML, and there is no &.a.example; write it in quotes: "*.a.example"',
      ],
    ],
    [
      'an unknown alias',
      limited('*two'),
      ['services.s.limit: *two is an alias of YAML, and there is no &two; write &two at its value, before this'],
    ],
    [
      'a value in itself',
      'version: 1\nroutes: &r [*r]',
      ['routes[0]: this value contains itself; write the value out'],
    ],
    [
      'a tag',
      limited('!!int "2"'),
      ['services.s.limit: the tag !!int is not understood; remove it, and put the value in quotes if it is to be text'],
    ],
    ['a list as key', `${head}? [a]\n: 1`, ['a key must be a plain word; write "key: value"']],
    [
      'merge keys',
      withService('static: []', '<<: {limit: 1}'),
      ['services.s["<<"]: merge keys (<<) are not understood; write the keys out'],
    ],
    [
      'a colon too many',
      `${head}listen: port: 80`,
      ['a second ": " on one line; put the value in quotes if the colon belongs to it, else begin a new line'],
    ],
    ['an open bracket', `${head}listen: {port: 80`, ['a bracket is not closed; write } where it ends']],
    [
      'a bracket in a bracket',
      `version: 1\nroutes:\n- {match: {regex: /[a]}, service: s}`,
      [
        'not valid YAML: "[" is not expected here; put a text with such signs in quotes, or see that every bracket is closed',
      ],
    ],
    [
      'a backslash in quotes',
      withRoutes('match: {regex: "/\\d+"}'),
      [`a backslash in double quotes that YAML does not know; write it in single quotes: '\\d'`],
    ],
    [
      'a wrong indentation',
      'version: 1\nlisten:\n    port: 1\n  address: x\nroutes: []',
      ['the indentation does not fit; begin all keys of one map, and all items of one list, in the same column'],
    ],
    [
      'no space after the colon',
      'version:1',
      ['a route file is a map of keys; begin with "version: 1", and write services and routes'],
    ],
  ])('explains %s', (_, text, lines) => {
    expect(said(text)).toEqual(lines);
  });

  it('gives up on nesting that no file has', () => {
    expect(said(`version: 1\nroutes: ${'['.repeat(1_000_000)}`)).toEqual([
      'the values are nested too deeply; see that every bracket is closed',
    ]);
  });

  it('reads an anchored value once, however often it is used', () => {
    const layers = Array.from({ length: 40 }, (_, i) => `  l${i + 1}: &l${i + 1} [*l${i}, *l${i}, *l${i}]`);
    const bomb = `version: 1\nlisten:\n  l0: &l0 x\n${layers.join('\n')}\nroutes: []`;
    expect(said(bomb)).toHaveLength(41);
  });
});
