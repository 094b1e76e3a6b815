import type { ListenerName } from '../model/listener.ts';
import { type Canonical, type Merged, merge } from '../model/merge.ts';
import type { Problem } from '../model/problem.ts';
import type { Routing, RoutingPart } from '../model/routing.ts';
import type { Source, SourceState } from '../model/source.ts';

/** Where routes come from: a file, objects, or both. */
export interface RouteSources {
  readonly file: Source<Routing> | undefined;
  readonly objects: ObjectsSource | undefined;
}

/** Routes from objects. */
export interface ObjectsSource extends Source<readonly RoutingPart[]> {
  readonly canonical: Canonical;
}

const NONE: ReadonlySet<ListenerName> = new Set();

const NOTHING: SourceState<never> = { kind: 'pending', problems: [] };

/** The routes of all sources as those of one. */
export class MergedRoutes implements Source<Routing> {
  readonly name = 'routes';
  readonly #sources: RouteSources;
  #merged: { readonly parts: readonly RoutingPart[]; readonly result: Merged } | undefined;
  #filePart: { readonly routing: Routing; readonly part: RoutingPart } | undefined;

  constructor(sources: RouteSources) {
    this.#sources = sources;
  }

  state(): SourceState<Routing> {
    const { file, objects } = this.#sources;
    if (objects === undefined) return file?.state() ?? NOTHING;
    const states = [file?.state(), objects.state()].filter((state) => state !== undefined);
    const problems = states.flatMap((state) => state.problems);
    // Half of the routes would take the other half away from Envoys that have it.
    const [ofFile, ofObjects] = [file?.state(), objects.state()];
    if (ofFile?.kind === 'pending' || ofObjects.kind === 'pending') return { kind: 'pending', problems };
    const parts = [...(ofFile === undefined ? [] : [this.#partOf(ofFile.value)]), ...ofObjects.value];
    const result = this.#merge(parts, objects.canonical);
    const all: readonly Problem[] = [...problems, ...result.problems];
    const since = [ofFile, ofObjects].flatMap((state) => (state?.kind === 'stale' ? [state.since] : []));
    return since.length === 0
      ? { kind: 'ready', value: result.routing, problems: all }
      : { kind: 'stale', value: result.routing, problems: all, since: Math.min(...since) };
  }

  /** Listeners of objects that cannot be there beside those of the file. */
  get refused(): ReadonlySet<ListenerName> {
    return this.#merged?.result.refused ?? NONE;
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    const { file, objects } = this.#sources;
    await Promise.all([file?.run(signal, changed), objects?.run(signal, changed)]);
  }

  /** The same for the same parts, so that readers see at once that nothing is to be done. */
  #merge(parts: readonly RoutingPart[], canonical: Canonical): Merged {
    const before = this.#merged;
    const isSame = before?.parts.length === parts.length && parts.every((part, at) => part === before.parts[at]);
    if (before !== undefined && isSame) return before.result;
    const result = merge(parts, canonical);
    this.#merged = { parts, result };
    return result;
  }

  #partOf(routing: Routing): RoutingPart {
    if (this.#filePart?.routing !== routing) {
      const part = { ...routing, source: 'route file', implied: new Set<never>(), problems: [] };
      this.#filePart = { routing, part };
    }
    return this.#filePart.part;
  }
}
