import { CONFIG_MAPS, NAMESPACES, SECRETS, SERVICES } from '../objects/core.ts';
import { keyOf, type Objects } from '../objects/object.ts';
import { serviceNameOf } from '../objects/object-services.ts';
import { SLOT_POLICIES, slotPolicies } from '../objects/slot-policy.ts';
import type { RouteKind, Translation, TranslationContext } from '../objects/translation.ts';
import { type AddressOptions, assignAddresses } from './addresses.ts';
import { type Attachment, attach, type Parents } from './attach.ts';
import { backendTls } from './backend-tls.ts';
import { Backends } from './backends.ts';
import { attachedSets, findListeners } from './listeners.ts';
import {
  BACKEND_TLS_POLICIES,
  CONTROLLER,
  GATEWAY_CLASSES,
  GATEWAYS,
  type Gateway,
  GROUP,
  GRPC_ROUTES,
  type GrpcRoute,
  HTTP_ROUTES,
  type HttpRoute,
  LISTENER_SETS,
  REFERENCE_GRANTS,
  type ReferenceGrant,
} from './objects.ts';
import { PodCertificates } from './pod-certificates.ts';
import { isGranted } from './references.ts';
import { RememberedRoutes } from './remembered.ts';
import { translateGrpcRoute, translateHttpRoute } from './routes.ts';
import { classStatuses, gatewayStatuses, routeStatus } from './status.ts';

/** Routes from objects of the Gateway API. */
export function gatewayApi(addresses: AddressOptions): RouteKind {
  const remembered = new RememberedRoutes();
  return {
    source: 'Gateway API',
    resources: [
      GATEWAY_CLASSES,
      GATEWAYS,
      LISTENER_SETS,
      HTTP_ROUTES,
      GRPC_ROUTES,
      REFERENCE_GRANTS,
      BACKEND_TLS_POLICIES,
      SLOT_POLICIES,
      SERVICES,
      SECRETS,
      CONFIG_MAPS,
      NAMESPACES,
    ],
    translate: (objects, context) => translateGatewayApi(objects, addresses, { ...context, remembered }),
  };
}

/** Everything that the objects come to. One that is wrong takes nothing away from the others. */
function translateGatewayApi(
  objects: Objects,
  options: AddressOptions,
  { remembered, ...context }: TranslationContext & { readonly remembered: RememberedRoutes },
): Translation {
  const gateways = ownGateways(objects);
  const addresses = assignAddresses(gateways, options, objects);
  const sets = attachedSets(gateways, objects);
  const listeners = findListeners(gateways, sets, addresses, objects);
  const parents: Parents = { gateways, sets, listeners };
  const policies = slotPolicies(objects, context.now);
  const attachedTo = <T extends HttpRoute | GrpcRoute>(kind: 'HTTPRoute' | 'GRPCRoute', object: T) => {
    return { kind, object, attachments: attach(kind, object, parents, objects) };
  };
  const http = objects.all(HTTP_ROUTES).map((object) => attachedTo('HTTPRoute', object));
  const grpc = objects.all(GRPC_ROUTES).map((object) => attachedTo('GRPCRoute', object));
  const podCertificates = new PodCertificates(gateways, objects);
  const tls = backendTls(objects, {
    of: gatewaysOf([...http, ...grpc], objects.all(REFERENCE_GRANTS)),
    shownBy: (leading) => podCertificates.shownBy(leading),
  });
  const backends = new Backends({
    objects,
    grpcTargets: grpcTargets(objects.all(GRPC_ROUTES)),
    policyOf: ({ metadata }) => policies.wordsOf(keyOf(metadata)),
    tls,
    before: context.before,
  });
  const routes = [
    ...http.map(({ object, attachments }) => ({
      resource: HTTP_ROUTES,
      object,
      attachments,
      ...remembered.translate('HTTPRoute', object, { attachments, backends }, translateHttpRoute),
    })),
    ...grpc.map(({ object, attachments }) => ({
      resource: GRPC_ROUTES,
      object,
      attachments,
      ...remembered.translate('GRPCRoute', object, { attachments, backends }, translateGrpcRoute),
    })),
  ];
  const attached = countAttached(routes.map(({ attachments }) => attachments));
  return {
    part: {
      source: 'Gateway API',
      listeners: listeners.flatMap(({ served }) => served),
      services: [...backends.services.values()],
      implied: backends.implied,
      routes: routes.flatMap((one) => one.routes),
      problems: [...backends.problems, ...tls.problems],
    },
    statuses: [
      ...classStatuses(objects.all(GATEWAY_CLASSES), context.now),
      ...gatewayStatuses({
        gateways,
        sets,
        listeners,
        addresses,
        podCertificates,
        attached,
        closed: context.closed,
        now: context.now,
      }),
      ...routes.flatMap((route) => routeStatus(route, context.now)),
      ...tls.statuses(context.now),
    ],
  };
}

/** Those whose class is ours, oldest first. */
function ownGateways(objects: Objects): readonly Gateway[] {
  const classes = new Set(
    objects
      .all(GATEWAY_CLASSES)
      .filter(({ spec }) => spec.controllerName === CONTROLLER)
      .map(({ metadata }) => metadata.name),
  );
  return objects.all(GATEWAYS).filter(({ spec }) => classes.has(spec.gatewayClassName));
}

/** The Gateways through which routes lead to a Service. */
function gatewaysOf(
  routes: readonly AttachedRoute[],
  grants: readonly ReferenceGrant[],
): (service: string) => readonly Gateway[] {
  // Nobody asks while there is no BackendTLSPolicy.
  let found: ReadonlyMap<string, ReadonlySet<Gateway>> | undefined;
  return (service) => {
    found ??= gatewaysByService(routes, grants);
    return [...(found.get(service) ?? [])];
  };
}

function gatewaysByService(
  routes: readonly AttachedRoute[],
  grants: readonly ReferenceGrant[],
): ReadonlyMap<string, ReadonlySet<Gateway>> {
  const byService = new Map<string, Set<Gateway>>();
  for (const { kind, object, attachments } of routes) {
    const from = { group: GROUP, kind, namespace: object.metadata.namespace ?? '' };
    const gateways = attachments.flatMap(({ listeners }) => listeners.map(({ gateway }) => gateway));
    for (const { backendRefs = [] } of object.spec.rules ?? []) {
      for (const { group = '', kind: target = 'Service', name, namespace = from.namespace } of backendRefs) {
        if (!isGranted(from, { group, kind: target, name, namespace }, grants)) continue;
        const key = keyOf({ namespace, name });
        const known = byService.get(key) ?? new Set();
        byService.set(key, known);
        for (const gateway of gateways) known.add(gateway);
      }
    }
  }
  return byService;
}

interface AttachedRoute {
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly object: HttpRoute | GrpcRoute;
  readonly attachments: readonly Attachment[];
}

/** Ports that gRPC comes to speak HTTP/2, whoever else leads there. */
function grpcTargets(routes: readonly GrpcRoute[]): ReadonlySet<string> {
  return new Set(
    routes.flatMap(({ metadata, spec }) =>
      (spec.rules ?? [])
        .flatMap(({ backendRefs = [] }) => backendRefs)
        .map(({ name, namespace = metadata.namespace ?? '', port = 0 }) => serviceNameOf(namespace, name, port)),
    ),
  );
}

/** How many routes are attached to each listener. */
function countAttached(routes: readonly (readonly Attachment[])[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const attachments of routes) {
    // A route that names a listener twice is one route.
    const names = new Set(attachments.flatMap(({ listeners }) => listeners.map(({ name }) => name)));
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
