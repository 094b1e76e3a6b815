import type { TestNamespace } from '../test/kube/kit/namespace.ts';

function addressOf(service: number, pod: number): string {
  return `10.${100 + (service >> 8)}.${service & 255}.${pod + 1}`;
}

/** A slice's endpoints as the controllers write them; `skip` is left out. */
function endpointsOf(service: number, pods: number, skip?: number): readonly object[] {
  return Array.from({ length: pods }, (_, pod) => pod)
    .filter((pod) => pod !== skip)
    .map((pod) => ({
      addresses: [addressOf(service, pod)],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${pod % 2 === 0 ? 'a' : 'b'}`,
      zone: 'zone-a',
      targetRef: {
        kind: 'Pod',
        name: `service-${service}-7c9d8b6f5-${pod}`,
        namespace: 'bench',
        uid: `00000000-0000-4000-8000-${String(service * 1000 + pod).padStart(12, '0')}`,
      },
    }));
}

/** Makes `services` Services without selector, each with a slice of `pods` ready pods. */
export async function fill(space: TestNamespace, services: number, pods: number): Promise<void> {
  const ports = [{ name: 'http', port: 8080, protocol: 'TCP' }];
  const add = async (service: number) => {
    await space.addService(`service-${service}`, [{ name: 'http', port: 80 }], { selector: null });
    const endpoints = endpointsOf(service, pods);
    await space.addSlice(`service-${service}`, `service-${service}`, { addressType: 'IPv4', ports, endpoints });
  };
  for (let first = 0; first < services; first += 10) {
    await Promise.all(Array.from({ length: Math.min(10, services - first) }, (_, at) => add(first + at)));
  }
}

/** The `change`-th change of a cluster that `fill` made: one pod leaves one slice, or comes back to it. */
export async function changeSlice(
  { cluster, name }: TestNamespace,
  { services, pods, change }: { services: number; pods: number; change: number },
): Promise<void> {
  const service = change % services;
  const skip = Math.floor(change / services) % 2 === 0 ? 0 : undefined;
  const path = `/apis/discovery.k8s.io/v1/namespaces/${name}/endpointslices/service-${service}`;
  await cluster.ask('PATCH', path, { endpoints: endpointsOf(service, pods, skip) });
}
