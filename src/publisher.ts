import type { Clock } from './base/clock.ts';
import { remember } from './base/remember.ts';
import type { Carriers } from './carriers.ts';
import type { Logger } from './log.ts';
import type { GateId } from './model/generation.ts';
import type { Model } from './model/model.ts';
import type { ServiceName } from './model/service.ts';
import { stages, withRoomForKicks } from './slots/stages.ts';
import type { NodeIdentity, SnapshotCache } from './snapshot/cache.ts';
import { PUSH_ORDER, type TypeUrl } from './snapshot/resource.ts';
import { type Snapshot, snapshotOfTypes } from './snapshot/snapshot.ts';
import type { TranslateOptions } from './translate/options.ts';
import { translate } from './translate/translate.ts';

/** How a wait for Envoys' answers ended. */
type AckResult = 'acked' | 'nacked' | 'timeout' | 'no nodes';

/** The Envoys, as far as the controller needs them. */
export interface Envoys {
  /** Waits until every connected Envoy has answered what the cache holds now. */
  waitForAck(types: readonly TypeUrl[], timeoutMs: number): Promise<AckResult>;
  /** Sends a dummy request through a gate; never rejects. */
  kick(gate: GateId): Promise<void>;
}

/** What the publisher works with. */
export interface PublisherOptions {
  readonly cache: SnapshotCache;
  /** Which Envoys are there, and which services each of them gets. */
  readonly carriers: Carriers;
  readonly envoys: Envoys;
  readonly translate: TranslateOptions;
  readonly clock: Clock;
  readonly log: Logger;
}

const NONE: ReadonlySet<ServiceName> = new Set();

/** How long one stage waits for Envoys that do not answer before the next goes out. */
const STAGE_WAIT_MS = 1_000;

/** Brings models to Envoy, in stages that are never over a limit, and wakes the lines whose limit was raised. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #afterKick: () => void;
  /** Gates whose kick is under way: their lines have one place more for it. */
  readonly #kicked = new Set<GateId>();
  /** Version of the whole snapshot that is out, and of who gets what of it. */
  #published = '';

  /** `afterKick`: a line has its own length again, so the model is to be published once more. */
  constructor(options: PublisherOptions, afterKick: () => void) {
    this.#options = options;
    this.#afterKick = afterKick;
  }

  /** Resolves when Envoy has `model`, or does not answer; kicks go on beside that. */
  async publish(before: Model | undefined, model: Model): Promise<void> {
    const { lowered, raised } = stages(before, model);
    for (const gate of raised) this.#kicked.add(gate);
    if (lowered !== undefined) await this.#publishModel(lowered, 'debug');
    await this.#publishModel(model, 'info');
    void this.#kick(raised);
  }

  /** The snapshots of `model` by the services that an Envoy does not carry; Envoys that carry the same share one. */
  #snapshots(model: Model): (absent: ReadonlySet<ServiceName>) => Snapshot {
    const known = new Map<string, Snapshot>();
    const keys = new WeakMap<ReadonlySet<ServiceName>, string>();
    return (absent) => {
      const key = remember(keys, absent, () => [...absent].sort().join());
      const snapshot = known.get(key) ?? snapshotOfTypes(translate(model, this.#options.translate, absent));
      known.set(key, snapshot);
      return snapshot;
    };
  }

  async #kick(gates: readonly GateId[]): Promise<void> {
    if (gates.length === 0) return;
    await Promise.all(gates.map((gate) => this.#options.envoys.kick(gate)));
    for (const gate of gates) this.#kicked.delete(gate);
    this.#afterKick();
  }

  async #publishModel(model: Model, level: 'debug' | 'info'): Promise<void> {
    const { cache, carriers, envoys, clock, log } = this.#options;
    carriers.follow(model);
    const snapshotWithout = this.#snapshots(withRoomForKicks(model, this.#kicked));
    const snapshot = snapshotWithout(NONE);
    const version = `${snapshot.version} ${carriers.changes}`;
    if (version === this.#published) return;
    this.#published = version;
    const start = clock.monotonic();
    cache.select((node: NodeIdentity) => {
      const given = carriers.given(node);
      return given.kind === 'waits' ? undefined : snapshotWithout(given.absent);
    });
    const result = await envoys.waitForAck(PUSH_ORDER, STAGE_WAIT_MS);
    const fields = { version: snapshot.version, ms: Math.round(clock.monotonic() - start) };
    switch (result) {
      case 'acked':
        log[level](fields, 'configuration in force');
        break;
      case 'nacked':
        log.error(fields, 'Envoy refuses a part of the configuration; what it had stays in force');
        break;
      case 'timeout':
        log.warn(fields, 'an Envoy has not answered yet');
        break;
      case 'no nodes':
        log.info({ version: snapshot.version }, 'configuration ready; no Envoy is connected yet');
        break;
    }
  }
}
