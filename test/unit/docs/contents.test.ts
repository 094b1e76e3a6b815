import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, onTestFinished, test } from 'vitest';
import { markdownFiles, ROOT } from '../../../scripts/docs/files.ts';
import { pictures } from '../../../scripts/docs/picture.ts';
import { addCommands } from '../../../src/commands/all.ts';
import { NOT_SHARED } from '../../../src/slots/sharing.ts';
import { describeStatus } from '../../../src/status/describe.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import { busyTelemetry, exampleInput } from '../status/example.ts';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const unique = (words: readonly string[]) => [...new Set(words)].sort();

/** The words in a text that look like this. */
const words = (text: string, shape: RegExp) => unique([...text.matchAll(shape)].map(([word]) => word));

test('every metric is in docs/operations.md, and no other', async () => {
  const metrics = new Metrics({ version: '1', telemetry: busyTelemetry() });
  const text = await metrics.text(
    describeStatus(exampleInput({ sharing: { ...NOT_SHARED, term: 1, held: () => new Map([['edge', 1]]) } })),
  );
  const exported = unique([...text.matchAll(/^# TYPE (sluice_\w+) /gm)].map(([, name = '']) => name));
  expect(exported.length).toBeGreaterThan(25);
  const named = words(read('docs/operations.md'), /\bsluice_\w+/g);
  // Envoy's own are called `sluice_queue_…`, with the service as a tag.
  const own = new Set(words(read('envoy/filter/statistics.ts'), /(?<=text\(')sluice_queue_\w+/g));
  const isEnvoys = (name: string) => own.has(name) || name === 'sluice_queue' || name === 'sluice_service';
  expect(own.size).toBeGreaterThan(10);
  expect(named.filter((name) => !isEnvoys(name))).toEqual(exported);
});

test('every alert is in docs/operations.md, and no other', () => {
  const alerts = words(read('k8s/observability/alerts.yaml'), /(?<=alert: )\w+/g);
  expect(words(read('docs/operations.md'), /\bSluice[A-Z]\w+/g)).toEqual(alerts);
});

test('every answer that Envoy makes itself is in docs/operations.md', () => {
  const errors = words(read('src/dataplane/local-replies.ts'), /(?<=\berror: ')[^']+/g);
  expect(errors).toContain('queue full');
  const table = read('docs/operations.md');
  expect(errors.filter((error) => !table.includes(`| \`${error}\` |`))).toEqual([]);
});

/** Options of other programs: Envoy, kubectl, docker, openssl, promtool, git. */
const FOREIGN = [
  '--concurrency',
  '--unix-socket',
  '--build',
  '--disable-hot-restart',
  '--drain-time-s',
  '--no-progress-meter',
  '--parallel-immediate',
  '--previous',
  '--scale',
];
/** Options of `npm run bench`, which test/unit/bench holds. */
const BENCH = ['--only', '--out', '--quick', '--render'];
/** Options of `npm run soak`, which test/soak/main.ts reads. */
const SOAK = ['--minutes', '--seed'];
/** Options of earlier versions, which the changelog and the page about upgrades name. */
const GONE = ['--owner-grace', '--envoy-admin', '--kick-port'];
/** Options there were once, which docs/upgrade.md says to remove. */
const REMOVED = ['--envoy-admin', '--kick-port'];
const KUBECTL = [
  '--cert',
  '--force',
  '--from-file',
  '--grace-period',
  '--key',
  '--namespace',
  '--patch-file',
  '--replicas',
  '--role',
  '--serviceaccount',
  '--type',
  '--user',
  '--values',
];

test('every option in the documents is one', () => {
  const program = new Command();
  addCommands(program);
  const options = program.commands.flatMap((command) => command.options.map(({ long }) => long ?? ''));
  const known = new Set([...options, '--help', ...FOREIGN, ...BENCH, ...SOAK, ...KUBECTL, ...REMOVED]);
  const files = markdownFiles().filter((file) => !file.startsWith('test/'));
  // An ellipsis stands for all that begin like it: `--dns-…`.
  const used = files.flatMap((file) => words(read(file), /(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9](?![\w…-])/g));
  expect(used.length).toBeGreaterThan(20);
  expect(unique(used.filter((option) => !known.has(option) && !GONE.includes(option)))).toEqual([]);
});

test("CONTRIBUTING's packages are those of package.json", () => {
  const { dependencies } = JSON.parse(read('package.json'));
  const table = /\| package \| reason \|\n((?:\|.*\n)+)/.exec(read('CONTRIBUTING.md'))?.[1] ?? '';
  const first = table.split('\n').map((line) => line.split('|')[1] ?? '');
  expect(words(first.join('\n'), /(?<=`)[^`\s,]+(?=`)/g)).toEqual(Object.keys(dependencies).sort());
});

test('every npm script in the documents is one of package.json', () => {
  const { scripts } = JSON.parse(read('package.json'));
  const used = markdownFiles().flatMap((file) =>
    [...read(file).matchAll(/\bnpm (?:run ([a-z][\w:-]*)|(start|test)\b)/g)].map(
      ([, name, short]) => name ?? short ?? '',
    ),
  );
  expect(new Set(used).size).toBeGreaterThan(8);
  expect(unique(used.filter((name) => !Object.hasOwn(scripts, name)))).toEqual([]);
});

describe('docs/architecture.md', () => {
  const text = read('docs/architecture.md');

  test('every path that it names exists', () => {
    const paths = words(
      text,
      /(?<=`)(?:src|envoy|proto|gen|k8s|charts|docs|test|bench|scripts|compose)\/[\w./-]*(?=`)/g,
    );
    expect(paths.length).toBeGreaterThan(25);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('every folder of src is on its map', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true });
    const missing = folders.filter((one) => one.isDirectory() && !text.includes(`| \`src/${one.name}/\` |`));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

test('README stays a page for newcomers', () => {
  expect(read('README.md').split('\n').length).toBeLessThan(200);
});

test('the picture is as the code draws it (else: npm run docs)', () => {
  for (const [name, svg] of Object.entries(pictures())) expect(read(`docs/${name}`), name).toBe(svg);
});

/** The example of docs/moving.md in this language, in a file of its own. */
function example(language: string): string {
  const text = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(read('docs/moving.md'))?.[1];
  if (text === undefined) throw new Error(`no example in ${language}`);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-moving-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, language);
  writeFileSync(file, text);
  return file;
}

const missing = (program: string) => spawnSync(program, ['-v']).status !== 0;

describe('what people move from is what it was', () => {
  test.skipIf(missing('haproxy'))('haproxy takes its example', () => {
    expect(execFileSync('haproxy', ['-c', '-f', example('haproxy')], { encoding: 'utf8' })).toContain('is valid');
  });

  test.skipIf(missing('nginx'))('nginx takes its example', () => {
    const file = example('nginx');
    const args = ['-t', '-c', file, '-e', 'stderr', '-g', `pid ${file}.pid;`];
    // Only its syntax: whether nginx may write into its own folders here is another matter.
    expect(spawnSync('nginx', args, { encoding: 'utf8' }).stderr).toContain('syntax is ok');
  });
});
