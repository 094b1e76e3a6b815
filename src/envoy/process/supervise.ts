import { type Clock, sleep } from '../../base/clock.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { AdminPlace } from '../admin-place.ts';
import { type ChildExit, type ChildOptions, type EnvoyChild, spawnEnvoy } from './child.ts';

/** How to keep an Envoy running. */
export interface SuperviseOptions extends ChildOptions {
  /** Called when Envoy has ended without being asked to: it starts again after `delayMs`. */
  readonly onRestart: (exit: ChildExit, delayMs: number) => void;
  readonly clock: Clock;
}

/** An Envoy that is started again whenever it ends. */
export interface SupervisedEnvoy {
  /**
   * Resolves once the first Envoy has come up, with its admin's address, or with the reason why it ended before that:
   * then it is not started again, because what is wrong (a port in use, a broken program) does not mend itself.
   */
  readonly up: Promise<Result<AdminPlace, string>>;
  /** The process running now; undefined between two. */
  pid(): number | undefined;
  /** Stops Envoy for good; see `EnvoyChild.stop`. */
  stop(graceMs?: number): Promise<void>;
}

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
/** An Envoy that ran this long gets the first delay again. */
const STEADY_MS = 60_000;

/** Starts Envoy, and again with growing pauses (0.25 s to 10 s) whenever it ends by itself after it was up once. */
export function superviseEnvoy(options: SuperviseOptions): SupervisedEnvoy {
  const { clock } = options;
  const stopping = new AbortController();
  const up = Promise.withResolvers<Result<AdminPlace, string>>();
  let current: EnvoyChild | undefined;

  const keepRunning = async () => {
    let delay = FIRST_DELAY_MS;
    for (let first = true; !stopping.signal.aborted; first = false) {
      const started = clock.monotonic();
      const child = spawnEnvoy(options);
      current = child;
      const admin = await child.admin;
      if (admin !== undefined) up.resolve(ok(admin));
      const exit = await child.exited;
      current = undefined;
      if (first && admin === undefined) return up.resolve(fail(exit.reason));
      if (stopping.signal.aborted) return;
      if (clock.monotonic() - started >= STEADY_MS) delay = FIRST_DELAY_MS;
      options.onRestart(exit, delay);
      await sleep(clock, delay, stopping.signal);
      delay = Math.min(2 * delay, LONGEST_DELAY_MS);
    }
  };
  const ended = keepRunning();

  return {
    up: up.promise,
    pid: () => current?.pid,
    async stop(graceMs) {
      stopping.abort();
      await current?.stop(graceMs);
      await ended;
    },
  };
}
