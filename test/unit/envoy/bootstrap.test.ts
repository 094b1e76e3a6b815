import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type BootstrapOptions, envoyBootstrap, renderBootstrap } from '../../../src/envoy/bootstrap.ts';

const options: BootstrapOptions = {
  nodeId: 'envoy-1',
  nodeCluster: 'edge',
  xds: { kind: 'tcp', host: '10.0.0.7', port: 18_000 },
  admin: { host: '127.0.0.1', port: 9901 },
};
const withXds = (xds: BootstrapOptions['xds']) => envoyBootstrap({ ...options, xds });
const clusterWith = (cluster: object) => ({ static_resources: { clusters: [cluster] } });
const endpoint = (address: object) => ({
  load_assignment: { endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
});

describe('envoyBootstrap', () => {
  test('says who it is, and which services it carries only when asked to', () => {
    expect(envoyBootstrap(options)['node']).toEqual({ id: 'envoy-1', cluster: 'edge' });
    expect(envoyBootstrap({ ...options, services: ['codec', 'llm'] })['node']).toEqual({
      id: 'envoy-1',
      cluster: 'edge',
      metadata: { sluice: { services: ['codec', 'llm'] } },
    });
  });

  test('waits for every part of its configuration without end', () => {
    const forever = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
    expect(envoyBootstrap(options)).toMatchObject({
      dynamic_resources: { ads_config: { api_type: 'DELTA_GRPC' }, cds_config: forever, lds_config: forever },
    });
  });

  test('counts requests that wait for a connection', () => {
    const layer = { 'envoy.reloadable_features.least_request_lb_count_pending_requests': true };
    expect(envoyBootstrap(options)).toMatchObject({ layered_runtime: { layers: [{ static_layer: layer }] } });
  });

  test.each(['10.0.0.7', 'fd00::7'])('takes the IP address %s as it is', (host) => {
    const address = { socket_address: { address: host, port_value: 18_000 } };
    expect(withXds({ kind: 'tcp', host, port: 18_000 })).toMatchObject(
      clusterWith({ type: 'STATIC', ...endpoint(address) }),
    );
  });

  test('looks up a host name', () => {
    const address = { socket_address: { address: 'sluice.infra', port_value: 1 } };
    const found = { cluster_type: { name: 'envoy.cluster.dns' }, ...endpoint(address) };
    expect(withXds({ kind: 'tcp', host: 'sluice.infra', port: 1 })).toMatchObject(clusterWith(found));
  });

  test('takes a unix socket', () => {
    const found = { type: 'STATIC', ...endpoint({ pipe: { path: '/run/x.sock' } }) };
    expect(withXds({ kind: 'unix', path: '/run/x.sock' })).toMatchObject(clusterWith(found));
  });
});

describe('renderBootstrap', () => {
  test('begins with the command line, and what follows is the bootstrap', () => {
    const text = renderBootstrap(options, 'my.yaml');
    expect(text.split('\n')[2]).toBe(
      '#   envoy -c my.yaml --disable-hot-restart --drain-time-s 31536000 --drain-strategy immediate --file-flush-interval-msec 1000',
    );
    expect(text).toMatch(/^# --disable-hot-restart: .+\.$/m);
    expect(parse(text)).toEqual(envoyBootstrap(options));
  });

  test.each(['n', 'on', 'yes', '0x1f', '1:30', '1e3', 'null', '~', '5 # 6'])(
    'keeps %j a text for a YAML 1.1 reader',
    (nodeId) => {
      const parsed = parse(renderBootstrap({ ...options, nodeId }), { version: '1.1' });
      expect(parsed.node.id).toBe(nodeId);
    },
  );
});
