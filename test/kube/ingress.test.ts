import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../e2e/kit/instant.ts';
import { Pods } from '../e2e/kit/pods.ts';
import { freePorts } from '../e2e/kit/ports.ts';
import { SluiceProcess } from '../e2e/kit/sluice-process.ts';
import { K8S, WHY_NOT as NO_KUBECTL } from '../unit/k8s/kustomize.ts';
import { TestCluster } from './kit/cluster.ts';
import { Deployment } from './kit/deployment.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

const NGINX = 'nginx.ingress.kubernetes.io/';

/** Ingresses of a namespace. */
class Ingresses {
  readonly space: TestNamespace;

  constructor(space: TestNamespace) {
    this.space = space;
  }

  path(name = ''): string {
    return `/apis/networking.k8s.io/v1/namespaces/${this.space.name}/ingresses/${name}`.replace(/\/$/, '');
  }

  /** One of class `sluice` with a rule for each path of `host`, to `codec`. */
  async create(
    name: string,
    {
      host,
      paths,
      ...more
    }: { host?: string; paths: readonly string[]; annotations?: object; tls?: object; service?: string; type?: string },
  ): Promise<void> {
    const { annotations = {}, tls, service = 'codec', type = 'Prefix' } = more;
    const backend = { service: { name: service, port: { name: 'http' } } };
    const rule = { http: { paths: paths.map((path) => ({ path, pathType: type, backend })) } };
    await this.space.cluster.ask('POST', this.path(), {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, annotations },
      spec: { ingressClassName: 'sluice', ...(tls && { tls }), rules: [{ ...(host && { host }), ...rule }] },
    });
  }

  async status(name: string): Promise<unknown> {
    const { body } = await this.space.cluster.ask('GET', this.path(name));
    return body.status;
  }

  /** `Warning: what is told`, … of one Ingress. */
  async told(name: string): Promise<readonly string[]> {
    const { body } = await this.space.cluster.ask('GET', `/apis/events.k8s.io/v1/namespaces/${this.space.name}/events`);
    const events: readonly {
      readonly regarding: { readonly name: string };
      readonly type: string;
      readonly note: string;
    }[] = body.items;
    return events.filter(({ regarding }) => regarding.name === name).map(({ type, note }) => `${type}: ${note}`);
  }
}

/** The status of the answer over plain HTTP, with where it leads; undefined: there is none. */
async function get(
  port: number,
  host: string,
  path: string,
  more: readonly string[] = [],
): Promise<string | undefined> {
  const args = [
    ...more,
    '-s',
    '-o',
    '/dev/null',
    '-m',
    '5',
    '-w',
    '%{http_code} %{redirect_url}',
    '-H',
    `host: ${host}`,
  ];
  try {
    return execFileSync('curl', [...args, `http://127.0.0.1:${port}${path}`], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** The status over TLS, and the subject of the certificate that is shown. */
function getTls(port: number, host: string, path: string): Promise<string> {
  return new Promise((resolve) => {
    const options = {
      host: '127.0.0.1',
      port,
      servername: host,
      path,
      headers: { host },
      rejectUnauthorized: false,
      agent: false,
    };
    const asked = request(options, (response) => {
      const { socket } = response;
      const shown = 'getPeerCertificate' in socket ? String(Object(socket).getPeerCertificate().subject.CN) : '';
      response.resume().on('end', () => resolve(`${response.statusCode} ${shown}`));
    });
    asked.on('error', (error) => resolve(error.message)).end();
  });
}

/** A connection of HTTP/2 over TLS, and how its end was announced. */
class Http2Connection {
  readonly ends: string[] = [];
  readonly #session: ClientHttp2Session;
  readonly #host: string;

  private constructor(session: ClientHttp2Session, host: string) {
    this.#session = session;
    this.#host = host;
    for (const end of ['goaway', 'close', 'error']) session.on(end, () => this.ends.push(end));
  }

  static async open(port: number, host: string): Promise<Http2Connection> {
    const session = connect(`https://127.0.0.1:${port}`, { servername: host, rejectUnauthorized: false });
    await once(session, 'connect');
    return new Http2Connection(session, host);
  }

  get protocol(): string | undefined {
    return this.#session.alpnProtocol;
  }

  /** The status of the answer; undefined: there is none. */
  get(path: string): Promise<number | undefined> {
    return new Promise((resolve) => {
      const stream = this.#session.request({ ':path': path, ':authority': this.#host });
      stream.on('response', (headers) => stream.resume().on('end', () => resolve(headers[':status'])));
      stream.on('error', () => resolve(undefined)).end();
    });
  }

  close(): void {
    this.#session.close();
  }
}

/** Creates a TLS Secret for a host, or replaces its contents. */
async function putSecret(space: TestNamespace, name: string, host: string, subject: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ingress-'));
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'crt')];
  execFileSync('openssl', [...args, ...files, '-subj', `/CN=${subject}`, '-addext', `subjectAltName=DNS:${host}`], {
    stdio: 'ignore',
  });
  const encoded = (file: string) => readFileSync(join(folder, file)).toString('base64');
  const data = { 'tls.crt': encoded('crt'), 'tls.key': encoded('key') };
  const there = await space.cluster.ask('GET', space.path(`secrets/${name}`), undefined, true);
  if (there.status === 200) await space.cluster.ask('PATCH', space.path(`secrets/${name}`), { data });
  else await space.cluster.ask('POST', space.path('secrets'), { metadata: { name }, type: 'kubernetes.io/tls', data });
}

describe.skipIf(WHY_NOT !== undefined)(named('routes from Ingresses'), { timeout: 120_000 }, () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start();
    await cluster.ask('POST', '/apis/networking.k8s.io/v1/ingressclasses', {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'sluice' },
      spec: { controller: 'sluice.dev/ingress-controller' },
    });
    return () => cluster.stop();
  });

  async function start(more: readonly string[] = [], user: 'admin' | 'app' = 'admin') {
    const [port = 0, tlsPort = 0, admin = 0] = await freePorts(3);
    const ports = ['--ingress-port', String(port), '--ingress-tls-port', String(tlsPort)];
    const flags = ['--ingress', ...ports, ...more, '--admin', `127.0.0.1:${admin}`, '--log-level', 'debug'];
    const sluice = new SluiceProcess(['run', ...flags], { KUBECONFIG: cluster.kubeconfig(user) });
    onTestFinished(async () => {
      await sluice.end();
    });
    const status = async () => (await fetch(`http://127.0.0.1:${admin}/status`)).json();
    return { port, tlsPort, status, log: sluice.log };
  }

  test('paths, TLS by SNI with a certificate that is renewed, a redirect to HTTPS, a rewrite, and the status', async () => {
    const space = await TestNamespace.make(cluster);
    const deployment = await Deployment.make(space, '10.244.65', 1);
    const ingresses = new Ingresses(space);
    await putSecret(space, 'shop-tls', 'shop.example', 'first');
    await putSecret(space, 'test-tls', '*.shop.test', 'star');
    await ingresses.create('shop', {
      host: 'shop.example',
      paths: ['/'],
      tls: [{ hosts: ['shop.example'], secretName: 'shop-tls' }],
    });
    await ingresses.create('star', {
      host: '*.shop.test',
      paths: ['/'],
      tls: [{ hosts: ['*.shop.test'], secretName: 'test-tls' }],
    });
    await ingresses.create('plain', {
      host: 'plain.example',
      paths: ['/app'],
      annotations: { [`${NGINX}rewrite-target`]: '/inner' },
    });
    const { port, tlsPort } = await start(['--ingress-address', '192.0.2.7', '--ingress-address', 'edge.example']);
    await until(async () => (await get(port, 'plain.example', '/app')) === '200', { what: 'the path to answer' });
    expect((await deployment.pods.requests()).map(({ path }) => path)).toContain('/inner');
    expect(await get(port, 'plain.example', '/else')).toBe('404');
    expect(await get(port, 'shop.example', '/a?b=c')).toBe('308 https://shop.example/a?b=c');
    expect(await getTls(tlsPort, 'shop.example', '/')).toBe('200 first');
    expect(await getTls(tlsPort, 'a.shop.test', '/')).toBe('200 star');
    // One label, not two.
    expect(await getTls(tlsPort, 'b.a.shop.test', '/')).toMatch(/^404/);
    // HTTP/2 is agreed on, and a new certificate leaves the connection and the request that runs over it alone.
    const kept = await Http2Connection.open(tlsPort, 'shop.example');
    expect(kept.protocol).toBe('h2');
    const [pod = ''] = deployment.running;
    await deployment.pods.setWork(pod, 2000);
    const running = kept.get('/running');
    await until(async () => (await deployment.pods.requests()).some(({ path }) => path === '/running'), {
      what: 'the request to reach the pod',
    });
    await deployment.pods.setWork(pod, 0);
    await putSecret(space, 'shop-tls', 'shop.example', 'second');
    await until(async () => (await getTls(tlsPort, 'shop.example', '/')) === '200 second', {
      what: 'the new certificate',
    });
    expect(await running).toBe(200);
    expect(await kept.get('/after')).toBe(200);
    expect(kept.ends).toEqual([]);
    kept.close();
    await until(async () => JSON.stringify(await ingresses.status('plain')).includes('192.0.2.7'), {
      what: 'the status',
    });
    expect(await ingresses.status('plain')).toEqual({
      loadBalancer: { ingress: [{ ip: '192.0.2.7' }, { hostname: 'edge.example' }] },
    });
  });

  test('an Ingress that is wrong is told by Events, once, and takes nothing from its neighbour', async () => {
    const space = await TestNamespace.make(cluster);
    await Deployment.make(space, '10.244.66', 1);
    const ingresses = new Ingresses(space);
    await ingresses.create('good', { host: 'good.example', paths: ['/'] });
    const first = await start();
    await until(async () => (await get(first.port, 'good.example', '/')) === '200', {
      what: 'the good path to answer',
    });
    await ingresses.create('bad', {
      host: 'good.example',
      paths: ['/', '/absent'],
      service: 'absent',
      annotations: { [`${NGINX}affinity`]: 'cookie', [`${NGINX}proxy-body-size`]: '8m' },
    });
    const told = () => ingresses.told('bad');
    await until(async () => (await told()).length === 5, { what: 'the Events' });
    expect((await told()).map((line) => line.replace(/(;|\n).*/s, '')).sort()).toEqual([
      'Normal: metadata.annotations["nginx.ingress.kubernetes.io/proxy-body-size"]: proxy-body-size 8m is not needed',
      'Warning: metadata.annotations["nginx.ingress.kubernetes.io/affinity"]: affinity is not carried over',
      `Warning: spec.rules[0].http.paths[0].backend: there is no Service ${space.name}/absent`,
      `Warning: spec.rules[0].http.paths[0]: good.example/ is Ingress ${space.name}/good's as well, which is older and has it`,
      `Warning: spec.rules[0].http.paths[1].backend: there is no Service ${space.name}/absent`,
    ]);
    expect(await get(first.port, 'good.example', '/')).toBe('200');
    expect(await get(first.port, 'good.example', '/absent')).toBe('500');
    expect(JSON.stringify(await first.status())).toContain('affinity is not carried over');
    // Another one that tells objects finds the same, and finds it told.
    const second = await start(['--status-lease', 'another']);
    await until(async () => (await get(second.port, 'good.example', '/')) === '200', {
      what: 'the second one to answer',
    });
    await until(async () => JSON.stringify(await second.status()).includes('affinity'), { what: 'its own problems' });
    expect(await told()).toHaveLength(5);
  });

  test('annotations, as Envoy does them and pods see them', async () => {
    const space = await TestNamespace.make(cluster);
    const deployment = await Deployment.make(space, '10.244.68', 1);
    const next = await Pods.start({ count: 1, network: '10.244.69', port: 8080 });
    onTestFinished(() => next.stop());
    await space.addBareService('next', ['10.244.69.1']);
    const ingresses = new Ingresses(space);
    const nginx = (keys: Readonly<Record<string, string>>) =>
      Object.fromEntries(Object.entries(keys).map(([key, value]) => [`${NGINX}${key}`, value]));
    const groups = nginx({ 'rewrite-target': '/reviews/$2/of/$1', 'use-regex': 'true' });
    const type = 'ImplementationSpecific';
    await ingresses.create('groups', {
      host: 'groups.example',
      paths: ['/items/([0-9]+)/reviews/(.*)'],
      annotations: groups,
      type,
    });
    const rest = nginx({ 'rewrite-target': '/$2' });
    await ingresses.create('rest', { host: 'rest.example', paths: ['/api(/|$)(.*)'], annotations: rest, type });
    await ingresses.create('stable', { host: 'canary.example', paths: ['/'] });
    await ingresses.create('canary', {
      host: 'canary.example',
      paths: ['/'],
      service: 'next',
      annotations: nginx({
        canary: 'true',
        'canary-by-header': 'X-Canary',
        'canary-by-cookie': 'beta',
        'canary-weight': '30',
      }),
    });
    await ingresses.create('moved', {
      host: 'moved.example',
      paths: ['/'],
      annotations: nginx({ 'permanent-redirect': 'https://new.example$request_uri' }),
    });
    await ingresses.create('cors', {
      host: 'cors.example',
      paths: ['/'],
      annotations: nginx({ 'enable-cors': 'true', 'cors-allow-origin': 'https://app.example', 'app-root': '/start' }),
    });
    for (const [name, keys] of Object.entries({
      inside: { 'whitelist-source-range': '192.0.2.0/24, 127.0.0.0/8' },
      outside: { 'whitelist-source-range': '192.0.2.0/24', 'app-root': '/start' },
      denied: { 'whitelist-source-range': '127.0.0.0/8', 'denylist-source-range': '127.0.0.1,::1' },
    })) {
      await ingresses.create(name, { host: `${name}.example`, paths: ['/'], annotations: nginx(keys) });
    }
    const { port } = await start();
    await until(async () => (await get(port, 'cors.example', '/x')) === '200', { what: 'the paths to answer' });
    await until(async () => (await get(port, 'denied.example', '/')) === '403', { what: 'the last Ingress to count' });
    await deployment.pods.forget();
    expect(await get(port, 'inside.example', '/')).toBe('200');
    await deployment.pods.forget();
    expect(await get(port, 'outside.example', '/x', ['-H', 'x-forwarded-for: 192.0.2.1'])).toBe('403');
    expect(await get(port, 'outside.example', '/')).toBe('403');
    expect(await get(port, 'denied.example', '/')).toBe('403');
    expect(await deployment.pods.requests()).toEqual([]);
    expect(await get(port, 'groups.example', '/Items/42/reviews/new?x=1')).toBe('200');
    expect(await get(port, 'rest.example', '/api/v1/x?y=1')).toBe('200');
    expect(await get(port, 'rest.example', '/api')).toBe('200');
    expect((await deployment.pods.requests()).map(({ path }) => path)).toEqual(['/reviews/new/of/42', '/v1/x', '/']);
    expect(await get(port, 'moved.example', '/a?b=1')).toBe('301 https://new.example/a?b=1');
    expect(await get(port, 'cors.example', '/')).toBe('302 http://cors.example/start');
    const preflight = [
      '-X',
      'OPTIONS',
      '-H',
      'origin: https://app.example',
      '-H',
      'access-control-request-method: PUT',
    ];
    await deployment.pods.forget();
    expect(await get(port, 'cors.example', '/x', preflight)).toBe('200');
    expect(await deployment.pods.requests()).toEqual([]);
    const seen = async (...args: readonly string[]) => {
      await Promise.all([deployment.pods.forget(), next.forget()]);
      for (let count = 0; count < 40; count++) expect(await get(port, 'canary.example', '/', args)).toBe('200');
      return (await next.requests()).length;
    };
    expect(await seen('-H', 'x-canary: always')).toBe(40);
    expect(await seen('-H', 'x-canary: never')).toBe(0);
    expect(await seen('-H', 'cookie: a=b; beta=always')).toBe(40);
    expect(await seen('-H', 'cookie: beta=never')).toBe(0);
    const share = await seen();
    expect([share > 0, share < 30]).toEqual([true, true]);
  });

  test.skipIf(NO_KUBECTL !== undefined)(
    `kubectl apply -k k8s/ingress is taken, and its ClusterRole is all that is needed${NO_KUBECTL === undefined ? '' : ` (skipped: ${NO_KUBECTL})`}`,
    async () => {
      const kubectl = (...args: readonly string[]) =>
        execFileSync('kubectl', ['--kubeconfig', cluster.kubeconfig(), ...args], { encoding: 'utf8' });
      const out = kubectl('apply', '--validate=strict', '-k', `${K8S}ingress`);
      expect(out).toContain('ingressclass.networking.k8s.io/sluice');
      expect(out).toContain('clusterrole.rbac.authorization.k8s.io/sluice-ingress created');
      kubectl('create', 'clusterrolebinding', 'app-ingress', '--clusterrole=sluice-ingress', '--user=app');
      kubectl('create', 'rolebinding', 'app-lease', '--role=sluice-peers', '--user=app');
      const space = await TestNamespace.make(cluster);
      await Deployment.make(space, '10.244.67', 1);
      const ingresses = new Ingresses(space);
      await ingresses.create('web', {
        host: 'least.example',
        paths: ['/'],
        annotations: { [`${NGINX}affinity`]: 'cookie' },
      });
      const { port, log } = await start(['--ingress-address', '192.0.2.8'], 'app');
      await until(async () => (await get(port, 'least.example', '/')) === '200', { what: 'the path to answer' });
      await until(async () => JSON.stringify(await ingresses.status('web')).includes('192.0.2.8'), {
        what: 'its status',
      });
      await until(async () => (await ingresses.told('web')).length === 1, { what: 'its Event' });
      expect(log.filter(({ fields }) => JSON.stringify(fields).includes('not allowed'))).toEqual([]);
    },
  );
});
