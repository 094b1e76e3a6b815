import type { KubeService, ServicePort, Slice } from './slice.ts';

/** On which port the pods of a slice are to be spoken to; undefined when they do not serve the one that is wanted. */
export type PortOfSlice = (slice: Slice) => number | undefined;

/** How a wanted port leads to the pods' ports, or why it does not. */
export type PortResolution =
  | { readonly kind: 'resolved'; readonly portOf: PortOfSlice; readonly warning?: string }
  | { readonly kind: 'absent'; readonly message: string; readonly fix: string };

/** `80 (http), 9090 (metrics)`. */
function listPorts(ports: readonly { readonly name: string; readonly port: number | undefined }[]): string {
  const texts = ports.map(({ name, port }) => (name === '' ? `${port}` : `${port} (${name})`));
  return [...new Set(texts)].join(', ');
}

function portNamed(name: string): PortOfSlice {
  return (slice) => slice.ports.find((port) => port.name === name)?.port;
}

/** Slices that say where pods are; an empty placeholder has no ports and says nothing about them. */
function withEndpoints(slices: readonly Slice[]): readonly Slice[] {
  return slices.filter(({ endpoints, unready }) => endpoints.length + unready > 0);
}

/**
 * The pods' own port (lbagent's `http_port`) is used as it is. Slices that have it go before others: with a named target port, pods of two
 * versions can listen on different ports, and only some on this one.
 */
export function resolvePodPort(port: number, slices: readonly Slice[]): PortResolution {
  const filled = withEndpoints(slices);
  const serves = (slice: Slice) => slice.ports.some((known) => known.port === port || known.port === undefined);
  if (filled.some(serves)) return { kind: 'resolved', portOf: (slice) => (serves(slice) ? port : undefined) };
  const known = filled.flatMap(({ ports }) => ports);
  if (known.length === 0) return { kind: 'resolved', portOf: () => port };
  const warning = `port ${port} is not among the pods' ports that the Service leads to (${listPorts(known)}); used as it is`;
  return { kind: 'resolved', portOf: () => port, warning };
}

function absentPort(wanted: number | string, service: KubeService): PortResolution {
  const { name, ports } = service;
  return {
    kind: 'absent',
    message: `Service ${name} has no TCP port ${JSON.stringify(wanted)}`,
    fix: ports.length === 0 ? 'give the Service a TCP port' : `write one of the ports there are: ${listPorts(ports)}`,
  };
}

function findServicePort(wanted: number | string, { ports }: KubeService): ServicePort | undefined {
  return ports.find(({ name, port }) => (typeof wanted === 'number' ? port === wanted : name === wanted));
}

/**
 * Leads a Service's port, by number or name, to the pods' ports: Service and slices have the port's name in common.
 * While a Service is being edited, one of the two is a moment behind the other, and the port is absent for that moment.
 */
export function resolveServicePort(
  wanted: number | string,
  service: KubeService,
  slices: readonly Slice[],
): PortResolution {
  const port = findServicePort(wanted, service);
  if (port === undefined) return absentPort(wanted, service);
  const portOf = portNamed(port.name);
  const filled = withEndpoints(slices);
  if (filled.length === 0 || filled.some((slice) => portOf(slice) !== undefined)) return { kind: 'resolved', portOf };
  const known = filled.flatMap(({ ports }) => ports);
  return {
    kind: 'absent',
    message: `no pod of Service ${service.name} serves its port ${JSON.stringify(wanted)}`,
    fix: `compare the Service's targetPort with the pods' ports${known.length === 0 ? '' : `: ${listPorts(known)}`}`,
  };
}
