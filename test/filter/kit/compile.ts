import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { CALLS, type QueueCalls } from './queue-steps.ts';

const FOLDER = fileURLToPath(new URL('../../../envoy/filter/', import.meta.url));

/** A change of the filter's source: in this file, `from` (which is there once) becomes `to`. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Compiles the filter with an edit, without optimizing it. Errors: throws when the edit does not fit the source, or what comes of
 * it does not compile.
 */
export async function compileWith(edit: Edit): Promise<WebAssembly.Module> {
  let applied = false;
  const code = await compile('filter.ts', (file, text) => {
    if (file !== edit.file) return text;
    applied = true;
    if (text.split(edit.from).length !== 2) throw new Error(`not once in ${edit.file}: ${edit.from}`);
    return text.replace(edit.from, () => edit.to);
  });
  if (!applied) throw new Error(`${edit.file} is no part of the filter`);
  return code;
}

/** Compiles the queue alone; what it resolves to makes a new one, whose calls are those of `Queues`. */
export async function compileQueue(): Promise<() => QueueCalls> {
  const exported = CALLS.map((name) => {
    const signature = SIGNATURES[name];
    const parameters = signature.slice(1).map((type, index) => `a${index}: ${type}`);
    const passed = signature.slice(1).map((_, index) => `a${index}`);
    const call = `queues.${name}(${passed.join(', ')})`;
    const body = signature[0] === 'void' ? call : `return ${call}`;
    return `export function ${name}(${parameters.join(', ')}): ${signature[0]} { ${body}; }`;
  });
  const entry = `import { Queues } from './queue.ts';\nconst queues = new Queues();\n${exported.join('\n')}\n`;
  const code = await compile('entry.ts', (file, text) => (file === 'entry.ts' ? entry : text));
  return () => {
    const { exports } = new WebAssembly.Instance(code, { env: {} });
    // The functions just generated, with the signatures of `Queues`.
    const calls = exports as QueueCalls & { _initialize(): void };
    calls._initialize();
    return calls;
  };
}

/** Result and parameters of each call. */
const SIGNATURES: Readonly<Record<keyof QueueCalls, readonly string[]>> = {
  addService: ['i32'],
  configure: ['void', 'i32', 'i32', 'f64', 'f64'],
  configureEjection: ['void', 'i32', 'i32', 'i32', 'f64', 'f64'],
  addPod: ['i32', 'i32', 'i32', 'bool'],
  setPod: ['void', 'i32', 'i32', 'bool'],
  removePod: ['void', 'i32'],
  arrive: ['i32', 'i32', 'f64'],
  nextReady: ['i32'],
  start: ['i32', 'i32', 'f64'],
  state: ['i32', 'i32'],
  podOf: ['i32', 'i32'],
  move: ['void', 'i32', 'i32'],
  claim: ['void', 'i32', 'i32'],
  setConnected: ['void', 'i32'],
  endLater: ['void', 'i32', 'i32', 'f64', 'f64'],
  takeClaim: ['i32'],
  isClaiming: ['bool', 'i32'],
  addStranger: ['i32', 'i32'],
  expireClaim: ['i32', 'f64'],
  answered: ['void', 'i32', 'i32', 'f64'],
  unreachable: ['void', 'i32', 'f64'],
  end: ['void', 'i32', 'i32', 'f64'],
  gone: ['void', 'i32', 'f64'],
  tick: ['void', 'f64'],
  expire: ['i32', 'f64'],
  nextDeadline: ['f64'],
  clearEvents: ['void'],
  waiting: ['i32', 'i32'],
  inUse: ['i32', 'i32'],
  slots: ['i32', 'i32'],
  count: ['f64', 'i32', 'i32'],
  retryAfter: ['i32', 'i32'],
  placeOf: ['i32', 'i32', 'f64'],
  countPlacesFrom: ['void', 'i32'],
  expect: ['bool', 'i32', 'i32'],
  firstWaiting: ['i32', 'i32'],
  after: ['i32', 'i32'],
};

/** Compiles a file of the filter; `change` gets the text of each file, and '' for one that is not there. */
async function compile(entry: string, change: (file: string, text: string) => string): Promise<WebAssembly.Module> {
  let code: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [entry, '--runtime', 'minimal', '--exportStart', '_initialize', '--use', 'abort=', '--outFile', 'out.wasm'],
    {
      readFile: async (name) => {
        const file = basename(name);
        const text = await readFile(join(FOLDER, file), 'utf8').catch(() => '');
        return change(file, text) || null;
      },
      writeFile: (_name, contents) => {
        if (typeof contents !== 'string') code = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || code === undefined) throw new Error(`${error?.message}\n${stderr.toString()}`);
  return new WebAssembly.Module(code);
}
