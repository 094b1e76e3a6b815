/** What the shell learns from the exit code. */
export const EXIT = { done: 0, failed: 1, badInput: 2 } as const;

/** One of the exit codes above. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Prints each line to standard error and sets the exit code; the process ends by itself. */
export function failWith(code: ExitCode, lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`);
  process.exitCode = code;
}
