import { isIP } from 'node:net';
import { stringify } from 'yaml';
import type { HostPort } from '../base/host-port.ts';
import { STATISTICS_TAG, XDS_CLUSTER } from '../dataplane/contract.ts';
import type { AdminPlace } from './admin-place.ts';
import { REQUIRED_ARGUMENTS } from './command-line.ts';
import { type XdsTls, xdsTransportSocket } from './xds-tls.ts';

/** A value as JSON or YAML can hold it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Envoy's `Bootstrap` message in its JSON form. */
export type EnvoyBootstrap = { readonly [key: string]: Json };

/** Where the control plane listens for Envoy. */
export type XdsAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** What differs from Envoy to Envoy. */
export interface BootstrapOptions {
  /** Tells the Envoys of one control plane apart. */
  readonly nodeId: string;
  /** Names a group of Envoys; shown in the status. */
  readonly nodeCluster: string;
  /** The services this Envoy carries; all of them when left out. */
  readonly services?: readonly string[];
  readonly xds: XdsAddress;
  /** Undefined: plaintext. */
  readonly tls?: XdsTls;
  /** Where Envoy's admin listens: loopback, for whoever reaches it can stop Envoy. */
  readonly admin: AdminPlace;
  /** Client connections at the same time, waiting requests included; above it new ones are closed at once. */
  readonly maxConnections?: number;
}

/** What Envoy's guide for edge proxies recommends; without a limit Envoy warns at start. */
const DEFAULT_MAX_CONNECTIONS = 50_000;

/** The configuration an Envoy starts with: who it is, and where to ask for the rest. */
export function envoyBootstrap(options: BootstrapOptions): EnvoyBootstrap {
  return {
    node: node(options),
    // Its own connections do not count: the admin must answer when all others are used up.
    admin: { address: adminAddress(options.admin), ignore_global_conn_limit: true },
    // The queue filter opens its stream from a listener inside Envoy; without this such a listener is refused.
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: typed('envoy.extensions.bootstrap.internal_listener.v3.InternalListener'),
      },
    ],
    layered_runtime: layeredRuntime(),
    // A queue's statistics are of one name for all services, with the service as a tag.
    stats_config: { stats_tags: [{ tag_name: STATISTICS_TAG.name, regex: STATISTICS_TAG.regex }] },
    dynamic_resources: dynamicResources(),
    static_resources: { clusters: [controlPlaneCluster(options)] },
    overload_manager: overloadManager(options.maxConnections ?? DEFAULT_MAX_CONNECTIONS),
  };
}

/** The bootstrap as a YAML file that begins with the command line it must be used with. */
export function renderBootstrap(options: BootstrapOptions, file = 'bootstrap.yaml'): string {
  const command = ['envoy', '-c', file, ...REQUIRED_ARGUMENTS.flatMap(({ args }) => args)].join(' ');
  const lines = [
    'Envoy bootstrap for Sluice. Needs Envoy 1.39 or newer, started with exactly:',
    '',
    `  ${command}`,
    '',
    ...REQUIRED_ARGUMENTS.map(({ args, why }) => `${args.join(' ')}: ${why}.`),
  ];
  const comment = lines.map((line) => (line === '' ? '#' : `# ${line}`)).join('\n');
  // Quoted, because Envoy reads YAML 1.1, where a node called `n` or `on` would be a boolean.
  const format = { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' } as const;
  return `${comment}\n${stringify(envoyBootstrap(options), { ...format, lineWidth: 0, aliasDuplicateObjects: false })}`;
}

function node({ nodeId, nodeCluster, services }: BootstrapOptions): Json {
  const base = { id: nodeId, cluster: nodeCluster };
  return services === undefined ? base : { ...base, metadata: { sluice: { services } } };
}

function layeredRuntime(): Json {
  return {
    layers: [
      {
        name: 'static',
        static_layer: {
          // Requests that wait for a pod's connection count as its load; else a cold burst lands on one pod.
          'envoy.reloadable_features.least_request_lb_count_pending_requests': true,
          // Envoy's own bound on a regular expression's program is 100: `/[a-z]{50}/[0-9]{60}` is over it already.
          're2.max_program_size.error_level': 100_000,
        },
      },
    ],
  };
}

function dynamicResources(): Json {
  return {
    ads_config: {
      // Only what has changed is sent: with 1,000 services an added pod is one small message.
      api_type: 'DELTA_GRPC',
      transport_api_version: 'V3',
      // The node (several KB of extension names) goes with the first request of a stream only.
      set_node_on_first_message_only: true,
      grpc_services: [
        {
          envoy_grpc: {
            cluster_name: XDS_CLUSTER,
            // Envoy's own back-off grows to 30 s: too long without news after the control plane was restarted.
            retry_policy: { retry_back_off: { base_interval: '0.1s', max_interval: '1s' } },
          },
        },
      ],
    },
    // 0s: never begin to listen with half a configuration because the control plane was slow.
    cds_config: overAds(),
    lds_config: overAds(),
  };
}

function overAds(): Json {
  return { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
}

function controlPlaneCluster({ xds, tls }: BootstrapOptions): Json {
  return {
    name: XDS_CLUSTER,
    ...discovery(xds),
    ...(tls && { transport_socket: xdsTransportSocket(tls, xds) }),
    // Loopback or the same network: what takes longer than this is not there.
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: XDS_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: xdsAddress(xds) } }] }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        ...typed('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
        // A stream that is ended there is opened again on another connection: behind one name for several control planes that may be another.
        common_http_protocol_options: { max_requests_per_connection: 1 },
        explicit_http_config: {
          http2_protocol_options: {
            // A control plane that hangs, or a machine that is gone, closes nothing: so it is noticed within a second.
            connection_keepalive: { interval: '0.5s', timeout: '0.5s' },
          },
        },
      },
    },
  };
}

function discovery(xds: XdsAddress): { readonly [key: string]: Json } {
  if (xds.kind === 'unix' || isIP(xds.host) !== 0) return { type: 'STATIC' };
  return {
    cluster_type: {
      name: 'envoy.cluster.dns',
      typed_config: {
        ...typed('envoy.extensions.clusters.dns.v3.DnsCluster'),
        // `localhost` is ::1 as well, where a control plane on 127.0.0.1 does not listen.
        dns_lookup_family: 'V4_PREFERRED',
        // A name that is not there yet (the control plane starts next to Envoy) is asked for again soon.
        dns_failure_refresh_rate: { base_interval: '0.25s', max_interval: '1s' },
      },
    },
  };
}

function xdsAddress(xds: XdsAddress): Json {
  return xds.kind === 'unix' ? { pipe: { path: xds.path } } : socketAddress(xds);
}

function socketAddress({ host, port }: HostPort): Json {
  return { socket_address: { address: host, port_value: port } };
}

function overloadManager(maxConnections: number): Json {
  return {
    resource_monitors: [
      {
        name: 'envoy.resource_monitors.global_downstream_max_connections',
        typed_config: {
          ...typed('envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig'),
          // Everyone who waits holds a connection; the limit keeps a flood from using up all file descriptors.
          max_active_downstream_connections: maxConnections,
        },
      },
    ],
  };
}

function typed(message: string): { readonly '@type': string } {
  return { '@type': `type.googleapis.com/${message}` };
}

function adminAddress(place: AdminPlace) {
  // For this user alone.
  return 'socket' in place ? { pipe: { path: place.socket, mode: 0o600 } } : socketAddress(place);
}
