import { byAge } from '../../model/origin.ts';
import { type KubeObject, keyOf, type Objects, originOf, type Resource } from './object.ts';

interface Kept<T> {
  readonly byKey: Map<string, T>;
  /** Undefined: to be sorted anew. */
  sorted: readonly T[] | undefined;
}

/** Objects as the watches tell them. Each change returns whether anything is different now. */
export class ObjectStore implements Objects {
  // Each resource's objects are of its own type: `#kept` is the only one that takes them out.
  readonly #all = new Map<string, Kept<KubeObject>>();

  all<T extends KubeObject>(resource: Resource<T>): readonly T[] {
    const kept = this.#kept(resource);
    kept.sorted ??= [...kept.byKey.values()]
      .map((object) => ({ object, origin: originOf(resource.kind, object) }))
      .sort((a, b) => byAge(a.origin, b.origin))
      .map(({ object }) => object);
    return kept.sorted;
  }

  get<T extends KubeObject>(resource: Resource<T>, namespace: string, name: string): T | undefined {
    return this.#kept(resource).byKey.get(keyOf({ namespace, name }));
  }

  put<T extends KubeObject>(resource: Resource<T>, object: T): boolean {
    const kept = this.#kept(resource);
    const key = keyOf(object.metadata);
    if (isNews(kept.byKey.get(key), object)) {
      kept.byKey.set(key, object);
      kept.sorted = undefined;
      return true;
    }
    return false;
  }

  remove<T extends KubeObject>(resource: Resource<T>, namespace: string, name: string): boolean {
    const kept = this.#kept(resource);
    const isKnown = kept.byKey.delete(keyOf({ namespace, name }));
    if (isKnown) kept.sorted = undefined;
    return isKnown;
  }

  /** A complete list: what is not in it is gone. */
  replace<T extends KubeObject>(resource: Resource<T>, objects: readonly T[]): boolean {
    const kept = this.#kept(resource);
    const listed = new Set(objects.map(({ metadata }) => keyOf(metadata)));
    const gone = [...kept.byKey.keys()].filter((key) => !listed.has(key));
    for (const key of gone) kept.byKey.delete(key);
    if (gone.length > 0) kept.sorted = undefined;
    const changed = objects.map((object) => this.put(resource, object));
    return gone.length > 0 || changed.some(Boolean);
  }

  #kept<T extends KubeObject>({ kind }: Resource<T>): Kept<T> {
    const kept = this.#all.get(kind) ?? { byKey: new Map(), sorted: undefined };
    this.#all.set(kind, kept);
    // Only `put` with the resource of this kind has put objects there.
    return kept as Kept<T>;
  }
}

/** An event may come after the answer to a write that it tells of, or tell of a time before it. */
function isNews(before: KubeObject | undefined, after: KubeObject): boolean {
  if (before === undefined || before.metadata.uid !== after.metadata.uid) return true;
  const [was, is] = [Number(before.metadata.resourceVersion), Number(after.metadata.resourceVersion)];
  // Versions of one object are numbers that grow (KEP-5504); anything else is taken as it comes.
  return Number.isNaN(was) || Number.isNaN(is) || is > was;
}
