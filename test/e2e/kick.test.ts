import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { HostPort } from '../../src/base/host-port.ts';
import type { EnvoyBootstrap, Json } from '../../src/envoy/bootstrap.ts';
import { kick } from '../../src/envoy/kick.ts';
import { startEnvoy, type TestEnvoy } from './kit/envoy.ts';
import { until } from './kit/instant.ts';
import { freePorts } from './kit/ports.ts';

const started: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
});

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const LIMIT = 'circuit_breakers.gate/codec.default.max_connections';
const PLACES = 'circuit_breakers.gate/codec.default.max_pending_requests';

/** As Sluice makes gates: one request at a time per connection, so that connections are slots. */
const UPSTREAM = { explicit_http_config: { http_protocol_options: {} } };

/** The gate by hand: public listener and kick listener, both to a cluster that lets one request through at a time. */
function gate(pod: number, publicPort: number, kickPort: number): EnvoyBootstrap {
  const toGate = { route: { cluster: 'gate/codec', timeout: '0s' } };
  const kicked = { ...toGate, request_headers_to_add: [{ header: { key: 'x-kick', value: '1' } }] };
  const toPod = { match: { prefix: '/' }, route: { cluster: 'pods/codec', timeout: '0s' } };
  const isKick = { prefix: '/', headers: [{ name: 'x-kick', present_match: true }] };
  return {
    admin: { address: socket(0) },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: typed('envoy.extensions.bootstrap.internal_listener.v3.InternalListener'),
      },
    ],
    layered_runtime: { layers: [{ name: 'admin', admin_layer: {} }] },
    static_resources: {
      listeners: [
        { name: 'public', address: socket(publicPort), ...http([{ match: { prefix: '/' }, ...toGate }]) },
        { name: 'kick', address: socket(kickPort), ...http([{ match: { path: '/codec' }, ...kicked }]) },
        { name: 'pods', internal_listener: {}, ...http([{ match: isKick, direct_response: { status: 204 } }, toPod]) },
      ],
      clusters: [
        {
          ...cluster('gate/codec', { envoy_internal_address: { server_listener_name: 'pods' } }),
          typed_extension_protocol_options: { [HTTP_OPTIONS]: { ...typed(HTTP_OPTIONS), ...UPSTREAM } },
          circuit_breakers: {
            thresholds: [{ max_connections: 1, max_pending_requests: 1000, max_requests: 1_000_000 }],
          },
        },
        cluster('pods/codec', socket(pod)),
      ],
    },
  };
}

function socket(port: number) {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function typed(message: string) {
  return { '@type': `type.googleapis.com/${message}` };
}

function http(routes: readonly Json[]) {
  const manager = {
    ...typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'x',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [{ name: 'router', typed_config: typed('envoy.extensions.filters.http.router.v3.Router') }],
  };
  return { filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] };
}

function cluster(name: string, address: Json) {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
  return { name, type: 'STATIC', load_assignment: { cluster_name: name, endpoints } };
}

/** A pod that begins to work on everything it gets and never ends by itself. */
async function endlessPod() {
  const working: ServerResponse[] = [];
  const server = createServer((_request, response) => working.push(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  started.push({ stop: () => server.close().closeAllConnections() });
  // It listens on TCP, so this is no pipe's name.
  return { working, port: (server.address() as AddressInfo).port };
}

async function setLimit(envoy: TestEnvoy, limit: number, key = LIMIT): Promise<void> {
  const path = `/runtime_modify?${encodeURIComponent(key)}=${limit}`;
  const sent = request({ ...envoy.address, path, method: 'POST', agent: false }).end();
  const [answer] = await once(sent, 'response');
  answer.resume();
  expect(answer.statusCode).toBe(200);
}

/** A gate with one request at the pod and `waiting` in the line. */
async function busyGate(waiting: number) {
  const pod = await endlessPod();
  const [publicPort = 0, kickPort = 0] = await freePorts(2);
  const envoy = await startEnvoy(gate(pod.port, publicPort, kickPort));
  started.push(envoy);
  await until(
    async () => {
      const state = await envoy.admin.state();
      return state.ok && state.value === 'LIVE';
    },
    { what: 'LIVE' },
  );
  for (let sent = 0; sent <= waiting; sent++) {
    const job = request({ host: '127.0.0.1', port: publicPort, path: '/job', agent: false }).end();
    job.on('error', () => {});
    started.push({ stop: () => job.destroy() });
  }
  await until(async () => (await inLine(envoy)) === waiting && pod.working.length === 1, { what: 'a full line' });
  const address: HostPort = { host: '127.0.0.1', port: kickPort };
  return { pod, envoy, address };
}

async function inLine(envoy: TestEnvoy): Promise<number | undefined> {
  const name = 'cluster.gate/codec.upstream_rq_pending_active';
  const stats = await envoy.admin.stats({ filter: `^${name}$` });
  return stats.ok ? stats.value.get(name) : undefined;
}

test('a raised limit alone wakes nobody; a kick does', { timeout: 60_000 }, async () => {
  const { pod, envoy, address } = await busyGate(5);
  await setLimit(envoy, 2);
  // That nothing happens cannot be waited for.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(pod.working.length).toBe(1);
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'withdrawn' } });
  await until(() => pod.working.length === 2, { what: 'the second request at the pod' });
  expect(await inLine(envoy)).toBe(4);
});

test('one kick fills all new slots', { timeout: 60_000 }, async () => {
  const { pod, envoy, address } = await busyGate(40);
  await setLimit(envoy, 21);
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'withdrawn' } });
  await until(() => pod.working.length === 21, { what: '21 requests at the pod' });
  expect(await inLine(envoy)).toBe(20);
});

test('a free slot answers the kick, and an unknown gate refuses it', async () => {
  const { address, envoy } = await busyGate(0);
  await setLimit(envoy, 2);
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'answered' } });
  expect(await kick(address, 'other')).toEqual({ ok: true, value: { kind: 'refused', status: 404 } });
});

test('a full line refuses the kick; with one place more it wakes', { timeout: 60_000 }, async () => {
  const { pod, envoy, address } = await busyGate(5);
  await setLimit(envoy, 5, PLACES);
  await setLimit(envoy, 2);
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'full' } });
  expect(pod.working.length).toBe(1);
  await setLimit(envoy, 6, PLACES);
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'withdrawn' } });
  await until(() => pod.working.length === 2, { what: 'the second request at the pod' });
});
