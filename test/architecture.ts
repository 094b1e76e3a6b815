import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** The rooms of `src` and what each may import besides itself. `src/main.ts` is the room `top`. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: ['base'],
  snapshot: ['base'],
  demo: ['base'],
  kubernetes: ['base', 'model'],
  routes: ['base', 'model', 'kubernetes'],
  endpoints: ['base', 'model', 'kubernetes'],
  dataplane: ['base', 'model', 'snapshot', 'gen'],
  slots: ['base', 'model', 'kubernetes', 'gen'],
  xds: ['base', 'snapshot', 'gen'],
  envoy: ['base', 'model', 'dataplane', 'gen'],
  nodes: ['base', 'model', 'snapshot', 'xds', 'dataplane'],
  telemetry: ['base', 'model', 'snapshot', 'slots', 'envoy', 'dataplane', 'gen'],
  status: ['base', 'model', 'snapshot', 'telemetry', 'nodes', 'slots'],
  admin: ['base', 'model', 'snapshot', 'telemetry', 'nodes', 'slots', 'status'],
  'control-plane': [
    'base',
    'model',
    'snapshot',
    'kubernetes',
    'routes',
    'endpoints',
    'dataplane',
    'slots',
    'xds',
    'envoy',
    'nodes',
    'telemetry',
    'status',
    'admin',
  ],
  commands: [
    'base',
    'model',
    'snapshot',
    'demo',
    'kubernetes',
    'routes',
    'endpoints',
    'dataplane',
    'xds',
    'envoy',
    'status',
    'control-plane',
  ],
  top: ['base', 'commands'],
};

/** Rooms (or files) with no clock, no I/O, no randomness, no logger and no `await`. */
const PURE: readonly RegExp[] = [
  /^model\//,
  /^slots\/(?!server)/,
  /^dataplane\//,
  /^snapshot\/(?!cache)/,
  /^xds\/protocol\/(step-|subscription|type-state|push-order|answer)/,
  /^control-plane\/reconcile\.ts$/,
];

const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/, 'reads a clock'],
  [/\bMath\.random\(|\brandomUUID\b|\brandomBytes\b/, 'is random'],
  [/\bset(?:Timeout|Interval|Immediate)\(/, 'sets a timer'],
  [/\bawait\b|\basync\b(?!\.\w)/, 'waits'],
  [/\bconsole\.|\bprocess\.|from 'pino'/, 'talks to the outside'],
  [/from 'node:(?!crypto|path|net')/, 'imports I/O'],
];

/** A source file: its path below `src` with forward slashes, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** All TypeScript files below `folder`. */
export function sourceFiles(folder: string): readonly SourceFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ path: relative(folder, path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }));
}

/** Every place where a file breaks the rules above, as one readable line each. */
export function violations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => [...importFaults(file), ...purityFaults(file), ...styleFaults(file)]);
}

function roomOf(path: string): string {
  const [first = '', ...rest] = path.split('/');
  if (rest.length === 0) return first === 'main.ts' ? 'top' : first;
  return first;
}

/** The room an import leads to; undefined for libraries. */
function roomOfImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#xds') || specifier.includes('/gen/')) return 'gen';
  if (!specifier.startsWith('.')) return undefined;
  return roomOf(relative('/src', resolve('/src', dirname(from), specifier)).replaceAll('\\', '/'));
}

function importFaults({ path, text }: SourceFile): readonly string[] {
  const room = roomOf(path);
  const allowed = MAY_IMPORT[room];
  if (allowed === undefined) return [`${path}: src/${room} is not a known room`];
  const specifiers = text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g);
  return [...specifiers].flatMap(([, specifier = '']) => {
    const target = roomOfImport(path, specifier);
    if (target === undefined || target === room || allowed.includes(target)) return [];
    return [`${path}: ${room} may not import ${target} (${specifier})`];
  });
}

function purityFaults({ path, text }: SourceFile): readonly string[] {
  if (!PURE.some((pattern) => pattern.test(path))) return [];
  const code = withoutComments(text);
  return IMPURE.filter(([pattern]) => pattern.test(code)).map(([, what]) => `${path}: must be pure but ${what}`);
}

function styleFaults({ path, text }: SourceFile): readonly string[] {
  const code = withoutComments(text);
  return [
    ...(/\bexport default\b/.test(code) ? [`${path}: has a default export`] : []),
    ...(/\bexport \*/.test(code) ? [`${path}: is a barrel`] : []),
    ...(/\bTODO\b|\bFIXME\b/.test(text) ? [`${path}: leaves something for later`] : []),
  ];
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}
