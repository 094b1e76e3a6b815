import { systemClock } from '../../../src/base/clock.ts';
import { KubeSource } from '../../../src/endpoints/kube/kube-source.ts';
import { WATCH_TIMING, type WatchTiming } from '../../../src/kubernetes/watch-timing.ts';
import { formatAddress, type Locator } from '../../../src/model/locator.ts';
import type { Pod } from '../../../src/model/pod.ts';
import { formatProblem } from '../../../src/model/problem.ts';
import type { SourceState } from '../../../src/model/source.ts';

/** A running `KubeSource`, and ways to wait for what it says. */
export class Follower {
  readonly source: KubeSource;
  /** What it logged, one line each. */
  readonly log: string[] = [];
  /** How often it said that something changed. */
  changes = 0;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  readonly #waiting = new Set<() => void>();

  constructor(kubeconfig: string, locators: readonly Locator[], timing: Partial<WatchTiming> = {}) {
    this.source = new KubeSource({
      clock: systemClock,
      kubeconfig,
      timing: { ...WATCH_TIMING, ...timing },
      log: (level, message, fields) => this.log.push(`${level} ${message} ${JSON.stringify(fields)}`),
    });
    this.source.want(locators);
    this.#done = this.source.run(this.#stop.signal, () => {
      this.changes++;
      for (const look of this.#waiting) look();
    });
  }

  /** `ready 10.244.0.1:80 (10.244.0.2:80)`: kind and pods, draining ones in brackets. */
  say(locator: Locator): string {
    return sayState(this.source.pods(locator));
  }

  problems(locator: Locator): readonly string[] {
    return this.source.pods(locator).problems.map(formatProblem);
  }

  /** Calls `look` in the turn of every change from now on. */
  onChange(look: () => void): void {
    this.#waiting.add(look);
  }

  /** Resolves in the turn in which `test` holds for the state; rejects with the state after `within` milliseconds. */
  until(locator: Locator, test: (state: SourceState<readonly Pod[]>) => boolean, within = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = () => {
        if (!test(this.source.pods(locator))) return;
        end();
        resolve();
      };
      const timer = setTimeout(() => {
        end();
        const state = this.source.pods(locator);
        const problems = state.problems.map(formatProblem).join('\n');
        reject(new Error(`still ${sayState(state)}\n${problems}\n${this.log.join('\n')}`));
      }, within);
      this.#waiting.add(look);
      look();
    });
  }

  /** Waits until `say` gives this text. */
  untilSays(locator: Locator, text: string, within?: number): Promise<void> {
    return this.until(locator, (state) => sayState(state) === text, within);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

function sayState(state: SourceState<readonly Pod[]>): string {
  if (state.kind === 'pending') return 'pending';
  const pods = state.value.map((pod) => (pod.state === 'ready' ? formatAddress(pod) : `(${formatAddress(pod)})`));
  return [state.kind, ...pods].join(' ');
}
