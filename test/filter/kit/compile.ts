import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

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
  let code: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ['filter.ts', '--runtime', 'minimal', '--exportStart', '_initialize', '--use', 'abort=', '--outFile', 'out.wasm'],
    {
      readFile: async (name) => {
        const path = join(FOLDER, basename(name));
        const text = await readFile(path, 'utf8').catch(() => null);
        if (text === null || basename(name) !== edit.file) return text;
        applied = true;
        if (text.split(edit.from).length !== 2) throw new Error(`not once in ${edit.file}: ${edit.from}`);
        return text.replace(edit.from, () => edit.to);
      },
      writeFile: (_name, contents) => {
        if (typeof contents !== 'string') code = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || code === undefined || !applied) throw new Error(`${error?.message}\n${stderr.toString()}`);
  return new WebAssembly.Module(code);
}
