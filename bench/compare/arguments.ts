import { parseArgs } from 'node:util';
import { fail, ok, type Result } from '../../src/base/result.ts';

/** What the user asked for. */
export interface Arguments {
  readonly quick: boolean;
  /** Names of scenarios, `closed-loop` or `growth`; all of them when empty. */
  readonly only: readonly string[];
  /** Nothing is measured: the page is written again from the results there are. */
  readonly render: boolean;
  /** The folder that gets `benchmark.md` and `benchmark/`. */
  readonly out: string;
}

/** A measurement beside the scenarios that `--only` can name: what many services cost. */
export const GROWTH = 'growth';

/** A measurement beside the scenarios that `--only` can name: the most that a proxy carries. */
export const CLOSED_LOOP = 'closed-loop';

/** Reads the command line. Errors: unknown options and scenarios, with what there is instead. */
export function parseArguments(args: readonly string[], scenarios: readonly string[]): Result<Arguments, string> {
  const read = readOptions(args);
  if (!read.ok) return read;
  const { quick = false, render = false, only = [], out = 'docs' } = read.value;
  const names = only.flatMap((list) => list.split(','));
  const known = [...scenarios, CLOSED_LOOP, GROWTH];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    return fail(...unknown.map((name) => `there is no scenario ${name}; there are ${known.join(', ')}`));
  }
  return ok({ quick, only: names, render, out });
}

function readOptions(args: readonly string[]) {
  const options = {
    quick: { type: 'boolean' },
    render: { type: 'boolean' },
    only: { type: 'string', multiple: true },
    out: { type: 'string' },
  } as const;
  try {
    return ok(parseArgs({ args: [...args], options }).values);
  } catch (error) {
    return fail(
      `${error instanceof Error ? error.message : error}; there are --quick, --only SCENARIO, --render, --out FOLDER`,
    );
  }
}
