import type { Snapshot } from './snapshot.ts';

/** Who a client says it is, from the first request of its stream. */
export interface NodeIdentity {
  readonly id: string;
  readonly cluster: string;
  /** The node's metadata as plain JSON. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * Which snapshot a node gets now; undefined: none yet, so it waits. `stream` is the one of its streams that asks, by the
 * number in `StreamIdentity`; undefined: nobody in particular.
 */
export type SnapshotFor = (node: NodeIdentity, stream?: number) => Snapshot | undefined;

/** Who wants to know what changes. */
export interface CacheListener {
  /** Any node may get another snapshot than before. */
  changed(): void;
  /** These nodes may, and no others. */
  changedFor?(nodes: ReadonlySet<string>): void;
}

/** The active configuration of each node, and who wants to know when it changes. */
export class SnapshotCache {
  #select: SnapshotFor = () => undefined;
  #common: Snapshot | undefined;
  #changes = 0;
  readonly #listeners = new Set<CacheListener>();

  /** How often it has changed: 0 before the first snapshot. */
  get changes(): number {
    return this.#changes;
  }

  /** Gives every node the same snapshot. One of the same version as before changes nothing and tells nobody. */
  set(snapshot: Snapshot): void {
    if (this.#common?.version === snapshot.version) return;
    this.#common = snapshot;
    this.#select = () => snapshot;
    this.#changed();
  }

  /** Chooses the snapshot per node. `select` is called once per stream and change: it must be pure and quick. */
  select(select: SnapshotFor): void {
    this.#common = undefined;
    this.#select = select;
    this.#changed();
  }

  /** What `node` gets now. */
  get(node: NodeIdentity, stream?: number): Snapshot | undefined {
    return this.#select(node, stream);
  }

  /** These nodes may get another snapshot than before by the same choice: nobody else is looked at. */
  reselect(nodes: ReadonlySet<string>): void {
    if (nodes.size > 0) for (const listener of this.#listeners) listener.changedFor?.(nodes);
  }

  /** Tells `listener` of every change, until the returned function is called. */
  subscribe(listener: CacheListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#changes++;
    for (const listener of this.#listeners) listener.changed();
  }
}
