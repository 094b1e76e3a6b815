import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { remember } from '../base/remember.ts';
import type { TranslateOptions } from '../dataplane/options.ts';
import type { OneIn } from '../dataplane/sampling.ts';
import { translate } from '../dataplane/translate.ts';
import type { Model } from '../model/model.ts';
import type { ServiceName } from '../model/service.ts';
import type { Carriers } from '../nodes/carriers.ts';
import { stages, withRoomForKicks } from '../slots/stages.ts';
import type { NodeIdentity, SnapshotCache } from '../snapshot/cache.ts';
import { PUSH_ORDER, type TypeUrl } from '../snapshot/resource.ts';
import { type Snapshot, snapshotOfTypes } from '../snapshot/snapshot.ts';

/** How a wait for Envoys' answers ended. */
type AckResult = 'acked' | 'nacked' | 'timeout' | 'no nodes';

/** The Envoys, as far as the controller needs them. */
export interface Envoys {
  /** Waits until every connected Envoy has answered what the cache holds now. */
  waitForAck(types: readonly TypeUrl[], timeoutMs: number): Promise<AckResult>;
  /** Sends a dummy request through a gate, and tells whether the line was too full for it; never rejects. */
  kick(gate: ServiceName): Promise<'full' | 'done'>;
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

/** A model as Envoys get it. */
interface Made {
  readonly model: Model;
  /** The sample that is told of, and the gates with room for a kick. */
  readonly settings: string;
  /** The snapshot for whoever does not carry these services. */
  readonly snapshotWithout: (absent: ReadonlySet<ServiceName>) => Snapshot;
}

/** What is out. */
interface Published {
  /** Version of the whole snapshot, and of who gets what of it. */
  readonly key: string;
  readonly version: string;
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly level: 'debug' | 'info';
}

const NONE: ReadonlySet<ServiceName> = new Set();

/** How long one stage waits for Envoys that do not answer before the next goes out. */
const STAGE_WAIT_MS = 1_000;

/** How long a slow Envoy's answer is waited for, with nothing else waiting for it, to tell of it. */
const LATE_WAIT_MS = 300_000;

/** Brings models to Envoy, in stages that are never over a limit, and wakes the lines whose limit was raised. */
export class Publisher {
  readonly #options: PublisherOptions;
  /** Gates whose kick is under way. */
  readonly #kicked = new Set<ServiceName>();
  /** Gates whose full lines have one place more, for the kick alone. */
  readonly #roomy = new Set<ServiceName>();
  readonly #kicks = new Set<Promise<void>>();
  /** Of requests that are answered, Envoys tell of one in so many. */
  #oneIn: OneIn = 1;
  /** What Envoys were given last. */
  #made: Made | undefined;
  #anewPublished: Promise<void> = Promise.resolve();
  #anewAsked: Promise<void> | undefined;
  #published: Published = { key: '', version: '', at: 0, level: 'info' };
  /** How Envoys have taken it is told. */
  #isTold = true;
  #isFollowed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Resolves when Envoy has `model`, or does not answer; kicks go on beside that. */
  async publish(before: Model | undefined, model: Model): Promise<void> {
    const { lowered, raised } = stages(before, model);
    for (const gate of raised) this.#kicked.add(gate);
    if (lowered !== undefined) await this.#publishModel(lowered, 'debug');
    await this.#publishModel(model, 'info');
    for (const gate of raised) {
      const kick = this.#kick(gate);
      this.#kicks.add(kick);
      void kick.then(() => this.#kicks.delete(kick));
    }
  }

  /** From now on Envoys are to tell of one in so many of the requests that are answered. */
  sample(oneIn: OneIn): void {
    this.#oneIn = oneIn;
    void this.#publishAnew();
  }

  /** Gates whose raised limit is still to take effect. */
  get kicked(): ReadonlySet<ServiceName> {
    return this.#kicked;
  }

  /** Resolves when all raised limits have taken effect. */
  async allKicked(): Promise<void> {
    await Promise.all(this.#kicks);
  }

  /** What is made of `model`: the same as before, if it is the same. */
  #make(model: Model): Made {
    const settings = [this.#oneIn, ...[...this.#roomy].sort()].join();
    if (this.#made?.model !== model || this.#made.settings !== settings) {
      this.#made = { model, settings, snapshotWithout: this.#snapshots(withRoomForKicks(model, this.#roomy)) };
    }
    return this.#made;
  }

  /** The snapshots of `model` by the services that an Envoy does not carry; Envoys that carry the same share one. */
  #snapshots(model: Model): (absent: ReadonlySet<ServiceName>) => Snapshot {
    const oneIn = this.#oneIn;
    const known = new Map<string, Snapshot>();
    const keys = new WeakMap<ReadonlySet<ServiceName>, string>();
    return (absent) => {
      const key = remember(keys, absent, () => [...absent].sort().join());
      const snapshot = known.get(key) ?? snapshotOfTypes(translate(model, this.#options.translate, absent, oneIn));
      known.set(key, snapshot);
      return snapshot;
    };
  }

  /**
   * Wakes a line. Mostly there is a place in it for the kick; a full one gets one more for the moment. Should a request
   * take that place before the kick comes, that request has woken the line.
   */
  async #kick(gate: ServiceName): Promise<void> {
    const { envoys } = this.#options;
    if ((await envoys.kick(gate)) === 'full') {
      this.#roomy.add(gate);
      await this.#publishAnew();
      await envoys.kick(gate);
      this.#roomy.delete(gate);
      void this.#publishAnew();
    }
    this.#kicked.delete(gate);
  }

  /**
   * Gives Envoys the model they have, with the room that lines are to have now, and the sample that is to be told of.
   * Who asks together is given it together.
   */
  #publishAnew(): Promise<void> {
    this.#anewAsked ??= this.#anewPublished.then(async () => {
      this.#anewAsked = undefined;
      const { model } = this.#made ?? {};
      this.#anewPublished = model === undefined ? Promise.resolve() : this.#publishModel(model, 'debug');
      await this.#anewPublished;
    });
    return this.#anewAsked;
  }

  async #publishModel(model: Model, level: 'debug' | 'info'): Promise<void> {
    const { cache, carriers, envoys, clock } = this.#options;
    carriers.follow(model);
    const { snapshotWithout } = this.#make(model);
    const { version } = snapshotWithout(NONE);
    const key = `${version} ${carriers.changes}`;
    if (key !== this.#published.key) {
      // What takes the place of one that nobody was told of is told as that one would have been.
      const isUntold = !this.#isTold && this.#published.level === 'info';
      const published: Published = { key, version, at: clock.monotonic(), level: isUntold ? 'info' : level };
      this.#published = published;
      this.#isTold = false;
      cache.select((node: NodeIdentity, stream) => {
        const given = carriers.given(node, stream);
        return given.kind === 'waits' ? undefined : snapshotWithout(given.absent);
      });
      const result = await envoys.waitForAck(PUSH_ORDER, STAGE_WAIT_MS);
      // One that went out meanwhile tells of itself.
      if (this.#published === published && !this.#isTold) this.#tell(result);
    } else if (!this.#isTold && !this.#isFollowed) {
      // Published when no Envoy was there; one has come.
      this.#published = { ...this.#published, at: clock.monotonic() };
    }
    // Nobody waits for it: a slow Envoy must hold up no change, and one that comes later comes when it comes.
    if (!this.#isTold) void this.#follow();
  }

  /** Tells once slow Envoys, or one that has come, have taken what is out. */
  async #follow(): Promise<void> {
    if (this.#isFollowed) return;
    this.#isFollowed = true;
    const followed = this.#published;
    const result = await this.#options.envoys.waitForAck(PUSH_ORDER, LATE_WAIT_MS);
    this.#isFollowed = false;
    if (this.#isTold || result === 'no nodes' || result === 'timeout') return;
    if (followed === this.#published) this.#tell(result);
    else await this.#follow();
  }

  #tell(result: AckResult): void {
    const { clock, log } = this.#options;
    const { version, at, level } = this.#published;
    const fields = { version, ms: Math.round(clock.monotonic() - at) };
    this.#isTold = result === 'acked' || result === 'nacked';
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
        log.info({ version }, 'configuration ready; no Envoy is connected yet');
        break;
    }
  }
}
