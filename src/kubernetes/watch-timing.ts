/** All in milliseconds. */
export interface WatchTiming {
  /** Longest time for one page of a list, and for a watch to be accepted. */
  readonly answer: number;
  /** A watch this long without any event is given up; must be above 60 s, the API server's interval of bookmarks. */
  readonly silence: number;
  /** How often everything is listed anew: a watch can be open and never tell (etcd restored from an old copy). */
  readonly relist: number;
  /** A watch that did not last this long is not followed by another one at once. */
  readonly steady: number;
}

/** What is right for real clusters. */
export const WATCH_TIMING: WatchTiming = { answer: 15_000, silence: 75_000, relist: 600_000, steady: 5000 };
