import type { XdsResource } from '../../snapshot/resource.ts';

/** What fits into one response. */
export interface Fill {
  readonly resources: readonly XdsResource[];
  /** The size of their bodies in bytes. */
  readonly bytes: number;
  /** Whether something may be left over. */
  readonly more: boolean;
}

/** Takes from `due` what fits into `maxBytes`, but at least one; one of `alone` gets a response to itself. */
export function fill(due: Iterable<XdsResource>, alone: ReadonlySet<string>, maxBytes: number): Fill {
  const resources: XdsResource[] = [];
  let bytes = 0;
  for (const resource of due) {
    const single = alone.has(resource.name);
    if (resources.length > 0 && (single || bytes + resource.body.length > maxBytes))
      return { resources, bytes, more: true };
    resources.push(resource);
    bytes += resource.body.length;
    if (single) return { resources, bytes, more: true };
  }
  return { resources, bytes, more: false };
}

/** The names that are not among `resources`. */
export function without(names: ReadonlySet<string>, resources: readonly XdsResource[]): ReadonlySet<string> {
  if (names.size === 0) return names;
  const sent = new Set(resources.map((resource) => resource.name));
  return new Set([...names].filter((name) => !sent.has(name)));
}
