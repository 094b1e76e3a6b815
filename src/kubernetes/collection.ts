import type { ApiFailure, Part } from './api.ts';

/** All objects of one resource, in one namespace or in all. */
export interface Collection<T> {
  /** `/api/v1/namespaces/x/services`, or `/api/v1/services` for those of all namespaces. */
  readonly path: string;
  /** Only objects that have this label. */
  readonly label?: string;
  /** Only objects with this value of a field: `type=kubernetes.io/tls`. */
  readonly field?: string;
  /** How much of each object is asked for; undefined: the whole. */
  readonly part?: Part;
  /** Keeps what matters of an object; undefined: nothing of it does. May throw on what no API server would send. */
  read(object: unknown): T | undefined;
}

/** Who is told what is in a collection. */
export interface CollectionSink<T> {
  /** The complete truth of this moment. */
  replaced(items: readonly T[]): void;
  put(item: T): void;
  removed(name: string, namespace: string): void;
  /** What is known is up to date from now on. */
  current(): void;
  /** What is known may be out of date, from `since` on (milliseconds since the Unix epoch); attempts go on. */
  failed(verb: 'list' | 'watch', failure: ApiFailure, since: number): void;
}
