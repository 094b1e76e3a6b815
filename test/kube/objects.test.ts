import { mkdtempSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { createGatewayApi, untilAccepted } from '../conformance/create.ts';
import { until } from '../e2e/kit/instant.ts';
import { freePorts } from '../e2e/kit/ports.ts';
import { SluiceProcess } from '../e2e/kit/sluice-process.ts';
import { overLimit } from '../e2e/kit/verdict.ts';
import { TestCluster } from './kit/cluster.ts';
import { Deployment } from './kit/deployment.ts';
import { createIstio } from './kit/istio.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

/** Where Gateways are: an address of the tests' own network. */
const GATEWAY = '10.244.70.200';

const LIMIT = 2;

/** Sends a GET; its status. */
function get(url: string, host?: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = host === undefined ? {} : { host };
    const asked = request(url, { headers }, (response) =>
      response.resume().on('end', () => resolve(response.statusCode)),
    );
    asked.on('error', () => resolve(undefined)).end();
  });
}

/** Creates an object of a namespace. */
async function create(
  space: TestNamespace,
  group: string,
  plural: string,
  object: { readonly kind: string; readonly name: string; readonly spec: unknown },
): Promise<void> {
  const { kind, name, spec } = object;
  const body = { apiVersion: `${group}/v1`, kind, metadata: { name }, spec };
  await space.cluster.ask('POST', `/apis/${group}/v1/namespaces/${space.name}/${plural}`, body);
}

function createIngress(space: TestNamespace, name: string, path: string): Promise<void> {
  const backend = { service: { name: 'codec', port: { number: 80 } } };
  const rules = [{ http: { paths: [{ path, pathType: 'Prefix', backend }] } }];
  return create(space, 'networking.k8s.io', 'ingresses', {
    kind: 'Ingress',
    name,
    spec: { ingressClassName: 'sluice', rules },
  });
}

describe.skipIf(WHY_NOT !== undefined)(named('routes from objects of several kinds'), { timeout: 120_000 }, () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start();
    await createGatewayApi(cluster);
    await createIstio(cluster);
    return () => cluster.stop();
  });

  test('a limit on a Service holds over HTTPRoutes, an Ingress, a VirtualService and the route file: one queue', async () => {
    const space = await TestNamespace.make(cluster);
    const deployment = await Deployment.make(space, '10.244.70', 2);
    await cluster.ask('PATCH', space.path('services/codec'), {
      metadata: { annotations: { 'sluice.dev/limit': String(LIMIT) } },
    });
    const gateway = 'gateway.networking.k8s.io';
    await create(space, gateway, 'gateways', {
      kind: 'Gateway',
      name: 'edge',
      spec: { gatewayClassName: 'sluice', listeners: [{ name: 'http', port: 8087, protocol: 'HTTP' }] },
    });
    for (const name of ['a', 'b', 'c']) {
      await create(space, gateway, 'httproutes', {
        kind: 'HTTPRoute',
        name,
        spec: {
          parentRefs: [{ name: 'edge' }],
          rules: [{ matches: [{ path: { value: `/${name}` } }], backendRefs: [{ name: 'codec', port: 80 }] }],
        },
      });
    }
    await createIngress(space, 'web', '/ingress');
    await create(space, 'networking.istio.io', 'virtualservices', {
      kind: 'VirtualService',
      name: 'mesh',
      spec: {
        hosts: ['mesh.example'],
        gateways: ['public'],
        http: [
          { match: [{ uri: { exact: '/first' } }], directResponse: { status: 418 } },
          { route: [{ destination: { host: 'codec' } }] },
        ],
      },
    });
    await create(space, 'networking.istio.io', 'destinationrules', {
      kind: 'DestinationRule',
      name: 'codec',
      spec: { host: 'codec', trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true } } } },
    });
    const [port = 0, admin = 0, ingress = 0, istio = 0] = await freePorts(4);
    const file = join(mkdtempSync(join(tmpdir(), 'sluice-objects-')), 'routes.yaml');
    const kubernetes = { namespace: space.name, service: 'codec', port: 'http' };
    const routes = [{ match: { prefix: '/file' }, service: 'codec' }];
    writeFileSync(
      file,
      stringify({
        version: 1,
        listen: { address: '127.0.0.1', port },
        services: { codec: { kubernetes, limit: LIMIT } },
        routes,
      }),
    );
    const sources = [
      '--gateway-api',
      '--gateway-address',
      GATEWAY,
      '--ingress',
      '--ingress-port',
      String(ingress),
      '--istio',
      '--istio-port',
      String(istio),
    ];
    const sluice = new SluiceProcess(['run', '--routes', file, ...sources, '--admin', `127.0.0.1:${admin}`], {
      KUBECONFIG: cluster.kubeconfig(),
    });
    onTestFinished(async () => {
      await sluice.end();
    });
    await untilAccepted(cluster);
    const mesh = { url: `http://127.0.0.1:${istio}/any`, host: 'mesh.example' };
    const ways: readonly { readonly url: string; readonly host?: string }[] = [
      { url: `http://127.0.0.1:${port}/file` },
      ...['a', 'b', 'c'].map((name) => ({ url: `http://${GATEWAY}:8087/${name}` })),
      { url: `http://127.0.0.1:${ingress}/ingress` },
      mesh,
    ];
    for (const { url, host } of ways)
      await until(async () => (await get(url, host)) === 200, { what: `${url} to answer` });
    expect(await get(`http://127.0.0.1:${istio}/first`, mesh.host)).toBe(418);
    await deployment.pods.forget();
    for (const address of deployment.running) await deployment.pods.setWork(address, 60);

    const asked = Array.from({ length: 120 }, (_, at) => ways[at % ways.length] ?? mesh);
    const statuses = await Promise.all(asked.map(({ url, host }) => get(url, host)));

    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    const seen = await deployment.pods.requests();
    expect(seen).toHaveLength(120);
    expect(overLimit(seen, LIMIT)).toMatchObject({ times: 0, peak: LIMIT });
    const status = await (await fetch(`http://127.0.0.1:${admin}/status`)).json();
    expect(status).toMatchObject({ services: [{ name: 'codec', limit: LIMIT }] });
    // What Istio's rule cannot have is told at it and in the status.
    expect(JSON.stringify(status)).toContain('consistentHash is not carried over');
    const { body } = await cluster.ask('GET', `/apis/events.k8s.io/v1/namespaces/${space.name}/events`);
    const events: readonly { readonly regarding: { readonly kind: string }; readonly note: string }[] = body.items;
    const told = events.filter(({ regarding }) => regarding.kind === 'DestinationRule');
    expect(told.map(({ note }) => note)).toEqual([expect.stringContaining('consistentHash is not carried over')]);
  });

  test('of two Sluices one writes statuses; when it is gone the other does, and nothing is written in vain', async () => {
    const space = await TestNamespace.make(cluster);
    await Deployment.make(space, '10.244.71', 1);
    await createIngress(space, 'shared', '/shared');
    const start = async (address: string) => {
      const [port = 0, admin = 0] = await freePorts(2);
      const flags = [
        '--ingress',
        '--ingress-port',
        String(port),
        '--ingress-address',
        address,
        '--status-lease',
        'two',
      ];
      const sluice = new SluiceProcess(['run', ...flags, '--admin', `127.0.0.1:${admin}`], {
        KUBECONFIG: cluster.kubeconfig(),
      });
      onTestFinished(async () => {
        await sluice.end();
      });
      await until(async () => (await get(`http://127.0.0.1:${port}/shared`)) === 200, { what: `${address} to serve` });
      return { sluice, metrics: async () => (await fetch(`http://127.0.0.1:${admin}/metrics`)).text() };
    };
    const address = async () => {
      const { body } = await cluster.ask('GET', `/apis/networking.k8s.io/v1/namespaces/${space.name}/ingresses/shared`);
      return body.status?.loadBalancer?.ingress?.[0]?.ip;
    };
    const first = await start('192.0.2.1');
    await until(async () => (await address()) === '192.0.2.1', { what: 'the first one to write' });
    const second = await start('192.0.2.2');
    await createIngress(space, 'other', '/other');
    await until(async () => (await first.metrics()).includes('sluice_object_status_writes_total{result="changed"} 2'), {
      what: 'the first one to write the other Ingress',
    });
    expect(await second.metrics()).toContain('sluice_object_status_writes_total{result="changed"} 0');
    expect(await address()).toBe('192.0.2.1');
    expect(await first.metrics()).toContain('sluice_object_status_writes_total{result="same"} 0');
    await first.sluice.end();
    await until(async () => (await address()) === '192.0.2.2', { what: 'the second one to write', within: 20_000 });
    const { body } = await cluster.ask('GET', '/apis/coordination.k8s.io/v1/namespaces/default/leases/two');
    expect(body.spec.leaseTransitions).toBe(1);
  });
});
