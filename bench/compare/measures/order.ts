/** When a request was sent and when a worker began on it. */
export interface Start {
  readonly sent: number;
  readonly started: number;
}

/** How far the order of beginning was from the order of sending. */
export interface StartOrder {
  readonly compared: number;
  /** Pairs of requests of which the one that was sent later began earlier. */
  readonly pairs: number;
  /** Requests that saw at least one later one begin before them. */
  readonly overtaken: number;
  /** The most later requests that began before one and the same. */
  readonly mostPlaces: number;
}

/** Nearer than this, in milliseconds, nobody can say which of two was sent first: they came over two connections. */
const SENT_TIE = 2;
/** Nearer than this nobody can say which began first: two slots that come free together are filled as the kernel likes. */
const STARTED_TIE = 5;

/** Compares each request with all that were sent after it. */
export function startOrder(starts: readonly Start[]): StartOrder {
  const line = [...starts].sort((a, b) => a.sent - b.sent);
  const placesLost = line.map(({ sent, started }, index) => {
    let places = 0;
    for (let later = index + 1; later < line.length; later += 1) {
      const other = line[later];
      if (other !== undefined && other.started < started - STARTED_TIE && other.sent > sent + SENT_TIE) places += 1;
    }
    return places;
  });
  return {
    compared: line.length,
    pairs: placesLost.reduce((sum, places) => sum + places, 0),
    overtaken: placesLost.filter((places) => places > 0).length,
    mostPlaces: placesLost.reduce((most, places) => Math.max(most, places), 0),
  };
}
