import type { Planned } from '../../../test/e2e/kit/load-plan.ts';
import type { PodProtocol } from '../../../test/e2e/kit/pods.ts';
import type { OpponentName, QueueOrder } from '../opponents/opponent.ts';

/** Something that happens to the pods during a run; `at` is in milliseconds after its start, pods are numbered from 0. */
export type PodChange =
  | { readonly kind: 'members'; readonly at: number; readonly members: readonly number[] }
  | { readonly kind: 'dies'; readonly at: number; readonly pod: number }
  | { readonly kind: 'returns'; readonly at: number; readonly pod: number };

/** What is done in one run: the same for every opponent. */
export interface Plan {
  readonly requests: readonly Planned[];
  readonly changes: readonly PodChange[];
}

/** Which pictures show a scenario best, beside the responses: what pods hold, how things change as the load rises, or how long each group waits. */
export type Picture = 'response' | 'pods' | 'rising' | 'groups';

/** One comparison. */
export interface Scenario {
  /** Names it on the command line and in file names. */
  readonly name: string;
  readonly title: string;
  /** What happens and why it matters, in Markdown. */
  readonly about: string;
  /** Pods that are started; those after `members` come into play by a change. */
  readonly pods: number;
  /** Pods that opponents know at the start. */
  readonly members: number;
  /** Requests that a pod works on at a time. */
  readonly limit: number;
  readonly protocol: PodProtocol;
  /** Sluice and the plain Envoys check the pods' health so often, in milliseconds; not at all when left out. */
  readonly checkEvery?: number;
  readonly opponents: readonly OpponentName[];
  /**
   * Together: all opponents at the same time, each with pods of its own, where jobs are long and the machine is idle
   * nearly always. In turn: one after the other, in an order that rotates, where the machine's speed is what counts.
   */
  readonly how: 'together' | 'in turn';
  readonly picture: Picture;
  /** For a load that rises: from which share of what the pods can do to which. */
  readonly load?: { readonly from: number; readonly to: number };
  /** What the queue is to know of requests; nothing when left out. */
  readonly order?: QueueOrder;
  /** What the ids of requests begin with: those of each are judged apart as well. */
  readonly groups?: readonly string[];
  /** How often it is run: in full, and with --quick (0: then it is left out). */
  readonly repeats: { readonly full: number; readonly quick: number };
  plan(seed: number, quick: boolean): Plan;
}

/** The numbers from `first` to `last`, both included. */
export function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
