/**
 * Of the requests that were answered, or refused, Envoys tell of one in so many: of every one, unless there are very many
 * of them (see `LogSampling`). Of those that failed, timed out or were left by their client they always tell.
 */
export const SAMPLES = [1, 4, 16, 64] as const;

/** One of `SAMPLES`: what an entry counts for. */
export type OneIn = (typeof SAMPLES)[number];

/** Runtime fractions are of a million: all of `SAMPLES` go into it. */
export const FRACTION = 1_000_000;

/** Each of them has a log of its own, so that an entry itself says what it counts for, whatever is in force by now. */
export function sampleLogName(log: string, oneIn: OneIn): string {
  return oneIn === 1 ? log : `${log}/${oneIn}`;
}

/** What an entry in the log of this name counts for; undefined: it is no log of requests that is called `log`. */
export function sampleOfLog(log: string, name: string): OneIn | undefined {
  return SAMPLES.find((oneIn) => sampleLogName(log, oneIn) === name);
}

/** The runtime key by which one of these logs is switched: how many of `FRACTION` requests it gets. */
export function sampleKey(oneIn: OneIn): string {
  return `sluice.access_log.one_in_${oneIn}`;
}

/** What the runtime has to say for this one to be in force: nothing, when every request is told of. */
export function sampleRuntime(oneIn: OneIn): Readonly<Record<string, number>> {
  return oneIn === 1 ? {} : { [sampleKey(1)]: 0, [sampleKey(oneIn)]: FRACTION / oneIn };
}
