import type { Problem } from '../../model/problem.ts';
import type { Backend } from '../../model/route.ts';
import type { Protocol, Service, ServiceName } from '../../model/service.ts';
import { SERVICES, type ServiceObject, type ServicePort } from '../objects/core.ts';
import { keyOf, type Objects } from '../objects/object.ts';
import { annotationWords, settle, type Words } from '../objects/service-settings.ts';
import type { BackendTls } from './backend-tls.ts';
import { type BackendReference, GROUP, REFERENCE_GRANTS } from './objects.ts';
import { isGranted } from './references.ts';

/** Why a reference of a route leads nowhere. */
export interface BackendFault {
  readonly reason: 'InvalidKind' | 'RefNotPermitted' | 'BackendNotFound' | 'UnsupportedProtocol' | 'UnsupportedValue';
  readonly message: string;
}

/** What a reference to a backend comes to. */
export type FoundBackend =
  | { readonly kind: 'found'; readonly service: Service }
  | { readonly kind: 'fault'; readonly fault: BackendFault };

/** A route that refers to backends. */
export interface BackendReferrer {
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly namespace: string;
}

/** What makes services of references to Kubernetes Services. */
export interface BackendTools {
  readonly objects: Objects;
  /** `namespace/name/port` of those that gRPC routes lead to: HTTP/2, unless the Service says otherwise. */
  readonly grpcTargets: ReadonlySet<string>;
  /** What policies say of a Service. */
  readonly policyOf: (service: ServiceObject) => Words | undefined;
  readonly tls: BackendTls;
  /** Services as they were understood before, by name: settings that cannot be read do not replace good ones. */
  readonly before: ReadonlyMap<ServiceName, Service>;
}

/** The name of a service that is a port of a Kubernetes Service. The same in every kind of routes. */
export function serviceNameOf(namespace: string, name: string, port: number): ServiceName {
  // Slashes keep it apart from every name of the route file.
  return `${namespace}/${name}/${port}` as ServiceName;
}

/** Services that routes of objects lead to, each made once, with everything that is wrong with them. */
export class Backends {
  readonly #tools: BackendTools;
  readonly #found = new Map<string, FoundBackend>();
  readonly #services = new Map<ServiceName, Service>();
  readonly #implied = new Set<ServiceName>();
  readonly #problems: Problem[] = [];

  constructor(tools: BackendTools) {
    this.#tools = tools;
  }

  /** All that were found so far. */
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

  /** The service that a reference means. */
  find(from: BackendReferrer, ref: BackendReference): FoundBackend {
    const { group = '', kind = 'Service', name, namespace = from.namespace, port } = ref;
    if (group !== '' || kind !== 'Service') {
      return fault(
        'InvalidKind',
        `${kind}${group === '' ? '' : ` of ${group}`} ${name} cannot be a backend; a Service can`,
      );
    }
    const grants = this.#tools.objects.all(REFERENCE_GRANTS);
    const referrer = { group: GROUP, kind: from.kind, namespace: from.namespace };
    if (!isGranted(referrer, { group, kind, name, namespace }, grants)) {
      const message = `no ReferenceGrant in namespace ${namespace} lets a ${from.kind} of ${from.namespace} use Service ${name}`;
      return fault('RefNotPermitted', message);
    }
    if (port === undefined) return fault('UnsupportedValue', `Service ${namespace}/${name} needs a port: write port`);
    const key = `${namespace}/${name}/${port}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const made = this.#make(namespace, name, port);
    this.#found.set(key, made);
    return made;
  }

  #make(namespace: string, name: string, port: number): FoundBackend {
    const { objects, grpcTargets, policyOf, before, tls } = this.#tools;
    const object = objects.get(SERVICES, namespace, name);
    if (object === undefined) return fault('BackendNotFound', `there is no Service ${namespace}/${name}`);
    const ports = object.spec?.ports ?? [];
    const own = ports.find((one) => one.port === port && (one.protocol ?? 'TCP') === 'TCP');
    if (own === undefined) {
      const known = ports.map((one) => one.port).join(', ');
      return fault(
        'BackendNotFound',
        `Service ${namespace}/${name} has no TCP port ${port}; it has ${known || 'none'}`,
      );
    }
    const serviceName = serviceNameOf(namespace, name, port);
    const words = policyOf(object) ?? annotationWords(object);
    const encrypted = tls.of(keyOf({ namespace, name }), own);
    if (encrypted?.kind === 'fault') {
      const message = `the BackendTLSPolicy of Service ${namespace}/${name} cannot be followed: ${encrypted.message}`;
      return fault('UnsupportedValue', message);
    }
    const protocol = protocolOf(own, { isGrpc: grpcTargets.has(serviceName), isTls: encrypted !== undefined });
    if (protocol === undefined && words?.keys['protocol'] === undefined) {
      const message = `Service ${namespace}/${name} port ${port} has appProtocol ${own.appProtocol}, which is not spoken here${/^https$|wss$/i.test(own.appProtocol ?? '') ? ' without a BackendTLSPolicy' : ''}`;
      return fault('UnsupportedProtocol', message);
    }
    const locator = { kind: 'kubernetes', namespace, service: name, port: { kind: 'service', port } } as const;
    const settled = settle(serviceName, locator, words, protocol ?? 'http1');
    if (words === undefined && encrypted === undefined) this.#implied.add(serviceName);
    if (!settled.ok) this.#problems.push(...settled.errors);
    const said = settled.ok ? settled.value : before.get(serviceName);
    const service = said && (encrypted === undefined ? said : { ...said, tls: encrypted.tls });
    if (service === undefined) {
      const message = `what is said of Service ${namespace}/${name} cannot be read: ${settled.ok ? '' : settled.errors.map((one) => `${one.path ?? ''} ${one.message}`).join('; ')}`;
      return fault('UnsupportedValue', message);
    }
    this.#services.set(serviceName, service);
    return { kind: 'found', service };
  }
}

function fault(reason: BackendFault['reason'], message: string): FoundBackend {
  return { kind: 'fault', fault: { reason, message } };
}

/** How the pods behind a port are spoken to; undefined: in a way that is not supported. */
function protocolOf(
  { appProtocol }: ServicePort,
  { isGrpc, isTls }: { readonly isGrpc: boolean; readonly isTls: boolean },
): Protocol | undefined {
  switch (appProtocol) {
    case undefined:
    case '':
      return isGrpc ? 'h2c' : 'http1';
    case 'kubernetes.io/h2c':
    case 'h2c':
    case 'http2':
    case 'grpc':
      return 'h2c';
    case 'kubernetes.io/ws':
    case 'http':
    case 'ws':
      return 'http1';
    case 'https':
    case 'HTTPS':
    case 'kubernetes.io/wss':
      // Whom to trust a BackendTLSPolicy says.
      return isTls ? 'http1' : undefined;
    default:
      return undefined;
  }
}

/** The share of a backend that cannot be used: it is answered with 500. */
export function missing(weight: number): Backend {
  return { kind: 'missing', weight };
}
