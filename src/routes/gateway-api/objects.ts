import type { Condition } from '../objects/condition.ts';
import { type KubeObject, type Resource, withoutManagedFields } from '../objects/object.ts';

/*
 * The Gateway API: GatewayClass, Gateway, ListenerSet, HTTPRoute, GRPCRoute, ReferenceGrant, BackendTLSPolicy (v1.6,
 * standard channel) in, a part of the routing and conditions out. The fields that are used, as the API has them: the API
 * server has checked every object against its schema, and filled in the defaults.
 */

/** The group of all of them. */
export const GROUP = 'gateway.networking.k8s.io';

/** What we call ourselves in GatewayClasses and statuses. */
export const CONTROLLER = 'sluice.dev/gateway-controller';

/** A reference to an object, perhaps in another namespace. */
export interface Reference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
}

/** To what a route attaches itself. */
export interface ParentReference extends Reference {
  readonly sectionName?: string;
  readonly port?: number;
}

/** Where a route's requests go. */
export interface BackendReference extends Reference {
  readonly port?: number;
}

export interface GatewayClass extends KubeObject {
  readonly spec: { readonly controllerName: string; readonly parametersRef?: Reference };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly supportedFeatures?: readonly { readonly name: string }[];
  };
}

/** Which labels a namespace must have. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** Which namespaces count. */
export interface NamespaceChoice {
  readonly from?: 'All' | 'Selector' | 'Same' | 'None';
  readonly selector?: LabelSelector;
}

export interface RouteKind {
  readonly group?: string;
  readonly kind: string;
}

/** A listener of a Gateway or of a ListenerSet. */
export interface ListenerSpec {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly hostname?: string;
  readonly tls?: { readonly mode?: 'Terminate' | 'Passthrough'; readonly certificateRefs?: readonly Reference[] };
  readonly allowedRoutes?: { readonly namespaces?: NamespaceChoice; readonly kinds?: readonly RouteKind[] };
}

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly RouteKind[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

export interface GatewayAddress {
  readonly type?: string;
  readonly value?: string;
}

/** What clients of a port have to show. */
export interface FrontendValidation {
  readonly caCertificateRefs?: readonly Reference[];
  readonly mode?: 'AllowValidOnly' | 'AllowInsecureFallback';
}

export interface FrontendTls {
  readonly default?: { readonly validation?: FrontendValidation };
  readonly perPort?: readonly { readonly port: number; readonly tls: { readonly validation?: FrontendValidation } }[];
}

export interface Gateway extends KubeObject {
  readonly spec: {
    readonly gatewayClassName: string;
    readonly listeners?: readonly ListenerSpec[];
    readonly addresses?: readonly GatewayAddress[];
    readonly allowedListeners?: { readonly namespaces?: NamespaceChoice };
    readonly infrastructure?: { readonly parametersRef?: Reference };
    readonly tls?: {
      readonly frontend?: FrontendTls;
      readonly backend?: { readonly clientCertificateRef?: Reference };
    };
  };
  readonly status?: {
    readonly addresses?: readonly GatewayAddress[];
    readonly conditions?: readonly Condition[];
    readonly listeners?: readonly ListenerStatus[];
    readonly attachedListenerSets?: number;
  };
}

export interface ListenerSet extends KubeObject {
  readonly spec: { readonly parentRef: Reference; readonly listeners: readonly ListenerSpec[] };
  readonly status?: { readonly conditions?: readonly Condition[]; readonly listeners?: readonly ListenerStatus[] };
}

export interface HeaderModifier {
  readonly set?: readonly { readonly name: string; readonly value: string }[];
  readonly add?: readonly { readonly name: string; readonly value: string }[];
  readonly remove?: readonly string[];
}

export interface PathModifier {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch';
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

/** What is done to a request or an answer on the way. */
export interface Filter {
  readonly type: string;
  readonly requestHeaderModifier?: HeaderModifier;
  readonly responseHeaderModifier?: HeaderModifier;
  readonly requestRedirect?: {
    readonly scheme?: string;
    readonly hostname?: string;
    readonly path?: PathModifier;
    readonly port?: number;
    readonly statusCode?: number;
  };
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: PathModifier };
  readonly requestMirror?: {
    readonly backendRef: BackendReference;
    readonly percent?: number;
    readonly fraction?: { readonly numerator: number; readonly denominator?: number };
  };
  readonly cors?: {
    readonly allowOrigins?: readonly string[];
    readonly allowMethods?: readonly string[];
    readonly allowHeaders?: readonly string[];
    readonly exposeHeaders?: readonly string[];
    readonly allowCredentials?: boolean;
    readonly maxAge?: number;
  };
}

export interface WeightedBackend extends BackendReference {
  readonly weight?: number;
  readonly filters?: readonly Filter[];
}

/** A condition on a header or a query parameter. */
export interface NamedCondition {
  readonly type?: 'Exact' | 'RegularExpression';
  readonly name: string;
  readonly value: string;
}

export interface HttpMatch {
  readonly path?: { readonly type?: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value?: string };
  readonly headers?: readonly NamedCondition[];
  readonly queryParams?: readonly NamedCondition[];
  readonly method?: string;
}

export interface HttpRule {
  readonly name?: string;
  readonly matches?: readonly HttpMatch[];
  readonly filters?: readonly Filter[];
  readonly backendRefs?: readonly WeightedBackend[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  /** Of the experimental channel, as the next one. */
  readonly retry?: unknown;
  readonly sessionPersistence?: unknown;
}

export interface GrpcMatch {
  readonly method?: {
    readonly type?: 'Exact' | 'RegularExpression';
    readonly service?: string;
    readonly method?: string;
  };
  readonly headers?: readonly NamedCondition[];
}

export interface GrpcRule {
  readonly name?: string;
  readonly matches?: readonly GrpcMatch[];
  readonly filters?: readonly Filter[];
  readonly backendRefs?: readonly WeightedBackend[];
}

/** What a route's status says about one parent. */
export interface RouteParentStatus {
  readonly parentRef: ParentReference;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

interface RouteObject<Rule> extends KubeObject {
  readonly spec: {
    readonly parentRefs?: readonly ParentReference[];
    readonly hostnames?: readonly string[];
    readonly rules?: readonly Rule[];
  };
  readonly status?: { readonly parents?: readonly RouteParentStatus[] };
}

export type HttpRoute = RouteObject<HttpRule>;
export type GrpcRoute = RouteObject<GrpcRule>;

export interface ReferenceGrant extends KubeObject {
  readonly spec: {
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
  };
}

export interface BackendTlsPolicy extends KubeObject {
  readonly spec: {
    readonly targetRefs: readonly {
      readonly group: string;
      readonly kind: string;
      readonly name: string;
      readonly sectionName?: string;
    }[];
    readonly validation: {
      readonly hostname: string;
      readonly caCertificateRefs?: readonly { readonly group: string; readonly kind: string; readonly name: string }[];
      readonly wellKnownCACertificates?: string;
      readonly subjectAltNames?: readonly {
        readonly type: 'Hostname' | 'URI';
        readonly hostname?: string;
        readonly uri?: string;
      }[];
    };
  };
  readonly status?: {
    readonly ancestors?: readonly {
      readonly ancestorRef: ParentReference;
      readonly controllerName: string;
      readonly conditions: readonly Condition[];
    }[];
  };
}

function resource<T extends KubeObject>(kind: string, plural: string, namespaced = true): Resource<T> {
  return { kind, group: GROUP, version: 'v1', plural, namespaced, read: withoutManagedFields };
}

export const GATEWAY_CLASSES = resource<GatewayClass>('GatewayClass', 'gatewayclasses', false);
export const GATEWAYS = resource<Gateway>('Gateway', 'gateways');
export const LISTENER_SETS: Resource<ListenerSet> = {
  ...resource<ListenerSet>('ListenerSet', 'listenersets'),
  optional: true,
};
export const HTTP_ROUTES = resource<HttpRoute>('HTTPRoute', 'httproutes');
export const GRPC_ROUTES = resource<GrpcRoute>('GRPCRoute', 'grpcroutes');
export const BACKEND_TLS_POLICIES: Resource<BackendTlsPolicy> = {
  ...resource<BackendTlsPolicy>('BackendTLSPolicy', 'backendtlspolicies'),
  optional: true,
};
/** Served by every release so far; v1 by the newer ones only. */
export const REFERENCE_GRANTS: Resource<ReferenceGrant> = {
  ...resource<ReferenceGrant>('ReferenceGrant', 'referencegrants'),
  version: 'v1beta1',
};
