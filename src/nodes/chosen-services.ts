import type { NodeIdentity } from '../snapshot/cache.ts';

/** Which services an Envoy is there for, by its node metadata. */
export interface ChosenServices {
  /** Undefined: all. */
  readonly services: ReadonlySet<string> | undefined;
  /** Its metadata names them in a form that cannot be read: it gets none. */
  readonly unreadable: boolean;
}

/** The services that a node's metadata names: `{sluice: {services: [codec]}}`. */
export function chosenServices(metadata: NodeIdentity['metadata']): ChosenServices {
  const own = metadata['sluice'];
  if (own === undefined) return { services: undefined, unreadable: false };
  const services = typeof own === 'object' && own !== null && 'services' in own ? own.services : undefined;
  if (services === undefined) return { services: undefined, unreadable: false };
  if (Array.isArray(services) && services.every((name) => typeof name === 'string')) {
    return { services: new Set<string>(services), unreadable: false };
  }
  return { services: new Set(), unreadable: true };
}
