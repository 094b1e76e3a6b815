import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How the simulation breaks with a planted fault; undefined: it does not. */
export async function planted(name: string): Promise<unknown> {
  const { stdout } = await run(process.execPath, [fileURLToPath(new URL('planted.ts', import.meta.url)), name]);
  const outcome: { readonly found?: unknown } = JSON.parse(stdout);
  return outcome.found;
}
