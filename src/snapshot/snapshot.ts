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
  /** Names of which nothing is known: a client keeps what it has of them. Delta only. */
  readonly kept?: ReadonlySet<string>;
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

const hashes = new WeakMap<Uint8Array, string>();
const versioned = new WeakMap<Uint8Array, Versioned>();

function digest(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}

/** The hash of a body, computed once per array: a body is never written to after it was encoded. */
function bodyHash(body: Uint8Array): string {
  return remember(hashes, body, digest);
}

function withVersion(encoded: EncodedResource, clusters: TypeSnapshot | undefined): XdsResource {
  const { typeUrl, name, body } = encoded;
  const clusterVersion = clusters?.resources.get(name)?.version ?? '';
  const known = versioned.get(body);
  // Two resources may share one array (empty ones do), so the name and type count as well.
  if (known?.clusterVersion === clusterVersion && known.resource.name === name && known.resource.typeUrl === typeUrl) {
    return known.resource;
  }
  const version = clusterVersion === '' ? bodyHash(body) : digest(`${bodyHash(body)} ${clusterVersion}`);
  const resource = { typeUrl, name, body, version };
  versioned.set(body, { clusterVersion, resource });
  return resource;
}

/** What the resources of one type came to. */
interface Made {
  readonly encoded: readonly EncodedResource[];
  readonly clusters: TypeSnapshot | undefined;
  /** Hash of all names. */
  readonly names: string;
  readonly resources: ReadonlyMap<string, XdsResource>;
  readonly snapshot: TypeSnapshot;
}

/** The last one of each type: most changes are of one type, and of few of its resources. */
const made = new Map<TypeUrl, Made>();

function typeSnapshot(
  typeUrl: TypeUrl,
  encoded: readonly EncodedResource[],
  clusters: TypeSnapshot | undefined,
): TypeSnapshot {
  const before = made.get(typeUrl);
  const fresh = before?.clusters === clusters && changedIn(before?.encoded ?? [], encoded);
  if (before === undefined || !fresh) return make(typeUrl, { encoded, clusters, ...readAll(encoded, clusters) });
  if (fresh.length === 0) return before.snapshot;
  const resources = copyMap(before.resources);
  for (const each of fresh) resources.set(each.name, withVersion(each, clusters));
  return make(typeUrl, { encoded, clusters, names: before.names, resources });
}

function make(typeUrl: TypeUrl, content: Omit<Made, 'snapshot'>): TypeSnapshot {
  const { names, resources } = content;
  const versions = [...resources.values()].map(({ version }) => version);
  const snapshot = { version: digest(`${names}${versions.join('')}`), resources };
  made.set(typeUrl, { ...content, snapshot });
  return snapshot;
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

function readAll(encoded: readonly EncodedResource[], clusters: TypeSnapshot | undefined) {
  const resources = new Map<string, XdsResource>();
  for (const each of encoded.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (resources.has(each.name)) throw new Error(`${each.typeUrl} ${each.name} is there twice`);
    resources.set(each.name, withVersion(each, clusters));
  }
  // The length keeps ("ab", "c") apart from ("a", "bc"); versions all have the same length.
  const names = digest([...resources.keys()].map((name) => `${name.length}:${name}`).join(''));
  return { names, resources };
}

/**
 * Gives every resource its version, a hash of its bytes. The version of endpoints also depends on the
 * cluster of the same name: Envoy warms a changed cluster until it gets its endpoints anew, even unchanged
 * ones (xDS protocol, "Resource warming"), so they must count as changed with it.
 *
 * A body that is the same array as before is not hashed again and gives the same resource object, so that the
 * cost follows what changed: bodies must not be written to. Throws when a type has one name twice: the
 * translation never makes that.
 */
export function snapshotOfTypes(encoded: ResourcesByType): Snapshot {
  const clusters = typeSnapshot(TYPE_URLS.cluster, encoded[TYPE_URLS.cluster], undefined);
  const types = Object.fromEntries(
    PUSH_ORDER.map((typeUrl) => [
      typeUrl,
      typeSnapshot(typeUrl, encoded[typeUrl], typeUrl === TYPE_URLS.endpoints ? clusters : undefined),
    ]),
    // Object.fromEntries loses the keys' type; they are exactly PUSH_ORDER.
  ) as Record<TypeUrl, TypeSnapshot>;
  return { version: digest(PUSH_ORDER.map((typeUrl) => types[typeUrl].version).join(' ')), types };
}

/** The same for resources of all types in one list. */
export function makeSnapshot(encoded: readonly EncodedResource[]): Snapshot {
  return snapshotOfTypes(groupByType(encoded));
}

/**
 * The same, but a client keeps what it has of these clusters and their endpoints, whatever the snapshot has of them. In
 * state of the world a list of clusters cannot leave one out and keep it.
 */
export function keeping(snapshot: Snapshot, names: ReadonlySet<string>): Snapshot {
  if (names.size === 0) return snapshot;
  const key = [...names].sort().join(' ');
  const keep = ({ version, resources }: TypeSnapshot): TypeSnapshot => ({
    version: digest(`${version} keeps ${key}`),
    resources: new Map([...resources].filter(([name]) => !names.has(name))),
    kept: names,
  });
  const types = {
    ...snapshot.types,
    [TYPE_URLS.cluster]: keep(snapshot.types[TYPE_URLS.cluster]),
    [TYPE_URLS.endpoints]: keep(snapshot.types[TYPE_URLS.endpoints]),
  };
  return { version: digest(`${snapshot.version} keeps ${key}`), types };
}

/** A configuration with nothing in it. */
export const emptySnapshot: Snapshot = makeSnapshot([]);
