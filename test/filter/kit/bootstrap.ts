import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sluice } from '#xds';
import type { EnvoyBootstrap, Json } from '../../../src/envoy/bootstrap.ts';

const { PluginConfig, Role } = sluice.queue.v1;

/** The filter as `ensure` has compiled it. */
export const CODE = fileURLToPath(new URL('../../../gen/queue.wasm', import.meta.url));

/** The guard. */
const GUARD_CODE = fileURLToPath(new URL('../../../gen/guard.wasm', import.meta.url));

/** A service as Envoy gets it: its cluster, and the pods that may be in it. */
export interface EnvoyService {
  readonly name: string;
  readonly pods: readonly string[];
  readonly limit: number;
  /** The pods speak HTTP/2. */
  readonly h2c?: boolean;
  /** Connections that Envoy allows itself to each pod: it holds the limit without the filter too. Default: `limit`, h2c 2. */
  readonly connections?: number;
}

/** What an Envoy with the filter is made from. */
export interface FilterEnvoy {
  readonly port: number;
  /** Where Sluice's side of the stream listens. */
  readonly xds: number;
  /** The first takes all requests that no other takes: `/NAME…` goes to the service NAME. */
  readonly services: readonly EnvoyService[];
  /** Of the route. Default: connection failures, without end. */
  readonly retry?: Json;
  /** Of the route. */
  readonly timeout?: string;
  /** More of the control plugin's configuration. */
  readonly control?: Partial<sluice.queue.v1.IPluginConfig>;
  /** The file of the code. */
  readonly code?: string;
  readonly failurePolicy?: string;
  /** More HTTP filters, before that of the queue. */
  readonly before?: readonly Json[];
  /** Where the configuration of the queue and try plugins comes from, where they are not in the listener. */
  readonly dynamic?: (name: 'queue' | 'try') => Json;
  /** Where the control listener comes from, where it is not in the bootstrap. */
  readonly listeners?: Json;
  /** Without the guard before the queue. */
  readonly noGuard?: boolean;
  /** Without the filter among the router's. */
  readonly noTries?: boolean;
}

const PATIENT = {
  retry_on: 'connect-failure,refused-stream,reset-before-request',
  num_retries: 1_000_000,
  retry_back_off: { base_interval: '0.010s', max_interval: '0.3s' },
  retry_host_predicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      typed_config: typed('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'),
    },
  ],
  host_selection_retry_max_attempts: 3,
};

/** An Envoy with one listener, the filter, and a cluster per service: what envoy/filter/README.md asks for. */
export function filterBootstrap(envoy: FilterEnvoy): EnvoyBootstrap {
  return {
    node: { id: 'test', cluster: 'test' },
    admin: { address: socket('127.0.0.1:0') },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: typed('envoy.extensions.bootstrap.internal_listener.v3.InternalListener'),
      },
    ],
    stats_flush_interval: '0.5s',
    layered_runtime: {
      layers: [
        { name: 'static', static_layer: { 'envoy.reloadable_features.least_request_lb_count_pending_requests': true } },
      ],
    },
    ...(envoy.listeners !== undefined && { dynamic_resources: { lds_config: envoy.listeners } }),
    static_resources: {
      listeners: [
        {
          name: 'public',
          address: socket(`127.0.0.1:${envoy.port}`),
          filter_chains: [{ filters: [manager('public', filters(envoy), routes(envoy))] }],
        },
        ...(envoy.listeners === undefined ? [controlListener(envoy)] : []),
      ],
      clusters: [...envoy.services.map(serviceCluster), xdsCluster(envoy.xds), SELF],
    },
  };
}

/** The listener of the control plugin. */
export function controlListener(envoy: FilterEnvoy): { readonly [key: string]: Json } {
  return {
    name: 'sluice.control',
    internal_listener: {},
    filter_chains: [
      { filters: [manager('control', [guard(Role.ROLE_GUARD_CONTROL), plugin(envoy, 'control'), router()], DIRECT)] },
    ],
  };
}

function filters(envoy: FilterEnvoy): Json[] {
  const guards = envoy.noGuard ? [] : [guard(Role.ROLE_GUARD)];
  return [...(envoy.before ?? []), ...guards, inListener(envoy, 'queue'), router(envoy.noTries ? undefined : envoy)];
}

function inListener(envoy: FilterEnvoy, name: 'queue' | 'try'): Json {
  if (envoy.dynamic === undefined) return plugin(envoy, name);
  const type_urls = ['type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm'];
  return { name: `sluice.${name}`, config_discovery: { config_source: envoy.dynamic(name), type_urls } };
}

/** One of the three plugins. */
export function plugin(envoy: FilterEnvoy, name: 'queue' | 'try' | 'control'): { readonly [key: string]: Json } {
  const role = { queue: Role.ROLE_QUEUE, try: Role.ROLE_TRY, control: Role.ROLE_CONTROL }[name];
  const code = envoy.code ?? CODE;
  const codeVersion = createHash('sha256').update(readFileSync(code)).digest('hex').slice(0, 16);
  const control = { xdsCluster: 'sluice', codeVersion, ...envoy.control };
  const self = name !== 'try' && { selfCluster: 'sluice.control' };
  const config = PluginConfig.encode({ role, ...self, ...(name === 'control' && control) }).finish();
  return wasm(`sluice.${name}`, code, config, envoy.failurePolicy);
}

/** The guard, before the queue or in the control listener. */
function guard(role: sluice.queue.v1.Role): Json {
  const name = role === Role.ROLE_GUARD ? 'sluice.guard' : 'sluice.guard.control';
  return wasm(name, GUARD_CODE, PluginConfig.encode({ role }).finish());
}

function wasm(name: string, filename: string, config: Uint8Array, failure_policy = 'FAIL_RELOAD') {
  return {
    name,
    typed_config: {
      ...typed('envoy.extensions.filters.http.wasm.v3.Wasm'),
      config: {
        name,
        root_id: name,
        failure_policy,
        reload_config: { backoff: { base_interval: '0.1s', max_interval: '1s' } },
        vm_config: { vm_id: 'sluice.queue', runtime: 'envoy.wasm.runtime.v8', code: { local: { filename } } },
        configuration: { ...typed('google.protobuf.BytesValue'), value: Buffer.from(config).toString('base64') },
        ...(name === 'sluice.queue' && { allow_on_headers_stop_iteration: true }),
      },
    },
  };
}

function router(envoy?: FilterEnvoy): Json {
  const codec = {
    name: 'envoy.filters.http.upstream_codec',
    typed_config: typed('envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec'),
  };
  return {
    name: 'envoy.filters.http.router',
    typed_config: {
      ...typed('envoy.extensions.filters.http.router.v3.Router'),
      suppress_envoy_headers: true,
      ...(envoy && { upstream_http_filters: [inListener(envoy, 'try'), codec] }),
    },
  };
}

const DIRECT: Json = [{ match: { prefix: '/' }, direct_response: { status: 404 } }];

function routes(envoy: FilterEnvoy): Json {
  const [first, ...others] = envoy.services;
  const route = (prefix: string, cluster: string): Json => ({
    match: { prefix },
    route: { cluster, timeout: envoy.timeout ?? '0s', retry_policy: envoy.retry ?? PATIENT },
  });
  const ours: Json = { match: { prefix: '/.well-known/sluice/' }, direct_response: { status: 404 } };
  return [ours, ...others.map(({ name }) => route(`/${name}`, name)), route('/', first?.name ?? '')];
}

function manager(name: string, httpFilters: readonly Json[], routeList: Json): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      ...typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: name,
      stream_idle_timeout: '0s',
      proxy_100_continue: true,
      generate_request_id: false,
      server_header_transformation: 'PASS_THROUGH',
      http_protocol_options: { enable_trailers: true },
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      http_filters: httpFilters,
      route_config: { name, virtual_hosts: [{ name: 'all', domains: ['*'], routes: routeList }] },
    },
  };
}

const LEAST: Json = {
  typed_extension_config: {
    name: 'least',
    typed_config: {
      ...typed('envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest'),
      selection_method: 'FULL_SCAN',
    },
  },
};

function serviceCluster({ name, pods, limit, h2c = false, connections = h2c ? 2 : limit }: EnvoyService): Json {
  return {
    name,
    connect_timeout: '2s',
    type: 'STATIC',
    load_assignment: endpoints(name, pods.map(socket)),
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: {
            name: 'override',
            typed_config: {
              ...typed('envoy.extensions.load_balancing_policies.override_host.v3.OverrideHost'),
              override_host_sources: [{ header: 'x-sluice-pod' }],
              fallback_policy: { policies: [LEAST] },
            },
          },
        },
      ],
    },
    outlier_detection: OUTLIERS,
    common_lb_config: { healthy_panic_threshold: { value: 1 } },
    circuit_breakers: {
      thresholds: [{ max_connections: MANY, max_pending_requests: MANY, max_requests: MANY, max_retries: MANY }],
      per_host_thresholds: [{ max_connections: connections }],
    },
    typed_extension_protocol_options: http(
      h2c ? { http2_protocol_options: { max_concurrent_streams: limit } } : { http_protocol_options: {} },
    ),
  };
}

/** The filter ejects by itself; this keeps the fallback of retries away from pods that cannot be reached. */
const OUTLIERS: Json = {
  split_external_local_origin_errors: true,
  consecutive_local_origin_failure: 1,
  enforcing_consecutive_local_origin_failure: 100,
  enforcing_local_origin_success_rate: 0,
  enforcing_success_rate: 0,
  enforcing_consecutive_5xx: 0,
  enforcing_consecutive_gateway_failure: 0,
  interval: '1s',
  base_ejection_time: '2s',
  max_ejection_time: '10s',
  max_ejection_percent: 100,
};

const MANY = 1_000_000_000;

function xdsCluster(port: number): Json {
  const connection_keepalive = { interval: '0.5s', timeout: '0.5s' };
  return {
    name: 'sluice',
    connect_timeout: '1s',
    type: 'STATIC',
    load_assignment: endpoints('sluice', [socket(`127.0.0.1:${port}`)]),
    typed_extension_protocol_options: http({ http2_protocol_options: { connection_keepalive } }),
  };
}

const SELF: Json = {
  name: 'sluice.control',
  connect_timeout: '1s',
  load_assignment: endpoints('sluice.control', [
    { envoy_internal_address: { server_listener_name: 'sluice.control' } },
  ]),
};

function endpoints(name: string, addresses: readonly Json[]): Json {
  return { cluster_name: name, endpoints: [{ lb_endpoints: addresses.map((address) => ({ endpoint: { address } })) }] };
}

function http(options: Json): Json {
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return { [name]: { ...typed(name), explicit_http_config: options } };
}

function socket(hostPort: string): Json {
  const at = hostPort.lastIndexOf(':');
  return { socket_address: { address: hostPort.slice(0, at), port_value: Number(hostPort.slice(at + 1)) } };
}

function typed(message: string): { readonly '@type': string } {
  return { '@type': `type.googleapis.com/${message}` };
}
