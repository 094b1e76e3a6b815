import type { Clock } from '../base/clock.ts';
import { Timers } from '../base/timers.ts';
import type { Problem } from '../model/problem.ts';
import { type ConnectedNode, describeTypes } from '../status/describe-node.ts';
import { lacksOf } from '../status/readiness.ts';

/** What `PendingEnvoys` works with. */
export interface PendingEnvoysOptions {
  readonly clock: Clock;
  readonly nodes: () => readonly ConnectedNode[];
  /** Told when there may be other problems. */
  readonly changed: () => void;
}

/** How often is looked. */
const LOOK_MS = 5000;

/** An Envoy takes what it is sent within a second; with thousands of services, on a busy machine, within some. */
const PATIENCE_MS = 10_000;

const FIX =
  'its log and the CPU time that it takes say more; one that stands still, or waits for something that does not come, has to be started again';

/** Envoys that have not taken for long what they are to have, without having rejected it. */
export class PendingEnvoys {
  readonly #options: PendingEnvoysOptions;
  readonly #timers: Timers;
  /** Since when each lacks something, in monotonic milliseconds. */
  readonly #since = new Map<string, number>();
  #problems: readonly Problem[] = [];

  constructor(options: PendingEnvoysOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#lookLater();
  }

  /** As of the last look; of Envoys that have no other problem. */
  problems(others: readonly Problem[]): readonly Problem[] {
    const told = new Set(others.map(({ subject }) => subject));
    return this.#problems.filter(({ subject }) => !told.has(subject));
  }

  /** Ends all waiting. */
  stop(): void {
    this.#timers.stop();
  }

  #lookLater(): void {
    this.#timers.after(LOOK_MS, () => {
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const { clock, nodes, changed } = this.#options;
    const now = clock.monotonic();
    // Others ask for what they like.
    const envoys = nodes().filter(({ userAgent }) => userAgent.startsWith('envoy'));
    const gone = new Set(this.#since.keys());
    const found: Problem[] = [];
    for (const node of envoys) {
      const { id } = node.node;
      const lacks = lacksOf({ types: describeTypes(node) });
      if (lacks.length === 0) continue;
      gone.delete(id);
      const since = this.#since.get(id) ?? now;
      this.#since.set(id, since);
      if (now - since < PATIENCE_MS) continue;
      const message = `has not taken what there is for it, though that is long ago: ${lacks.join(', ')}`;
      found.push({ severity: 'warning', subject: `Envoy ${id}`, message, fix: FIX });
    }
    for (const id of gone) this.#since.delete(id);
    const isSame = JSON.stringify(found) === JSON.stringify(this.#problems);
    this.#problems = found;
    if (!isSame) changed();
  }
}
