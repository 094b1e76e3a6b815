import { ok } from '../../base/result.ts';
import type { Locator } from '../../model/locator.ts';
import type { Problem } from '../../model/problem.ts';
import type { PodTls, Protocol, Service, ServiceName } from '../../model/service.ts';
import type { ServiceObject, ServicePort } from './core.ts';
import { annotationWords, type Keys, settle, type Words } from './service-settings.ts';

/** What makes services of Kubernetes Services. */
export interface ObjectServiceTools {
  /** What policies say of a Service. */
  readonly policyOf: (service: ServiceObject) => Words | undefined;
  /** Services as they were understood before, by name: settings that cannot be read do not replace good ones. */
  readonly before: ReadonlyMap<ServiceName, Service>;
}

/** A port of a Service that something leads to, and what that says of it. */
export interface WantedService {
  readonly object: ServiceObject;
  readonly port: ServicePort;
  /** Counts where the Service itself and its policies say nothing. */
  readonly words?: Words | undefined;
  /** How its pods are spoken to where nobody says it; undefined: in no way that is known. */
  readonly protocol: Protocol | undefined;
  readonly tls?: PodTls | undefined;
}

/** The service that was made, or why none could be. */
export type MadeService =
  | { readonly kind: 'made'; readonly service: Service }
  | { readonly kind: 'unreadable' | 'protocol'; readonly message: string };

/**
 * Why nobody is led to a Service of this type; undefined: somebody may. Who may write one may not let clients reach whatever
 * Envoy reaches, its own admin among it (CVE-2021-25740).
 */
export function externalFault({ metadata, spec }: ServiceObject): string | undefined {
  if (spec?.type !== 'ExternalName') return undefined;
  const { namespace = '', name } = metadata;
  return `Service ${namespace}/${name} is of type ExternalName, which is not followed: write a service of the route file with dns`;
}

/** The name of a service that is a port of a Kubernetes Service. The same in every kind of routes. */
export function serviceNameOf(namespace: string, name: string, port: number): ServiceName {
  // Slashes keep it apart from every name of the route file.
  return `${namespace}/${name}/${port}` as ServiceName;
}

/** Services that routes of objects lead to, each made once, with everything that is wrong with them. */
export class ObjectServices {
  readonly #tools: ObjectServiceTools;
  readonly #made = new Map<ServiceName, MadeService>();
  readonly #services = new Map<ServiceName, Service>();
  readonly #implied = new Set<ServiceName>();
  readonly #problems: Problem[] = [];

  constructor(tools: ObjectServiceTools) {
    this.#tools = tools;
  }

  /** All that were made so far. */
  get services(): ReadonlyMap<ServiceName, Service> {
    return this.#services;
  }

  /** Those of which nothing is said but where they are. */
  get implied(): ReadonlySet<ServiceName> {
    return this.#implied;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** The service of a port; what is said of it the first time counts. */
  make(wanted: WantedService): MadeService {
    const { metadata } = wanted.object;
    const name = serviceNameOf(metadata.namespace ?? '', metadata.name, wanted.port.port);
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const made = this.#make(name, wanted);
    this.#made.set(name, made);
    return made;
  }

  #make(name: ServiceName, { object, port, words: others, protocol, tls }: WantedService): MadeService {
    const { policyOf, before } = this.#tools;
    const { namespace = '', name: serviceName } = object.metadata;
    const own = policyOf(object) ?? annotationWords(object);
    const words = own === undefined || others === undefined ? (own ?? others) : under(others, own);
    if (protocol === undefined && words?.keys['protocol'] === undefined) {
      const message = `Service ${namespace}/${serviceName} port ${port.port} has appProtocol ${port.appProtocol}, which is not spoken here`;
      return { kind: 'protocol', message };
    }
    const locator: Locator = {
      kind: 'kubernetes',
      namespace,
      service: serviceName,
      port: { kind: 'service', port: port.port },
    };
    const settled = settle(name, locator, words, protocol ?? 'http1');
    if (words === undefined && tls === undefined) this.#implied.add(name);
    if (!settled.ok) this.#problems.push(...settled.errors);
    const said = settled.ok ? settled : before.has(name) ? ok(before.get(name)) : settled;
    if (!said.ok || said.value === undefined) {
      const faults = settled.ok ? [] : settled.errors.map(({ path = '', message }) => `${path} ${message}`);
      const message = `what is said of Service ${namespace}/${serviceName} cannot be read: ${faults.join('; ')}`;
      return { kind: 'unreadable', message };
    }
    const service = tls === undefined ? said.value : { ...said.value, tls };
    this.#services.set(name, service);
    return { kind: 'made', service };
  }
}

/** What a Service says itself, and where it says nothing what others say. */
function under(others: Words, own: Words): Words {
  const keys = merged(others.keys, own.keys);
  // With a limit the next request goes to the first free pod, whatever others thought of.
  const { balance: _, ...rest } = keys;
  return { subject: own.subject, keys: keys['limit'] === undefined ? keys : rest };
}

function merged(others: Keys, own: Keys): Keys {
  const both = Object.entries(own).map(([key, value]) => {
    const other = others[key];
    const isDeep = typeof value === 'object' && typeof other === 'object';
    return [key, isDeep ? merged(other, value) : value] as const;
  });
  return { ...others, ...Object.fromEntries(both) };
}

/** How pods behind a port are spoken to by its `appProtocol`; undefined: in a way that is not known. */
export function appProtocolOf({
  appProtocol = '',
}: ServicePort): { readonly protocol: Protocol; readonly tls: boolean } | undefined {
  switch (appProtocol) {
    case '':
    case 'kubernetes.io/ws':
    case 'http':
    case 'ws':
      return { protocol: 'http1', tls: false };
    case 'kubernetes.io/h2c':
    case 'h2c':
    case 'http2':
    case 'grpc':
      return { protocol: 'h2c', tls: false };
    case 'https':
    case 'HTTPS':
    case 'kubernetes.io/wss':
      return { protocol: 'http1', tls: true };
    default:
      return undefined;
  }
}
