/** How loud a line of Envoy's log is, by the names pino uses. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** One line of Envoy's log. */
export interface LogEntry {
  readonly level: LogLevel;
  /** The part of Envoy that speaks (`main`, `config`, `upstream`, …); empty before its log is set up. */
  readonly component: string;
  readonly message: string;
}

/** Passed as `--log-format`. No time: whoever logs the entry adds it. */
export const LOG_FORMAT = '[%l][%n] %v';

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'fatal',
};

/** What `--log-level` calls a level. */
export function envoyLevel(level: LogLevel): string {
  return Object.entries(LEVELS).find(([, ours]) => ours === level)?.[0] ?? level;
}

/**
 * Reads the lines of one Envoy, in their order: a line without a head continues the entry before it, and what comes
 * before the first head is a complaint about the command line.
 */
export function logLineParser(): (line: string) => LogEntry {
  let last: Omit<LogEntry, 'message'> = { level: 'error', component: '' };
  return (line) => {
    const head = /^\[(\w+)\]\[([^\]]*)\] (.*)$/.exec(line);
    const level = LEVELS[head?.[1] ?? ''];
    if (head === null || level === undefined) return { ...last, message: line };
    last = { level, component: head[2] ?? '' };
    return { ...last, message: head[3] ?? '' };
  };
}
