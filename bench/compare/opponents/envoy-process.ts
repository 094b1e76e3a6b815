import { join } from 'node:path';
import { parse } from 'yaml';
import type { HostPort } from '../../../src/base/host-port.ts';
import type { EnvoyBootstrap } from '../../../src/envoy/bootstrap.ts';
import { envoyPath, startEnvoy } from '../../../test/e2e/kit/envoy.ts';
import { ALIVE_PATH } from '../../../test/e2e/kit/pod-ask.ts';
import { freePort } from '../../../test/e2e/kit/ports.ts';
import { listening } from './listening.ts';
import type { Opponent, OpponentKind, Setup } from './opponent.ts';
import { fillTemplate, replaceFile } from './template.ts';

/** How one plain Envoy differs from another. */
export interface PlainEnvoy extends Pick<OpponentKind, 'name' | 'title' | 'about'> {
  /** Envoy's load balancing policy: the last part of the extension's name, its message, and the message's fields. */
  readonly policy: {
    readonly name: string;
    readonly message: string;
    readonly fields?: Readonly<Record<string, string>>;
  };
  /** The circuit breaker that is set to the pods' slots: `max_requests` refuses what is above, `max_connections` lets it wait. */
  readonly breaker?: 'max_requests' | 'max_connections';
  /** True: gRPC goes through a proxy of connections, not of requests. */
  readonly connectionsForGrpc?: boolean;
}

/** Of all pods, the one that holds the fewest. */
export const FULL_SCAN: PlainEnvoy['policy'] = {
  name: 'least_request',
  message: 'LeastRequest',
  fields: { selection_method: 'FULL_SCAN' },
};

/** An opponent that is an Envoy by itself: the binary that Sluice uses, started with the same arguments. */
export function plainEnvoy(kind: PlainEnvoy): OpponentKind {
  return {
    name: kind.name,
    title: kind.title,
    about: kind.about,
    missing: () =>
      envoyPath().then(
        () => undefined,
        (error: Error) => error.message,
      ),
    start: (setup) => start(kind, setup),
  };
}

async function start(kind: PlainEnvoy, { pods, limit, protocol, checkEvery, folder }: Setup): Promise<Opponent> {
  const port = await freePort();
  const endpoints = join(folder, 'endpoints.json');
  await replaceFile(endpoints, endpointsFile(pods));
  const byConnection = kind.connectionsForGrpc === true && protocol === 'grpc';
  const text = await fillTemplate(byConnection ? 'envoy-connections.yaml' : 'envoy.yaml', {
    PORT: port,
    ENDPOINTS: endpoints,
    POLICY: policyOf(kind),
    HEALTH_CHECKS: JSON.stringify(healthChecks(checkEvery)),
    MAX_REQUESTS: kind.breaker === 'max_requests' ? pods.length * limit : 1_000_000,
    MAX_CONNECTIONS: kind.breaker === 'max_connections' ? pods.length * limit : 1_000_000,
    PROTOCOL: protocol === 'http1' ? '{http_protocol_options: {}}' : '{http2_protocol_options: {}}',
  });
  const bootstrap: EnvoyBootstrap = parse(text);
  const envoy = await startEnvoy(bootstrap, 'warn', undefined, 1);
  await listening(port, () => envoy.logs.map(({ message }) => message).join('\n'));
  return {
    port,
    processes: () => ({ proxy: [envoy.pid], controlPlane: [] }),
    setPods: async (next) => {
      await replaceFile(endpoints, endpointsFile(next));
      if (kind.breaker !== undefined) await setBreaker(envoy.address, kind.breaker, next.length * limit);
    },
    stop: async () => void (await envoy.stop()),
  };
}

/** Circuit breakers can be moved by Envoy's runtime, and the runtime by its admin. */
async function setBreaker({ host, port }: HostPort, breaker: string, value: number): Promise<void> {
  const url = `http://${host}:${port}/runtime_modify?circuit_breakers.pods.default.${breaker}=${value}`;
  const answer = await fetch(url, { method: 'POST' });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
}

/** As Sluice has them. */
function healthChecks(every: number | undefined) {
  if (every === undefined) return [];
  const interval = `${every / 1000}s`;
  const often = { timeout: interval, interval, unhealthy_interval: interval, no_traffic_interval: interval };
  return [{ ...often, unhealthy_threshold: 2, healthy_threshold: 1, http_health_check: { path: ALIVE_PATH } }];
}

function policyOf({ policy: { name, message, fields } }: PlainEnvoy): string {
  const type = `type.googleapis.com/envoy.extensions.load_balancing_policies.${name}.v3.${message}`;
  const typed = JSON.stringify({ '@type': type, ...fields });
  return `{name: envoy.load_balancing_policies.${name}, typed_config: ${typed}}`;
}

function endpointsFile(pods: readonly string[]): string {
  const endpoints = pods.map((pod) => {
    const [address, port] = pod.split(':');
    return { endpoint: { address: { socket_address: { address, port_value: Number(port) } } } };
  });
  const type = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';
  return JSON.stringify({
    resources: [{ '@type': type, cluster_name: 'pods', endpoints: [{ lb_endpoints: endpoints }] }],
  });
}
