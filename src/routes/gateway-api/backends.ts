import { assertNever } from '../../base/assert-never.ts';
import type { Problem } from '../../model/problem.ts';
import type { Backend } from '../../model/route.ts';
import type { Protocol, Service, ServiceName } from '../../model/service.ts';
import { SERVICES, type ServiceObject, type ServicePort } from '../objects/core.ts';
import { keyOf, type Objects } from '../objects/object.ts';
import { appProtocolOf, externalFault, ObjectServices, serviceNameOf } from '../objects/object-services.ts';
import type { Words } from '../objects/service-settings.ts';
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

/** Services that routes of the Gateway API lead to. */
export class Backends {
  readonly #tools: BackendTools;
  readonly #made: ObjectServices;

  constructor(tools: BackendTools) {
    this.#tools = tools;
    this.#made = new ObjectServices(tools);
  }

  /** All that were found so far. */
  get services(): ReadonlyMap<ServiceName, Service> {
    return this.#made.services;
  }

  /** Those of which nothing is said but where they are. */
  get implied(): ReadonlySet<ServiceName> {
    return this.#made.implied;
  }

  get problems(): readonly Problem[] {
    return this.#made.problems;
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
    return this.#make(namespace, name, port);
  }

  #make(namespace: string, name: string, port: number): FoundBackend {
    const { objects, grpcTargets, tls } = this.#tools;
    const object = objects.get(SERVICES, namespace, name);
    if (object === undefined) return fault('BackendNotFound', `there is no Service ${namespace}/${name}`);
    const external = externalFault(object);
    if (external !== undefined) return fault('UnsupportedValue', external);
    const ports = object.spec?.ports ?? [];
    const own = ports.find((one) => one.port === port && (one.protocol ?? 'TCP') === 'TCP');
    if (own === undefined) {
      const known = ports.map((one) => one.port).join(', ');
      const message = `Service ${namespace}/${name} has no TCP port ${port}; it has ${known || 'none'}`;
      return fault('BackendNotFound', message);
    }
    const encrypted = tls.of(keyOf({ namespace, name }), own);
    if (encrypted?.kind === 'fault') {
      const message = `the BackendTLSPolicy of Service ${namespace}/${name} cannot be followed: ${encrypted.message}`;
      return fault('UnsupportedValue', message);
    }
    const isGrpc = grpcTargets.has(serviceNameOf(namespace, name, port));
    const protocol = protocolOf(own, { isGrpc, isTls: encrypted !== undefined });
    const made = this.#made.make({ object, port: own, protocol, tls: encrypted?.tls });
    switch (made.kind) {
      case 'made':
        return { kind: 'found', service: made.service };
      case 'protocol': {
        const isEncrypted = appProtocolOf(own)?.tls === true;
        return fault('UnsupportedProtocol', `${made.message}${isEncrypted ? ' without a BackendTLSPolicy' : ''}`);
      }
      case 'unreadable':
        return fault('UnsupportedValue', made.message);
      default:
        return assertNever(made);
    }
  }
}

function fault(reason: BackendFault['reason'], message: string): FoundBackend {
  return { kind: 'fault', fault: { reason, message } };
}

/** How the pods behind a port are spoken to; undefined: in a way that is not supported. */
function protocolOf(
  port: ServicePort,
  { isGrpc, isTls }: { readonly isGrpc: boolean; readonly isTls: boolean },
): Protocol | undefined {
  const said = appProtocolOf(port);
  // Whom to trust a BackendTLSPolicy says.
  if (said === undefined || (said.tls && !isTls)) return undefined;
  return isGrpc && (port.appProtocol ?? '') === '' ? 'h2c' : said.protocol;
}

/** The share of a backend that cannot be used: it is answered with 500. */
export function missing(weight: number): Backend {
  return { kind: 'missing', weight };
}
