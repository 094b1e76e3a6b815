import { remember } from '../base/remember.ts';
import type { TranslateOptions } from '../dataplane/options.ts';
import { type Translation, translate, withoutServices } from '../dataplane/translate.ts';
import type { Model } from '../model/model.ts';
import type { ServiceName } from '../model/service.ts';
import { keeping, type Snapshot, SnapshotMaker } from '../snapshot/snapshot.ts';
import type { RolloutView } from './rollout.ts';

/** The snapshots that models come to. Envoys that are to have the same share one. */
export class ModelSnapshots {
  readonly #options: TranslateOptions;
  readonly #maker = new SnapshotMaker();
  readonly #translations = new WeakMap<Model, Translation>();
  readonly #known = new WeakMap<Model, Map<string, Snapshot>>();
  readonly #keys = new WeakMap<ReadonlySet<ServiceName>, string>();
  #last: Translation | undefined;

  constructor(options: TranslateOptions) {
    this.#options = options;
  }

  /** The snapshot for an Envoy that does not get these services. `before`: what it had, of which most stays. */
  of({ model, kept }: RolloutView, absent: ReadonlySet<ServiceName>, before?: Snapshot): Snapshot {
    const known = remember(this.#known, model, () => new Map<string, Snapshot>());
    return remember(known, `${this.#key(absent)} ${this.#key(kept)}`, () => {
      const resources = withoutServices(this.#translation(model).resources, absent);
      return keeping(this.#maker.make(resources, before), kept);
    });
  }

  #translation(model: Model): Translation {
    // Views of Envoys differ in a few services at most, and for a moment: any is a good one to begin with.
    this.#last = remember(this.#translations, model, () => translate(model, this.#options, this.#last));
    return this.#last;
  }

  #key(names: ReadonlySet<ServiceName>): string {
    return remember(this.#keys, names, () => [...names].join());
  }
}
