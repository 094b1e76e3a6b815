/** One part of Envoy's command line, and why it has to be there. */
export interface EnvoyArgument {
  readonly args: readonly string[];
  readonly why: string;
}

/** What every Envoy of Sluice must be started with, whoever starts it. */
export const REQUIRED_ARGUMENTS: readonly EnvoyArgument[] = [
  {
    args: ['--disable-hot-restart'],
    why: 'two processes of one node id at once would be taken for one Envoy; it also lets several Envoys share a machine',
  },
  {
    // A year; run: what is still under way at the old listener when the time is up is cut off.
    args: ['--drain-time-s', '31536000'],
    why: 'a changed listener gives the requests it has as long as they take; after the default of 10 minutes they would be cut off',
  },
  {
    args: ['--drain-strategy', 'immediate'],
    why: 'its clients are told at once, with their next answer, to connect anew; otherwise that, too, would be spread over the drain time',
  },
  {
    args: ['--file-flush-interval-msec', '1000'],
    why: 'the line of a request is in the access log a second after its end; of its own accord Envoy takes up to 10 s',
  },
];

/** The required arguments as they are passed to a program. */
export function requiredArguments(): readonly string[] {
  return REQUIRED_ARGUMENTS.flatMap(({ args }) => args);
}
