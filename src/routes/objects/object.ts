import type { Origin } from '../../model/origin.ts';

/*
 * Kubernetes objects as routes are made of them. Whatever the kind: its own folder reads it, and what several kinds need
 * (Services, Secrets, Namespaces, their limits, conditions) is here.
 */

/** What every object has. */
export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Any object. */
export interface KubeObject {
  readonly metadata: Metadata;
}

/** One kind of object, and where all of that kind are in the API; `T` is what is kept of one. */
export interface Resource<T extends KubeObject> {
  /** `HTTPRoute`; unique among resources. */
  readonly kind: string;
  /** Empty for the core group. */
  readonly group: string;
  /** `v1` */
  readonly version: string;
  /** `httproutes` */
  readonly plural: string;
  readonly namespaced: boolean;
  /** Only objects with this value of a field. */
  readonly field?: string;
  /** Whether it may be missing in the API server without a word: not everybody has it. */
  readonly optional?: true;
  /** Keeps what matters of an object. */
  read(object: T): T;
}

/** Where all objects of a resource are: `/apis/gateway.networking.k8s.io/v1/httproutes`. */
export function collectionPath({ group, version, plural }: Pick<Resource<KubeObject>, 'group' | 'version' | 'plural'>) {
  return `${group === '' ? '/api' : `/apis/${group}`}/${version}/${plural}`;
}

/** Where one object is. */
export function objectPath(resource: Omit<Resource<KubeObject>, 'read'>, { name, namespace }: Metadata): string {
  const { group, version, plural, namespaced } = resource;
  const root = `${group === '' ? '/api' : `/apis/${group}`}/${version}`;
  const folder = namespaced ? `${root}/namespaces/${encodeURIComponent(namespace ?? '')}` : root;
  return `${folder}/${plural}/${encodeURIComponent(name)}`;
}

/** All objects that are known now. */
export interface Objects {
  /** In the order of their age, then of namespace and name; the same array until one of them changes. */
  all<T extends KubeObject>(resource: Resource<T>): readonly T[];
  get<T extends KubeObject>(resource: Resource<T>, namespace: string, name: string): T | undefined;
}

/** Its identity and age. */
export function originOf(kind: string, { metadata }: KubeObject): Origin {
  const created = Date.parse(metadata.creationTimestamp ?? '');
  return {
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    created: Number.isNaN(created) ? 0 : created,
  };
}

/** `shop/checkout`: how an object is found among those of its kind. */
export function keyOf({ namespace = '', name }: Pick<Metadata, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** The object without what is only for tools: it can be as large as all the rest. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { metadata } = object;
  const { name, namespace, uid, generation, resourceVersion, creationTimestamp, labels, annotations } = metadata;
  const known: Metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return { ...object, metadata: known };
}
