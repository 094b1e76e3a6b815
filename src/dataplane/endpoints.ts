import { envoy } from '#xds';
import type { ServiceWithPods } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { clusterName } from './contract.ts';
import { resource } from './encode.ts';

const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { HealthStatus } = envoy.config.core.v3;

/**
 * The pods of a service. One that drains stays for as long as the model has it, since Envoy would drop its connections'
 * bounds with it, and gets no new request.
 */
export function endpoints({ service, pods }: Pick<ServiceWithPods, 'service' | 'pods'>): EncodedResource {
  const name = clusterName(service);
  return resource(ClusterLoadAssignment, name, {
    clusterName: name,
    endpoints: pods.length === 0 ? [] : [{ lbEndpoints: pods.map(endpoint) }],
  });
}

function endpoint({ ip, port, state }: Pod): envoy.config.endpoint.v3.LbEndpoint.$Properties {
  return {
    endpoint: { address: { socketAddress: { address: ip, portValue: port } } },
    healthStatus: state === 'ready' ? HealthStatus.UNKNOWN : HealthStatus.DRAINING,
  };
}
