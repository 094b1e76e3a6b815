import { type Locator, locatorKey } from '../model/locator.ts';
import { normalizePods, type Pod } from '../model/pod.ts';
import type { SourceState } from '../model/source.ts';
import type { PodSource } from './pod-source.ts';

const NOT_WANTED: SourceState<readonly Pod[]> = { kind: 'pending', problems: [] };

/** The pods that the route file itself names: known at once, all ready, and changed only by an edit of the file. */
export class StaticSource implements PodSource {
  readonly name = 'static';
  #states: ReadonlyMap<string, SourceState<readonly Pod[]>> = new Map();

  want(locators: readonly Locator[]): void {
    const states = new Map<string, SourceState<readonly Pod[]>>();
    for (const locator of locators) {
      if (locator.kind !== 'static') continue;
      const key = locatorKey(locator);
      states.set(key, this.#states.get(key) ?? readyAt(locator));
    }
    this.#states = states;
  }

  pods(locator: Locator): SourceState<readonly Pod[]> {
    return this.#states.get(locatorKey(locator)) ?? NOT_WANTED;
  }

  /** There is nothing to follow: it only waits for `signal`. */
  run(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

function readyAt({ addresses }: Extract<Locator, { kind: 'static' }>): SourceState<readonly Pod[]> {
  const value = normalizePods(addresses.map((address) => ({ ...address, state: 'ready' })));
  return { kind: 'ready', value, problems: [] };
}
