/** One part of Envoy's command line, and why it has to be there. */
export interface EnvoyArgument {
  readonly args: readonly string[];
  readonly why: string;
}

/** What every Envoy of Sluice must be started with, whoever starts it. */
export const REQUIRED_ARGUMENTS: readonly EnvoyArgument[] = [
  {
    args: ['--concurrency', '1'],
    why: 'one worker: connection pools and their queues are per worker, so with two the line would not be one line',
  },
  {
    args: ['--disable-hot-restart'],
    why: 'two Envoys at once would each let through the whole limit; it also lets several Envoys share a machine',
  },
  {
    args: ['--drain-time-s', '600'],
    why: 'a changed public listener gives its open connections 10 minutes to finish',
  },
];

/** The required arguments as they are passed to a program. */
export function requiredArguments(): readonly string[] {
  return REQUIRED_ARGUMENTS.flatMap(({ args }) => args);
}
