import { isIP } from 'node:net';
import { envoy } from '#xds';
import type { HostPort } from '../base/host-port.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { collectorName } from './contract.ts';
import { duration, pack, resource, wrap } from './encode.ts';

const { Cluster } = envoy.config.cluster.v3;
const { HttpProtocolOptions } = envoy.extensions.upstreams.http.v3;

const CONNECT_MS = 2000;
/** Above it what a collector was to be told is lost. */
const TELL_MS = 5000;

/** How Envoy calls a collector. */
export function collectorService(address: HostPort): envoy.config.core.v3.GrpcService.$Properties {
  return { envoyGrpc: { clusterName: collectorName(address) }, timeout: duration(TELL_MS) };
}

/** The cluster of a collector that takes OTLP over gRPC. */
export function collectorCluster(address: HostPort): EncodedResource {
  const name = collectorName(address);
  const { host, port } = address;
  return resource(Cluster, name, {
    name,
    type: isIP(host) === 0 ? Cluster.DiscoveryType.STRICT_DNS : Cluster.DiscoveryType.STATIC,
    connectTimeout: duration(CONNECT_MS),
    // A name that is not found, or a DNS server that does not answer, holds back nothing else.
    waitForWarmOnInit: wrap(false),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: host, portValue: port } } } }] }],
    },
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': pack(HttpProtocolOptions, {
        explicitHttpConfig: { http2ProtocolOptions: {} },
      }),
    },
  });
}
