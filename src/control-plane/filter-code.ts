import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { FilterOptions } from '../dataplane/options.ts';

/** Where the build puts the code of the queue filter. */
const CODE = new URL('../../gen/queue.wasm', import.meta.url);
const GUARD = new URL('../../gen/guard.wasm', import.meta.url);

/** The queue filter as Envoys get it. `off`: without it, each pod has a queue of its own. */
export async function loadFilter(use: 'on' | 'off', allowTrap = false): Promise<FilterOptions> {
  if (use === 'off') return { kind: 'off' };
  const code = await readFile(CODE);
  const version = createHash('sha256').update(code).digest('hex').slice(0, 16);
  const guard = await readFile(GUARD);
  return { kind: 'wasm', code, version, guard, ...(allowTrap && { allowTrap }) };
}
