import type { Locator } from '../model/locator.ts';
import type { Pod } from '../model/pod.ts';
import type { SourceState } from '../model/source.ts';

/** Finds the pods of every locator of one kind and follows them as they come and go. */
export interface PodSource {
  /** What it is called in logs and in the status: `kubernetes`, `dns`. */
  readonly name: string;
  /**
   * Says which locators count from now on; may be called before and during `run`, as routes change. Locators of
   * another kind are ignored. What was known of one that stays wanted is kept.
   */
  want(locators: readonly Locator[]): void;
  /**
   * What is known of one locator now: normalized pods (see `normalizePods`), the same array until they change.
   * Cheap, may be called at any time; `pending` for a locator that is not wanted.
   */
  pods(locator: Locator): SourceState<readonly Pod[]>;
  /** Follows until `signal` is aborted, calling `changed` after every change of what `pods` says. Never rejects. */
  run(signal: AbortSignal, changed: () => void): Promise<void>;
}
