/** The xDS resource types Sluice serves, in the order in which they are pushed: what is referred to comes first. */
export const TYPE_URLS = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoints: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  /** The queue filter. */
  extension: 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  routes: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
} as const;

/** One of the types above; a stream may name others, which have no resources. */
export type TypeUrl = (typeof TYPE_URLS)[keyof typeof TYPE_URLS];

/** The order of an aggregated push. */
export const PUSH_ORDER: readonly TypeUrl[] = Object.values(TYPE_URLS);

/** A translated resource: its bytes are encoded once and handed to every stream. */
export interface EncodedResource {
  readonly typeUrl: TypeUrl;
  readonly name: string;
  /** The message itself, without its `Any`. */
  readonly body: Uint8Array;
}

/** All resources of each type. A list that has not changed is the same array as before, and then costs nothing again. */
export type ResourcesByType = Readonly<Record<TypeUrl, readonly EncodedResource[]>>;

/** The resources by their type. */
export function groupByType(resources: readonly EncodedResource[]): ResourcesByType {
  const groups = Map.groupBy(resources, ({ typeUrl }) => typeUrl);
  const of = (typeUrl: TypeUrl) => groups.get(typeUrl) ?? [];
  return {
    [TYPE_URLS.cluster]: of(TYPE_URLS.cluster),
    [TYPE_URLS.endpoints]: of(TYPE_URLS.endpoints),
    [TYPE_URLS.extension]: of(TYPE_URLS.extension),
    [TYPE_URLS.listener]: of(TYPE_URLS.listener),
    [TYPE_URLS.routes]: of(TYPE_URLS.routes),
    [TYPE_URLS.secret]: of(TYPE_URLS.secret),
  };
}

/** A resource with its version: equal versions mean equal content, across restarts too. */
export interface XdsResource extends EncodedResource {
  readonly version: string;
}
