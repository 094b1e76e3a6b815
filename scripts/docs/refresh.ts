import { formatProblem } from '../../src/model/problem.ts';
import { lbagent, version1 } from '../../src/routes/file/keys.ts';
import { parseRouteFile } from '../../src/routes/file/parse.ts';
import { describeKeys } from '../../src/routes/file/reference.ts';
import { MAY_IMPORT } from '../../test/architecture.ts';
import { keysMarkdown } from './keys.ts';

/** What can stand between `<!-- generated: NAME -->` and `<!-- end of NAME -->`. */
const GENERATED: Readonly<Record<string, () => string>> = {
  'keys of version 1': () => keysMarkdown(describeKeys(version1), 'Top of the file'),
  imports: () => importsMarkdown(),
  'keys of lbagent': () => keysMarkdown(describeKeys(lbagent), 'Top of the file of lbagent'),
};

/** Which room of `src` may import which, from the table that a test holds. */
function importsMarkdown(): string {
  const rows = Object.entries(MAY_IMPORT).map(([room, others]) => {
    const names = others.map((other) => `\`${other}\``).join(', ');
    return `| ${room === 'top' ? '`main.ts`' : `\`${room}\``} | ${names === '' ? 'nothing' : names} |`;
  });
  return ['| folder of `src` | may import |', '| --- | --- |', ...rows].join('\n');
}

const PART = /(<!-- generated: (.+?) -->\n).*?(<!-- end of \2 -->)/gs;

/** A route file, some words perhaps, and what `sluice validate` says of it. */
const VERDICT = /(```yaml\n((?:(?!```).)*)```\n(?:(?!```).)*```text validate\n)(?:(?!```).)*(```)/gs;

/** A Markdown file with its generated parts as the code now makes them: tables of keys, and verdicts on route files. */
export function refresh(markdown: string): string {
  return markdown
    .replace(PART, (_, begin: string, name: string, end: string) => {
      const make = GENERATED[name];
      if (make === undefined) throw new Error(`nothing is generated under the name ${name}`);
      return `${begin}\n${make()}\n\n${end}`;
    })
    .replace(VERDICT, (_, begin: string, file: string, end: string) => `${begin}${verdict(file)}${end}`);
}

/** What `sluice validate routes.yaml` prints of a file with this text. */
export function verdict(text: string): string {
  const parsed = parseRouteFile(text, { path: 'routes.yaml', env: {}, baseDir: '/etc/sluice' });
  const problems = parsed.ok ? parsed.value.warnings : parsed.errors;
  return problems.map((problem) => `${formatProblem(problem)}\n`).join('');
}

/** Every route file among the examples of a Markdown file, those with faults included. */
export function routeFiles(markdown: string): readonly string[] {
  const faulty = [...markdown.matchAll(VERDICT)].map(([, , file = '']) => file);
  return [...new Set([...faulty, ...soundRouteFiles(markdown)])];
}

/** The route files among the examples of a Markdown file that nothing is said to be wrong with. */
export function soundRouteFiles(markdown: string): readonly string[] {
  const faulty = new Set([...markdown.matchAll(VERDICT)].map(([, , file]) => file));
  return [...markdown.matchAll(/^```yaml\n(.*?)^```$/gms)].flatMap(([, file = '']) =>
    /^routes:/m.test(file) && /^(version: 1|port:)/m.test(file) && !faulty.has(file) ? [file] : [],
  );
}
