import type { EnvoyBootstrap } from '../../../src/envoy/bootstrap.ts';
import { startEnvoy, type TestEnvoy } from '../../e2e/kit/envoy.ts';

/** How a test's Envoy is to be started. */
export interface EnvoyOptions {
  readonly xdsPort: number;
  readonly delta: boolean;
  readonly loadReports?: boolean;
}

/** A real Envoy that takes everything from an xDS server on this machine. */
export function startXdsEnvoy(options: EnvoyOptions): Promise<TestEnvoy> {
  return startEnvoy(bootstrap(options));
}

/** A counter or gauge; undefined while there is none. */
export async function stat(envoy: TestEnvoy, name: string): Promise<number | undefined> {
  const stats = await envoy.admin.stats({ filter: `^${name.replaceAll('.', '\\.')}$` });
  return stats.ok ? stats.value.get(name) : undefined;
}

function bootstrap({ xdsPort, delta, loadReports }: EnvoyOptions): EnvoyBootstrap {
  const grpc = { api_type: delta ? 'DELTA_GRPC' : 'GRPC', transport_api_version: 'V3' };
  const services = { grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }] };
  const ads = { ads: {}, resource_api_version: 'V3' };
  return {
    node: { id: 'envoy-1', cluster: 'edge', metadata: { sluice: { services: ['codec'] } } },
    dynamic_resources: { ads_config: { ...grpc, ...services }, cds_config: ads, lds_config: ads },
    ...(loadReports && {
      cluster_manager: { load_stats_config: { api_type: 'GRPC', transport_api_version: 'V3', ...services } },
    }),
    static_resources: { clusters: [xdsCluster(xdsPort)] },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
  };
}

function xdsCluster(port: number): EnvoyBootstrap {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    name: 'xds',
    type: 'STATIC',
    load_assignment: { cluster_name: 'xds', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}
