import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import type { Condition } from '../../src/routes/objects/condition.ts';
import { createGatewayApi, untilAccepted } from '../conformance/create.ts';
import { until } from '../e2e/kit/instant.ts';
import { freePorts } from '../e2e/kit/ports.ts';
import { SluiceProcess } from '../e2e/kit/sluice-process.ts';
import { overLimit } from '../e2e/kit/verdict.ts';
import { K8S, WHY_NOT as NO_KUBECTL } from '../unit/k8s/kustomize.ts';
import { TestCluster } from './kit/cluster.ts';
import { Deployment } from './kit/deployment.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

/** Where Gateways are: an address of the tests' own network. */
const GATEWAY = '10.244.60.200';

const LIMIT = 2;

/** Sends a GET; its status. */
function get(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = request(url, (response) => response.resume().on('end', () => resolve(response.statusCode)));
    asked.on('error', () => resolve(undefined)).end();
  });
}

/** A cluster's Gateway API. */
class Gateways {
  readonly cluster: TestCluster;
  readonly space: TestNamespace;

  constructor(cluster: TestCluster, space: TestNamespace) {
    this.cluster = cluster;
    this.space = space;
  }

  path(plural: string): string {
    return `/apis/gateway.networking.k8s.io/v1/namespaces/${this.space.name}/${plural}`;
  }

  async create(kind: 'Gateway' | 'HTTPRoute', name: string, spec: unknown): Promise<void> {
    const apiVersion = 'gateway.networking.k8s.io/v1';
    await this.cluster.ask('POST', this.path(`${kind.toLowerCase()}s`), { apiVersion, kind, metadata: { name }, spec });
  }

  /** `Accepted=True`, … of an HTTPRoute at its first parent. */
  async conditions(name: string): Promise<readonly string[]> {
    const { body } = await this.cluster.ask('GET', this.path(`httproutes/${name}`));
    const found: readonly { readonly type: string; readonly status: string }[] =
      body.status?.parents?.[0]?.conditions ?? [];
    return found.map(({ type, status }) => `${type}=${status}`);
  }
}

interface StartOptions {
  readonly user?: 'admin' | 'app';
  readonly addresses?: readonly string[];
}

function routeTo(path: string) {
  return {
    parentRefs: [{ name: 'edge' }],
    rules: [{ matches: [{ path: { value: path } }], backendRefs: [{ name: 'codec', port: 80 }] }],
  };
}

describe.skipIf(WHY_NOT !== undefined)(named('routes from Gateway API objects'), { timeout: 120_000 }, () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start();
    await createGatewayApi(cluster);
    return () => cluster.stop();
  });

  /** `sluice run` with a route file for `codec` and its own port, beside objects. */
  async function start(space: TestNamespace, { user = 'admin', addresses = [GATEWAY] }: StartOptions = {}) {
    const [port = 0, admin = 0] = await freePorts(2);
    const file = join(mkdtempSync(join(tmpdir(), 'sluice-gateway-')), 'routes.yaml');
    const kubernetes = { namespace: space.name, service: 'codec', port: 'http' };
    const routes = [{ match: { prefix: '/file' }, service: 'codec' }];
    const listen = { address: '127.0.0.1', port };
    writeFileSync(file, stringify({ version: 1, listen, services: { codec: { kubernetes, limit: LIMIT } }, routes }));
    const pool = addresses.flatMap((address) => ['--gateway-address', address]);
    const flags = ['--gateway-api', ...pool, '--admin', `127.0.0.1:${admin}`];
    const sluice = new SluiceProcess(['run', '--routes', file, ...flags, '--log-level', 'debug'], {
      KUBECONFIG: cluster.kubeconfig(user),
    });
    onTestFinished(async () => {
      await sluice.end();
    });
    await untilAccepted(cluster);
    const status = async () => (await fetch(`http://127.0.0.1:${admin}/status`)).json();
    return { file: `http://127.0.0.1:${port}/file`, status, log: sluice.log };
  }

  test('a limit holds over three HTTPRoutes and the route file together: they are one service, with one queue', async () => {
    const space = await TestNamespace.make(cluster);
    const deployment = await Deployment.make(space, '10.244.60', 2);
    const gateways = new Gateways(cluster, space);
    await gateways.create('Gateway', 'edge', {
      gatewayClassName: 'sluice',
      listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }],
    });
    for (const name of ['a', 'b', 'c']) await gateways.create('HTTPRoute', name, routeTo(`/${name}`));
    const sluice = await start(space);
    const urls = [sluice.file, ...['a', 'b', 'c'].map((name) => `http://${GATEWAY}/${name}`)];
    for (const url of urls) await until(async () => (await get(url)) === 200, { what: `${url} to answer` });
    await deployment.pods.forget();
    for (const address of deployment.running) await deployment.pods.setWork(address, 60);

    const statuses = await Promise.all(Array.from({ length: 80 }, (_, at) => get(urls[at % urls.length] ?? '')));

    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    const seen = await deployment.pods.requests();
    expect(seen).toHaveLength(80);
    expect(overLimit(seen, LIMIT)).toMatchObject({ times: 0, peak: LIMIT });
    expect(await sluice.status()).toMatchObject({ services: [{ name: 'codec', limit: LIMIT }] });
    expect(await gateways.conditions('a')).toEqual(['Accepted=True', 'ResolvedRefs=True']);
  });

  test.skipIf(NO_KUBECTL !== undefined)(
    `kubectl apply -k k8s/gateway-api is taken, and its ClusterRole is all that is needed${NO_KUBECTL === undefined ? '' : ` (skipped: ${NO_KUBECTL})`}`,
    async () => {
      const kubectl = (...args: readonly string[]) =>
        execFileSync('kubectl', ['--kubeconfig', cluster.kubeconfig(), ...args], { encoding: 'utf8' });
      const out = kubectl('apply', '--validate=strict', '-k', `${K8S}gateway-api`);
      expect(out).toContain('gatewayclass.gateway.networking.k8s.io/sluice');
      expect(out).toContain('clusterrole.rbac.authorization.k8s.io/sluice-gateway-api created');
      kubectl('create', 'clusterrolebinding', 'app', '--clusterrole=sluice-gateway-api', '--user=app');
      kubectl('create', 'rolebinding', 'app-lease', '--role=sluice-peers', '--user=app');
      const space = await TestNamespace.make(cluster);
      await Deployment.make(space, '10.244.62', 1);
      const gateways = new Gateways(cluster, space);
      await gateways.create('Gateway', 'edge', {
        gatewayClassName: 'sluice',
        listeners: [{ name: 'http', port: 8082, protocol: 'HTTP' }],
      });
      await gateways.create('HTTPRoute', 'r', routeTo('/r'));
      const sluice = await start(space, { user: 'app' });
      await until(async () => (await get(`http://${GATEWAY}:8082/r`)) === 200, { what: 'the route to answer' });
      await until(async () => (await gateways.conditions('r')).length === 2, { what: 'its conditions' });
      expect(sluice.log.filter(({ fields }) => JSON.stringify(fields).includes('not allowed'))).toEqual([]);
    },
  );

  test('an address that is not there is told at its Gateway alone, and is served as soon as it is there', async () => {
    const away = '10.99.0.1';
    const space = await TestNamespace.make(cluster);
    await Deployment.make(space, '10.244.63', 1);
    const gateways = new Gateways(cluster, space);
    const spec = { gatewayClassName: 'sluice', listeners: [{ name: 'http', port: 8083, protocol: 'HTTP' }] };
    await gateways.create('Gateway', 'edge', { ...spec, addresses: [{ value: GATEWAY }] });
    await gateways.create('Gateway', 'away', { ...spec, addresses: [{ value: away }] });
    await gateways.create('HTTPRoute', 'r', {
      ...routeTo('/r'),
      parentRefs: [{ name: 'edge' }, { name: 'away' }],
    });
    await start(space, { addresses: [GATEWAY, away] });
    const programmed = async (name: string) => {
      const { body } = await cluster.ask('GET', gateways.path(`gateways/${name}`));
      const conditions: readonly Condition[] = body.status?.conditions ?? [];
      return conditions.find(({ type }) => type === 'Programmed');
    };
    const isSaid = async () => (await programmed('away'))?.message.includes('Cannot assign requested address');
    await until(isSaid, { what: 'the Gateway to be told' });
    await until(async () => (await get(`http://${GATEWAY}:8083/r`)) === 200, { what: 'the other Gateway to answer' });
    expect(await programmed('edge')).toMatchObject({ status: 'True' });
    expect(await programmed('away')).toMatchObject({ status: 'False' });

    execFileSync('ip', ['address', 'add', `${away}/32`, 'dev', 'lo']);
    onTestFinished(() => {
      execFileSync('ip', ['address', 'del', `${away}/32`, 'dev', 'lo']);
    });
    await until(async () => (await get(`http://${away}:8083/r`)) === 200, {
      what: 'the address to be served',
      within: 30_000,
    });
    await until(async () => (await programmed('away'))?.status === 'True', { what: 'its Gateway to be told so' });
  });

  test('an object that is wrong takes nothing from its neighbours, and other settings of one Service are told', async () => {
    const space = await TestNamespace.make(cluster);
    await Deployment.make(space, '10.244.61', 1);
    const gateways = new Gateways(cluster, space);
    await gateways.create('Gateway', 'edge', {
      gatewayClassName: 'sluice',
      listeners: [
        { name: 'http', port: 8081, protocol: 'HTTP' },
        { name: 'tls', port: 8443, protocol: 'HTTPS', tls: { certificateRefs: [{ name: 'none' }] } },
      ],
    });
    await gateways.create('HTTPRoute', 'good', routeTo('/good'));
    const sluice = await start(space);
    const good = `http://${GATEWAY}:8081/good`;
    await until(async () => (await get(good)) === 200, { what: 'the good route to answer' });

    const backendRefs = [
      { name: 'absent', port: 80 },
      { name: 'codec', port: 81 },
      { name: 'codec', namespace: 'default', port: 80 },
      { name: 'b', group: 'storage.example', kind: 'Bucket' },
    ];
    await gateways.create('HTTPRoute', 'bad', {
      parentRefs: ['http', 'none'].map((sectionName) => ({ name: 'edge', sectionName })),
      rules: [
        { matches: [{ path: { value: '/bad' } }], backendRefs },
        {
          matches: [{ path: { type: 'RegularExpression', value: '/(?<x' } }],
          backendRefs: [{ name: 'codec', port: 80 }],
        },
        {
          matches: [{ path: { value: '/extended' } }],
          filters: [{ type: 'ExtensionRef', extensionRef: { group: 'g.example', kind: 'K', name: 'n' } }],
          backendRefs: [{ name: 'codec', port: 80 }],
        },
      ],
    });
    await cluster.ask('PATCH', space.path('services/codec'), {
      metadata: { annotations: { 'sluice.dev/limit': '5' } },
    });
    await until(async () => (await get(`http://${GATEWAY}:8081/bad`)) === 500, { what: 'the bad route to answer 500' });
    expect(await get(good)).toBe(200);
    expect(await get(`http://${GATEWAY}:8081/extended`)).toBe(500);
    expect(await gateways.conditions('bad')).toEqual(['Accepted=True', 'ResolvedRefs=False', 'PartiallyInvalid=True']);
    const told = JSON.stringify((await cluster.ask('GET', gateways.path('httproutes/bad'))).body.status.parents);
    for (const fault of [
      'NoMatchingParent',
      `there is no Service ${space.name}/absent`,
      `Service ${space.name}/codec has no TCP port 81`,
      `no ReferenceGrant in namespace default lets a HTTPRoute of ${space.name} use Service codec`,
      'Bucket of storage.example b cannot be a backend',
      'rules[1] is left out: not a regular expression of RE2',
      'rules[2] is answered with 500: its filter ExtensionRef is not known here',
    ]) {
      expect(told).toContain(fault);
    }
    const notes = async () => {
      const { body } = await cluster.ask('GET', `/apis/events.k8s.io/v1/namespaces/${space.name}/events`);
      const events: readonly { readonly regarding: { readonly name: string }; readonly note: string }[] = body.items;
      return events.filter(({ regarding }) => regarding.name === 'bad').map(({ note }) => note);
    };
    const isTold = async () => (await notes()).some((note) => note.startsWith('ResolvedRefs: there is no Service'));
    await until(isTold, { what: 'the Event' });
    const text = JSON.stringify(
      await until(
        async () => {
          const status = await sluice.status();
          return JSON.stringify(status).includes('other settings') ? status : undefined;
        },
        { what: 'the contradiction to be told' },
      ),
    );
    expect(text).toContain(`${space.name}/codec/80 of the Gateway API and codec of the route file have the same pods`);
  });

  test('a SlotPolicy that Sluice would refuse is refused by the API server, and a good one is kept whole', async () => {
    const space = await TestNamespace.make(cluster);
    const create = async (keys: object) => {
      const object = {
        apiVersion: 'sluice.dev/v1alpha1',
        kind: 'SlotPolicy',
        metadata: { generateName: 'codec-' },
        spec: { targetRefs: [{ name: 'codec' }], ...keys },
      };
      const path = `/apis/sluice.dev/v1alpha1/namespaces/${space.name}/slotpolicies`;
      const { status, body } = await cluster.ask('POST', path, object, true);
      return status === 201 ? body.spec : `${status} ${body.message}`;
    };
    const priority = { classes: ['high', 'low'], default: 'low', max_wait: { low: '90s' } };
    const fair = { header: 'x-tenant', weights: { gold: 4, silver: 2 } };
    const queue = { priority, fair, deadline: 'early' };
    const good = { limit: 2, cost: { header: 'x-cost' }, scale: { down_after: '5m' }, queue };
    expect(await create(good)).toMatchObject(good);
    const bad: readonly (readonly [object, string])[] = [
      [{ limit: 2, queue: { priority: { ...priority, classes: ['high', '-'] } } }, 'spec.queue.priority.classes[1]: '],
      [{ limit: 2, queue: { priority: { ...priority, classes: [] } } }, 'spec.queue.priority.classes: '],
      [
        { limit: 2, queue: { priority: { ...priority, max_wait: { low: 'soon' } } } },
        'spec.queue.priority.max_wait.low: ',
      ],
      [{ limit: 2, queue: { fair: { ...fair, weights: { gold: 1001 } } } }, 'spec.queue.fair.weights.gold: '],
      [{ cost: { header: 'x-cost' } }, 'cost: only with a limit: without one there are no slots'],
      [{ scale: { down_after: '5m' } }, 'scale.down_after: only with a limit: '],
      [{ queue: { priority } }, 'queue.priority: only with a limit: without one nothing waits in a queue'],
      [{ queue: { fair } }, 'queue.fair: only with a limit: without one nothing waits in a queue'],
      [{ queue: { deadline: 'early' } }, 'queue.deadline: only with a limit: without one nothing waits in a queue'],
    ];
    for (const [keys, message] of bad) {
      const told = await create(keys);
      expect(told).toContain('422 ');
      expect(told).toContain(message);
    }
  });
});
