import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Logger } from '../base/log.ts';
import { reasonOf } from '../base/reason.ts';

/** `--state-dir FOLDER`. */
export function stateDirOption(): Option {
  return new Option(
    '--state-dir <folder>',
    'where what outlives a restart is kept: who may hold slots, orders, and the last good route file, which stands in for one that cannot be used; each Sluice has its own (default: sluice in $XDG_STATE_HOME or ~/.local/state)',
  ).env('SLUICE_STATE_DIR');
}

/** The folder that was asked for, or the usual one if it can be written; undefined, which is logged: nothing is kept. */
export function stateDir(asked: string | undefined, env: NodeJS.ProcessEnv, log: Logger): string | undefined {
  if (asked !== undefined) return resolve(asked);
  const folder = usualFolder(env);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch (error) {
    const reason = reasonOf(error);
    log.info({ reason }, 'the last good route file is not kept for the next start; name a folder with --state-dir');
    return undefined;
  }
}

/** XDG Base Directory Specification: a relative path is invalid and to be ignored. */
function usualFolder(env: NodeJS.ProcessEnv): string {
  const configured = env['XDG_STATE_HOME'];
  const home = configured && isAbsolute(configured) ? configured : join(env['HOME'] || homedir(), '.local', 'state');
  return join(home, 'sluice');
}
