import { createHash } from 'node:crypto';
import { copyMap } from '../base/copy-map.ts';
import { remember } from '../base/remember.ts';
import {
  type EncodedResource,
  groupByType,
  PUSH_ORDER,
  type ResourcesByType,
  TYPE_URLS,
  type TypeUrl,
  type XdsResource,
} from './resource.ts';

/** All resources of one type, by name in sorted order, and the version of the whole set. */
export interface TypeSnapshot {
  readonly version: string;
  readonly resources: ReadonlyMap<string, XdsResource>;
  /**
   * Names of which nothing is known: a client keeps what it has of them. Each with what it probably is, as a list in state of the
   * world cannot leave out what stays; undefined: nobody knows.
   */
  readonly kept?: ReadonlyMap<string, XdsResource | undefined>;
}

/** A complete, consistent configuration for one Envoy. */
export interface Snapshot {
  readonly version: string;
  readonly types: Readonly<Record<TypeUrl, TypeSnapshot>>;
}

/** What was made of a body before: the translation hands over the same bytes as long as nothing changed. */
interface Versioned {
  readonly clusterVersion: string;
  readonly resource: XdsResource;
}

function digest(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}

/** What the resources of one type came to. */
interface Made {
  readonly encoded: readonly EncodedResource[];
  readonly clusters: TypeSnapshot | undefined;
  /** Hash of all names. */
  readonly names: string;
}

/**
 * Makes snapshots, and remembers what it made of which bytes: most changes are of one type, and of few of its resources.
 * A body that is the same array as before is not hashed again and gives the same resource object, so that the cost
 * follows what changed: bodies must not be written to.
 */
export class SnapshotMaker {
  readonly #hashes = new WeakMap<Uint8Array, string>();
  readonly #versioned = new WeakMap<Uint8Array, Versioned>();
  readonly #made = new WeakMap<TypeSnapshot, Made>();
  #last: Snapshot | undefined;

  /**
   * Gives every resource its version, a hash of its bytes. The version of endpoints also depends on the
   * cluster of the same name: Envoy warms a changed cluster until it gets its endpoints anew, even unchanged
   * ones (xDS protocol, "Resource warming"), so they must count as changed with it.
   *
   * `before`: a snapshot from here that is much like it; the last one when left out. Throws when a type has one name
   * twice: the translation never makes that.
   */
  make(encoded: ResourcesByType, before: Snapshot | undefined = this.#last): Snapshot {
    const typeOf = (typeUrl: TypeUrl, clusters?: TypeSnapshot) =>
      this.#typeSnapshot(encoded[typeUrl], clusters, before?.types[typeUrl]);
    const clusters = typeOf(TYPE_URLS.cluster);
    const types = Object.fromEntries(
      PUSH_ORDER.map((typeUrl) => {
        if (typeUrl === TYPE_URLS.cluster) return [typeUrl, clusters];
        return [typeUrl, typeOf(typeUrl, typeUrl === TYPE_URLS.endpoints ? clusters : undefined)];
      }),
      // Object.fromEntries loses the keys' type; they are exactly PUSH_ORDER.
    ) as Record<TypeUrl, TypeSnapshot>;
    this.#last = { version: digest(PUSH_ORDER.map((typeUrl) => types[typeUrl].version).join(' ')), types };
    return this.#last;
  }

  #typeSnapshot(
    encoded: readonly EncodedResource[],
    clusters: TypeSnapshot | undefined,
    last: TypeSnapshot | undefined,
  ): TypeSnapshot {
    const before = last && this.#made.get(last);
    const fresh = before?.clusters === clusters ? changedIn(before?.encoded ?? [], encoded) : undefined;
    if (last === undefined || before === undefined || fresh === undefined) {
      return this.#keep({ encoded, clusters, names: namesOf(encoded) }, this.#readAll(encoded, clusters));
    }
    if (fresh.length === 0) return last;
    const resources = copyMap(last.resources);
    for (const each of fresh) resources.set(each.name, this.#withVersion(each, clusters));
    return this.#keep({ encoded, clusters, names: before.names }, resources);
  }

  #keep(made: Made, resources: ReadonlyMap<string, XdsResource>): TypeSnapshot {
    const versions = [...resources.values()].map(({ version }) => version);
    const snapshot = { version: digest(`${made.names}${versions.join('')}`), resources };
    this.#made.set(snapshot, made);
    return snapshot;
  }

  #readAll(encoded: readonly EncodedResource[], clusters: TypeSnapshot | undefined): ReadonlyMap<string, XdsResource> {
    const resources = new Map<string, XdsResource>();
    for (const each of encoded.toSorted(byName)) {
      if (resources.has(each.name)) throw new Error(`${each.typeUrl} ${each.name} is there twice`);
      resources.set(each.name, this.#withVersion(each, clusters));
    }
    return resources;
  }

  #withVersion(encoded: EncodedResource, clusters: TypeSnapshot | undefined): XdsResource {
    const { typeUrl, name, body } = encoded;
    const clusterVersion = clusters?.resources.get(name)?.version ?? '';
    const known = this.#versioned.get(body);
    // Two resources may share one array (empty ones do), so the name and type count as well.
    if (
      known?.clusterVersion === clusterVersion &&
      known.resource.name === name &&
      known.resource.typeUrl === typeUrl
    ) {
      return known.resource;
    }
    const hash = remember(this.#hashes, body, digest);
    const version = clusterVersion === '' ? hash : digest(`${hash} ${clusterVersion}`);
    const resource = { typeUrl, name, body, version };
    this.#versioned.set(body, { clusterVersion, resource });
    return resource;
  }
}

function byName(a: EncodedResource, b: EncodedResource): number {
  return a.name < b.name ? -1 : 1;
}

/** Those that are other objects than before; undefined: some have other names. */
function changedIn(
  before: readonly EncodedResource[],
  after: readonly EncodedResource[],
): readonly EncodedResource[] | undefined {
  if (before === after) return [];
  if (before.length !== after.length) return undefined;
  const changed = after.filter((each, at) => each !== before[at]);
  const known = before.filter((each, at) => each !== after[at]);
  return changed.every(({ name }, at) => name === known[at]?.name) ? changed : undefined;
}

function namesOf(encoded: readonly EncodedResource[]): string {
  // The length keeps ("ab", "c") apart from ("a", "bc"); versions all have the same length.
  const names = encoded.toSorted(byName).map(({ name }) => `${name.length}:${name}`);
  return digest(names.join(''));
}

/** One snapshot by itself; see `SnapshotMaker`. */
export function snapshotOfTypes(encoded: ResourcesByType): Snapshot {
  return new SnapshotMaker().make(encoded);
}

/** The same for resources of all types in one list. */
export function makeSnapshot(encoded: readonly EncodedResource[]): Snapshot {
  return snapshotOfTypes(groupByType(encoded));
}

/** The same, but a client keeps what it has of these clusters and their endpoints, whatever the snapshot has of them. */
export function keeping(snapshot: Snapshot, names: ReadonlySet<string>): Snapshot {
  if (names.size === 0) return snapshot;
  const key = [...names].sort().join(' ');
  const keep = ({ version, resources }: TypeSnapshot): TypeSnapshot => ({
    version: digest(`${version} keeps ${key}`),
    resources: new Map([...resources].filter(([name]) => !names.has(name))),
    kept: new Map([...names].map((name) => [name, resources.get(name)])),
  });
  const types = {
    ...snapshot.types,
    [TYPE_URLS.cluster]: keep(snapshot.types[TYPE_URLS.cluster]),
    [TYPE_URLS.endpoints]: keep(snapshot.types[TYPE_URLS.endpoints]),
  };
  return { version: digest(`${snapshot.version} keeps ${key}`), types };
}

/** The same, but of one type with these resources only. */
export function withOnly(snapshot: Snapshot, typeUrl: TypeUrl, names: ReadonlySet<string>): Snapshot {
  const { version, resources } = snapshot.types[typeUrl];
  const key = [...names].sort().join(' ');
  const only = {
    version: digest(`${version} only ${key}`),
    resources: new Map([...resources].filter(([name]) => names.has(name))),
  };
  return { version: digest(`${snapshot.version} only ${key}`), types: { ...snapshot.types, [typeUrl]: only } };
}

/** A configuration with nothing in it. */
export const emptySnapshot: Snapshot = makeSnapshot([]);
