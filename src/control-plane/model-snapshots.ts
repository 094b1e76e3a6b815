import { remember } from '../base/remember.ts';
import type { TranslateOptions } from '../dataplane/options.ts';
import { type Translation, translate, withoutServices } from '../dataplane/translate.ts';
import type { Model } from '../model/model.ts';
import type { Route } from '../model/route.ts';
import type { ServiceName } from '../model/service.ts';
import { keeping, type Snapshot, SnapshotMaker } from '../snapshot/snapshot.ts';
import type { RolloutView } from './rollout.ts';

/** So many new services, and routes, are translated at once. */
const AT_ONCE = 250;

const NOBODY: ReadonlySet<ServiceName> = new Set();

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

  /**
   * Makes what is new of the snapshot of a model, some of it with each step: the whole of 5,000 services at once would keep everything else waiting
   * for a third of a second. Without any of these steps the snapshot is the same.
   */
  *prepare(view: RolloutView): Generator<undefined, void, undefined> {
    const { routing, services } = view.model;
    const before = this.#last;
    const known = new Set(before?.services.map(({ service }) => service));
    const isNewService = ({ service }: Model['services'][number]) => !known.has(service);
    const isNewRoute = (route: Route) => before?.routes.has(route) !== true;
    const most = Math.max(services.filter(isNewService).length, routing.routes.filter(isNewRoute).length);
    for (let count = AT_ONCE; count < most; count += AT_ONCE) {
      const part = { ...routing, routes: withFirst(routing.routes, isNewRoute, count) };
      const model = { routing: part, services: withFirst(services, isNewService, count) };
      this.#last = translate(model, this.#options, this.#last);
      yield;
    }
    const isMany = Math.max(services.length, routing.routes.length) > AT_ONCE;
    if (!isMany || this.#translations.has(view.model)) return;
    // Looking at all of them takes its time as well, be only one of them new.
    this.#translation(view.model);
    yield;
    this.of(view, NOBODY);
    yield;
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

/** All that are not new, and the first of those that are. */
function withFirst<T>(all: readonly T[], isNew: (one: T) => boolean, count: number): readonly T[] {
  let left = count;
  return all.filter((one) => !isNew(one) || left-- > 0);
}
