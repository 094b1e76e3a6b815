import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { markdownFiles, ROOT } from '../../../scripts/docs/files.ts';
import { slug } from '../../../scripts/docs/keys.ts';
import { refresh, soundRouteFiles, verdict } from '../../../scripts/docs/refresh.ts';

const FILES = markdownFiles();
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** A Markdown file without its code, in which brackets are no links. */
function prose(markdown: string): string {
  return markdown.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '`code`');
}

/** Everything a file leads to: links, pictures, and the sources of `<picture>` and `<img>`. */
function targets(markdown: string): readonly string[] {
  const text = prose(markdown);
  const inline = [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/(?:src|srcset|href)="([^"]+)"/g)];
  const links = [...inline, ...text.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return links.map(([, target = '']) => target);
}

/** The anchors of a file's headings, as GitHub makes them. */
function anchors(markdown: string): ReadonlySet<string> {
  const text = markdown.replace(/^```.*?^```$/gms, '');
  const seen = new Map<string, number>();
  return new Set(
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
      const name = slug(heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'));
      const count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      return count === 0 ? name : `${name}-${count}`;
    }),
  );
}

/** What is wrong with a link of `file`; undefined: nothing. */
function fault(file: string, target: string): string | undefined {
  if (/^(https?|mailto):/.test(target)) return undefined;
  const [path = '', anchor] = target.split('#');
  const full = path === '' ? join(ROOT, file) : join(dirname(join(ROOT, file)), path);
  if (relative(ROOT, full).startsWith('..')) return `${file}: ${target} is outside of the project`;
  if (!existsSync(full)) return `${file}: there is no ${target}`;
  if (anchor === undefined || statSync(full).isDirectory()) return undefined;
  return anchors(readFileSync(full, 'utf8')).has(anchor) ? undefined : `${file}: ${target}: no such heading`;
}

test('the documents are found', () => {
  expect(FILES).toEqual(expect.arrayContaining(['README.md', 'docs/route-file.md', 'k8s/README.md']));
});

test.each(FILES)('%s: every link leads somewhere', (file) => {
  expect(targets(read(file)).flatMap((target) => fault(file, target) ?? [])).toEqual([]);
});

test.each(FILES)('%s: every row is in a table', (file) => {
  const blocks = read(file)
    .replace(/^```.*?^```/gms, '')
    .split(/^(?!\|).*\n/m)
    .filter((block) => block !== '' && !/^\|.*\n\|[ |:-]+\n\|/.test(block));
  expect(blocks).toEqual([]);
});

test.each(FILES)('%s: what is generated is as the code has it now (else: npm run docs)', (file) => {
  expect(read(file)).toBe(refresh(read(file)));
});

describe.each(FILES.filter((file) => soundRouteFiles(read(file)).length > 0))('%s', (file) => {
  test.each(soundRouteFiles(read(file)))('a route file without a fault:\n%s', (text) => {
    expect(verdict(text)).toBe('');
  });
});

describe('the tests above can fail', () => {
  test('a link to nowhere, to a missing heading, out of the project', () => {
    const planted =
      'See [a](nowhere.md), [b](README.md#no-such), ![c](../x.png), <img src="gone.svg"> and `[d](code.md)`.';
    expect(targets(planted).flatMap((target) => fault('README.md', target) ?? [])).toEqual([
      'README.md: there is no nowhere.md',
      'README.md: README.md#no-such: no such heading',
      'README.md: ../x.png is outside of the project',
      'README.md: there is no gone.svg',
    ]);
  });

  test('a table and a verdict that are out of date', () => {
    const table = '<!-- generated: keys of lbagent -->\nold\n<!-- end of keys of lbagent -->';
    expect(refresh(table)).toContain('| `uri` |');
    const judged = '```yaml\nversion: 1\nroutes: 7\n```\n\n```text validate\nfine\n```';
    expect(refresh(judged)).toContain('routes.yaml:2:9: routes: must be a list of routes, not "7"');
    expect(soundRouteFiles(judged)).toEqual([]);
  });
});
