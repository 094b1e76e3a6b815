import { envoy } from '#xds';
import { podsId } from '../model/generation.ts';
import { formatAddress } from '../model/locator.ts';
import type { ServiceWithPods } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Service } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { DRAINING_KEY, METADATA, PARKING, podsCluster } from './contract.ts';
import { resource, struct, wrap } from './encode.ts';
import { internalAddress } from './gate.ts';

const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { HealthStatus } = envoy.config.core.v3;

type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint.$Properties;

/** The backstop of the pods holds for parking places as well, so one place is not enough for many requests. */
const MOST_PARKING_PLACES = 16;

/** The pods of a service, and behind them the parking, where requests go only when no pod is there. */
export function endpoints({ service, pods }: ServiceWithPods): EncodedResource {
  const name = podsCluster(service);
  const places = pods.length === 0 ? MOST_PARKING_PLACES : Math.min(pods.length, MOST_PARKING_PLACES);
  return resource(ClusterLoadAssignment, name, {
    clusterName: name,
    // One healthy pod is enough to keep all traffic off the parking places.
    policy: { overprovisioningFactor: wrap(1_000_000) },
    endpoints: [
      { priority: 0, lbEndpoints: pods.map((pod) => podEndpoint(service, pod)) },
      { priority: 1, lbEndpoints: Array.from({ length: places }, (_, place) => parkingPlace(place)) },
    ],
  });
}

function podEndpoint(service: Service, pod: Pod): LbEndpoint {
  const endpoint = { address: { socketAddress: { address: pod.ip, portValue: pod.port } } };
  if (pod.state === 'ready') return { endpoint, healthStatus: HealthStatus.UNKNOWN };
  // A draining pod stays known, so that its requests stay counted, and gets no new one. An ejected one gets none
  // anyway, for as long as Envoy itself finds. Metadata may change on an endpoint: it stays the same host to Envoy,
  // with its counts and its health.
  const healthStatus = pod.state === 'draining' ? HealthStatus.DRAINING : HealthStatus.UNKNOWN;
  const draining = struct({ [DRAINING_KEY]: `${podsId(service)} ${formatAddress(pod)}` });
  return { endpoint, healthStatus, metadata: { filterMetadata: { [METADATA]: draining } } };
}

function parkingPlace(place: number): LbEndpoint {
  return {
    endpoint: {
      address: internalAddress(PARKING, String(place + 1)),
      // It answers every request with "try again", which a health check would take for illness.
      healthCheckConfig: { disableActiveHealthCheck: true },
    },
  };
}
