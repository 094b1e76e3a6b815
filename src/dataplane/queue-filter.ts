import { envoy, google, sluice } from '#xds';
import type { Routing } from '../model/routing.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { ADS, type HttpFilter, router } from './connection-manager.ts';
import { collectorName, PLUGINS, SELF_CLUSTER, VM_ID, XDS_CLUSTER } from './contract.ts';
import { duration, extension, pack, resource, wrap } from './encode.ts';
import type { FilterOptions } from './options.ts';

const { TypedExtensionConfig } = envoy.config.core.v3;
const { Wasm } = envoy.extensions.filters.http.wasm.v3;
const { FailurePolicy } = envoy.extensions.wasm.v3;
const { UpstreamCodec } = envoy.extensions.filters.http.upstream_codec.v3;
const { FilterConfig } = envoy.config.route.v3;
const { BytesValue } = google.protobuf;
const { PluginConfig, Role } = sluice.queue.v1;

type WasmFilter = Extract<FilterOptions, { kind: 'wasm' }>;
type Plugin = keyof typeof PLUGINS;
/** Who wants to know of requests. */
type Wanted = Pick<Routing, 'accessLog' | 'tracing'>;

/**
 * The HTTP filters of a public listener. The queue's two rest unless a route has them work (see `queueOnRoute`): requests of
 * services without a limit, redirects and refusals never meet them.
 */
export function publicFilters(filter: FilterOptions): readonly HttpFilter[] {
  if (filter.kind === 'off') return [router()];
  return [
    { ...byName(PLUGINS.guard), disabled: true },
    { ...byName(PLUGINS.queue), disabled: true },
    router({
      upstreamHttpFilters: [
        byName(PLUGINS.try),
        // Must be the last.
        extension('envoy.filters.http.upstream_codec', UpstreamCodec, {}),
      ],
    }),
  ];
}

/** What a route has in its `typed_per_filter_config` so that its requests wait in the queue. */
export function queueOnRoute(filter: FilterOptions): Readonly<Record<string, google.protobuf.Any.$Properties>> {
  if (filter.kind === 'off') return {};
  const on = pack(FilterConfig, { config: {} });
  return { [PLUGINS.guard]: on, [PLUGINS.queue]: on };
}

/**
 * The configuration of the filter in the listeners, by the name that they ask for it with: so new code changes no listener,
 * and closes no connection.
 */
export function filterResources(filter: FilterOptions, wanted: Wanted): readonly EncodedResource[] {
  if (filter.kind === 'off') return [];
  return (['guard', 'queue', 'try'] as const).map((plugin) =>
    resource(TypedExtensionConfig, PLUGINS[plugin], wasm(plugin, filter, wanted)),
  );
}

/** The filters of the control listener beside a router. */
export function controlFilters(filter: WasmFilter): readonly HttpFilter[] {
  return [wasm('guardControl', filter), wasm('control', filter)];
}

function byName(name: string): HttpFilter {
  return { name, configDiscovery: { configSource: ADS, typeUrls: [Wasm.getTypeUrl()] } };
}

function wasm(plugin: Plugin, filter: WasmFilter, wanted: Wanted = {}) {
  const { code, guard } = filter;
  const inlineBytes = plugin === 'guard' || plugin === 'guardControl' ? guard : code;
  const name = PLUGINS[plugin];
  return extension(name, Wasm, {
    config: {
      name,
      rootId: name,
      vmConfig: { vmId: VM_ID, runtime: 'envoy.wasm.runtime.v8', code: { local: { inlineBytes } } },
      // A VM that has failed is replaced: until then requests are refused, never let past the queue.
      failurePolicy: FailurePolicy.FAIL_RELOAD,
      reloadConfig: { backoff: { baseInterval: duration(100), maxInterval: duration(1000) } },
      configuration: pack(BytesValue, {
        value: PluginConfig.encode(pluginConfig(plugin, filter, wanted)).finish(true),
      }),
      // So that it can have a request wait for its own body.
      ...(plugin === 'queue' ? { allowOnHeadersStopIteration: wrap(true) } : {}),
    },
  });
}

function pluginConfig(
  plugin: Plugin,
  { version, allowTrap }: WasmFilter,
  { accessLog, tracing }: Wanted,
): sluice.queue.v1.PluginConfig.$Properties {
  switch (plugin) {
    case 'queue':
      // A new VM begins with a call to the control listener, which starts the stream of it.
      return {
        role: Role.ROLE_QUEUE,
        selfCluster: SELF_CLUSTER,
        facts: accessLog !== undefined,
        ...(tracing && { traceCluster: collectorName(tracing.otlp), traceService: tracing.name }),
      };
    case 'try':
      return { role: Role.ROLE_TRY };
    case 'guard':
      return { role: Role.ROLE_GUARD };
    case 'guardControl':
      return { role: Role.ROLE_GUARD_CONTROL };
    case 'control':
      return {
        role: Role.ROLE_CONTROL,
        xdsCluster: XDS_CLUSTER,
        selfCluster: SELF_CLUSTER,
        codeVersion: version,
        allowTrap: allowTrap ?? false,
      };
  }
}
