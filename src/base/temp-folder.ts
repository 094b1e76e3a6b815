import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, ok, type Result } from './result.ts';

/** Where programs may write when $TMPDIR leads nowhere. */
const USUAL = '/tmp';

/** Makes a folder of one's own for temporary files, readable by nobody else. Errors: why it cannot, and what to do. */
export function makeTempFolder(prefix: string): Result<string, string> {
  const reasons = new Map<string, string>();
  for (const folder of new Set([tmpdir(), USUAL])) {
    try {
      return ok(mkdtempSync(join(folder, prefix)));
    } catch (error) {
      reasons.set(folder, error instanceof Error && 'code' in error ? String(error.code) : String(error));
    }
  }
  const tried = [...reasons].map(([folder, reason]) => `${folder} (${reason})`).join(' and ');
  return fail(`no temporary folder: cannot write to ${tried}; set TMPDIR to a folder that can be written`);
}
