import { MOST_REQUESTS, type Slots } from '../../model/service.ts';

/** The annotation of a Pod with the limit of its own. */
export const LIMIT_ANNOTATION = 'sluice.dev/limit';

/** What Sluice keeps of a Pod. */
export interface KubePod {
  readonly name: string;
  readonly uid: string;
  /** What its annotation says, read; `unreadable` is its text. */
  readonly limit: Slots | { readonly unreadable: string } | undefined;
}

/** As the API server has it: of Pods nothing but the metadata is asked for. */
interface PodObject {
  readonly metadata?: {
    readonly name?: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** Keeps what matters of a Pod; undefined for an object without a name. */
export function readPod({ metadata }: PodObject): KubePod | undefined {
  const { name, uid = '', annotations } = metadata ?? {};
  return name === undefined ? undefined : { name, uid, limit: limitIn(annotations?.[LIMIT_ANNOTATION]) };
}

function limitIn(text: string | undefined): KubePod['limit'] {
  if (text === undefined) return undefined;
  const limit = /^\s*\d+\s*$/.test(text) ? Number(text) : 0;
  // A whole number above 0 is what the brand stands for.
  return limit >= 1 && limit <= MOST_REQUESTS ? (limit as Slots) : { unreadable: text };
}

/** The Pods of a namespace. Each change returns the uids of those of which something may be different now. */
export class PodIndex {
  readonly #byName = new Map<string, KubePod>();
  readonly #byUid = new Map<string, KubePod>();

  /** The Pod with this uid, if there is one. A Pod that was made anew under the same name is another one. */
  pod(uid: string): KubePod | undefined {
    return this.#byUid.get(uid);
  }

  /** A new or changed Pod. */
  put(pod: KubePod): readonly string[] {
    const before = this.#byName.get(pod.name);
    if (before?.uid === pod.uid && sameLimit(before.limit, pod.limit)) return [];
    const gone = before === undefined || before.uid === pod.uid ? [] : this.remove(pod.name);
    this.#byName.set(pod.name, pod);
    this.#byUid.set(pod.uid, pod);
    return [...gone, pod.uid];
  }

  /** A deleted Pod. */
  remove(name: string): readonly string[] {
    const before = this.#byName.get(name);
    if (before === undefined) return [];
    this.#byName.delete(name);
    this.#byUid.delete(before.uid);
    return [before.uid];
  }

  /** A complete list: those that are not in it are gone. */
  replace(pods: readonly KubePod[]): readonly string[] {
    const listed = new Set(pods.map(({ name }) => name));
    const gone = [...this.#byName.keys()].filter((name) => !listed.has(name));
    return [...gone.flatMap((name) => this.remove(name)), ...pods.flatMap((pod) => this.put(pod))];
  }
}

function sameLimit(a: KubePod['limit'], b: KubePod['limit']): boolean {
  return typeof a === 'object' && typeof b === 'object' ? a.unreadable === b.unreadable : a === b;
}
