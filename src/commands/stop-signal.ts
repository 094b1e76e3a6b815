/** Signals that ask the process to end. */
export interface StopSignals {
  /** Aborted at the first SIGINT, SIGTERM or SIGHUP. */
  readonly stopping: AbortSignal;
  /** Aborted at the next one: nothing is to be waited for any more. */
  readonly now: AbortSignal;
}

/** Ctrl-C under npm arrives twice, once from the terminal and once passed on by npm: that is one signal. */
const ONE_SIGNAL_MS = 500;

/** Listens for the signals from now on. */
export function stopSignals(monotonic: () => number = () => performance.now()): StopSignals {
  const stopping = new AbortController();
  const now = new AbortController();
  let first = 0;
  const heard = () => {
    if (!stopping.signal.aborted) {
      first = monotonic();
      stopping.abort();
    } else if (monotonic() - first > ONE_SIGNAL_MS) {
      now.abort();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, heard);
  return { stopping: stopping.signal, now: now.signal };
}

/** The first of them alone, for what ends within seconds anyway. */
export function stopSignal(): AbortSignal {
  return stopSignals().stopping;
}

/** Resolves when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
