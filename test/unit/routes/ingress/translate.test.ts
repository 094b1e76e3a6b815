import { describe, expect, it, test } from 'vitest';
import { describeClients } from '../../../../src/model/ip-range.ts';
import type { Route } from '../../../../src/model/route.ts';
import type { Translation } from '../../../../src/routes/objects/translation.ts';
import { ingressOf, objectsOf, path, rules, SERVICES_YAML, secretFor, toldTo, translated } from './world.ts';

const NGINX = 'nginx.ingress.kubernetes.io/';

const WEB = rules('shop.example', path('/'));

/** An Ingress `web` with these annotations (without the beginning), beside the Services. */
function annotated(annotations: Readonly<Record<string, string>>, spec = WEB) {
  const full = Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`${NGINX}${key}`, value]));
  return translated(objectsOf(SERVICES_YAML, ingressOf('web', { annotations: full, spec })));
}

/** `shop.example/ → shop/web/80`: of each route where it leads. */
function ways(routes: readonly Route[]): readonly string[] {
  return routes.map((route) => {
    const { hosts, path: taken, headers } = route.match;
    const where = `${hosts.join(' ')}${taken.kind === 'exact' ? `=${taken.path}` : taken.kind === 'regex' ? `~${taken.regex}` : `${taken.prefix}${taken.kind === 'start' ? '*' : ''}`}`;
    const conditions = headers.map(({ name }) => ` [${name}]`).join('');
    const at = route.listeners.map((name) => name.replace('ingress/', '')).join(' ');
    return `${at} ${where}${conditions} → ${targetOf(route)}`;
  });
}

function targetOf(route: Route): string {
  switch (route.kind) {
    case 'forward':
      return route.backends.map((one) => (one.kind === 'service' ? one.service : 'nobody')).join(' + ');
    case 'redirect':
      return `${route.redirect.status} ${JSON.stringify(route.redirect)}`;
    case 'answer':
      return String(route.status);
  }
}

describe('which Ingresses are ours', () => {
  const named = (name: string) =>
    ingressOf(name, { spec: WEB }).replace('ingressClassName: sluice', `ingressClassName: ${name}`);
  const bare = (name: string, annotations: Readonly<Record<string, string>> = {}) =>
    ingressOf(name, { spec: WEB, annotations }).replace('  ingressClassName: sluice\n', '');
  const classOf = (name: string, controller: string, isDefault = false) =>
    `kind: IngressClass\nmetadata: {name: ${name}, annotations: {ingressclass.kubernetes.io/is-default-class: "${isDefault}"}}\nspec: {controller: ${controller}}\n---\n`;
  const ours = (texts: readonly string[], classes: readonly string[] = []) =>
    translated(objectsOf(SERVICES_YAML, ...texts), { classes }).part.routes.map(({ origin }) => origin?.name);

  it('those of classes whose controller we are, and of the name sluice where there is no such class', () => {
    const all = [
      named('sluice'),
      named('nginx'),
      named('edge'),
      bare('none'),
      bare('old', { 'kubernetes.io/ingress.class': 'sluice' }),
    ];
    expect(ours(all)).toEqual(['old', 'sluice']);
    expect(ours([...all, classOf('edge', 'sluice.dev/ingress-controller')])).toEqual(['edge', 'old', 'sluice']);
    expect(ours([...all, classOf('sluice', 'other.example/controller')])).toEqual([]);
  });

  it('those without a class, when the default class is ours; and those of classes that we are to take over', () => {
    const all = [bare('none'), named('nginx')];
    expect(ours([...all, classOf('sluice', 'sluice.dev/ingress-controller', true)])).toEqual(['none']);
    expect(ours([...all, classOf('nginx', 'k8s.io/ingress-nginx')], ['nginx'])).toEqual(['nginx']);
  });
});

test('paths of each type, ports by number and name, a default backend, a host with a star', () => {
  const { part, told } = translated(
    objectsOf(
      SERVICES_YAML,
      ingressOf('web', {
        spec: `defaultBackend: {service: {name: web, port: {name: http}}}\n${rules(
          '*.shop.example',
          path('/exact', 'Exact'),
          path('/v1/', 'Prefix', 'api'),
          path('/foo', 'ImplementationSpecific'),
          path('/all/*', 'ImplementationSpecific', 'api', '{name: http}'),
        )}`,
      }),
    ),
  );
  expect(ways(part.routes)).toEqual([
    'http *.shop.example=/exact [:authority] → shop/web/80',
    'http *.shop.example/v1 [:authority] → shop/api/80',
    'http *.shop.example/foo* [:authority] → shop/web/80',
    'http *.shop.example/all/ [:authority] → shop/api/80',
    'http / → shop/web/80',
  ]);
  expect(part.routes[0]?.match.headers).toEqual([
    { name: ':authority', value: { kind: 'regex', regex: '(?i:[^.:]+\\.shop\\.example)(?::[0-9]+)?' } },
  ]);
  expect(part.listeners).toEqual([{ name: 'ingress/http', address: '0.0.0.0', port: 80 }]);
  expect([...part.implied]).toEqual(['shop/web/80', 'shop/api/80']);
  expect(told).toEqual([]);
});

describe('TLS', () => {
  const tls = (hosts: readonly string[], secret: string) =>
    `tls: [{hosts: ${JSON.stringify(hosts)}, secretName: ${secret}}]\n`;
  const secret = secretFor('shop-tls', ['shop.example', '*.shop.test']);

  it('serves the certificates, and sends plain HTTP to HTTPS where there is one, as ingress-nginx does', () => {
    const spec = `${tls(['shop.example'], 'shop-tls')}${WEB}\n${rules('plain.example', path('/')).split('\n').slice(1).join('\n')}`;
    const { part, told } = translated(objectsOf(SERVICES_YAML, secret, ingressOf('web', { spec })));
    expect(part.listeners).toMatchObject([
      { name: 'ingress/http', port: 80 },
      { name: 'ingress/https', port: 443, tls: { certificates: [{ kind: 'inline', name: 'shop/shop-tls' }] } },
    ]);
    expect(ways(part.routes)).toEqual([
      'https shop.example/ → shop/web/80',
      'http shop.example/ → 308 {"scheme":"https","status":308}',
      'http https plain.example/ → shop/web/80',
    ]);
    expect(new Set(part.routes.map(({ name }) => name)).size).toBe(3);
    expect(told).toEqual([]);
    const kept = ingressOf('web', { spec, annotations: { [`${NGINX}ssl-redirect`]: 'false' } });
    expect(ways(translated(objectsOf(SERVICES_YAML, secret, kept)).part.routes)[0]).toBe(
      'http https shop.example/ → shop/web/80',
    );
  });

  it('without its Secret the host is served over plain HTTP, and the Ingress is told', () => {
    const world = objectsOf(SERVICES_YAML, ingressOf('web', { spec: `${tls(['shop.example'], 'none')}${WEB}` }));
    const { part } = translated(world);
    expect(ways(part.routes)).toEqual(['http shop.example/ → shop/web/80']);
    expect(toldTo(translated(world), 'web')).toEqual([
      'Warning: spec.tls[0]: there is no Secret shop/none of type kubernetes.io/tls; make a Secret of type kubernetes.io/tls with tls.crt and tls.key',
    ]);
    expect(part.problems).toMatchObject([{ severity: 'warning', subject: 'Ingress shop/web', path: 'spec.tls[0]' }]);
  });

  it('a certificate for other names is told; a default one is shown first', () => {
    const other = ingressOf('web', { spec: `${tls(['other.example', 'a.shop.test'], 'shop-tls')}${WEB}` });
    expect(toldTo(translated(objectsOf(SERVICES_YAML, secret, other)), 'web')).toEqual([
      expect.stringContaining('the certificate in Secret shop/shop-tls is not for other.example;'),
    ]);
    const byDefault = translated(objectsOf(SERVICES_YAML, secret, secretFor('all', ['all.example']), other), {
      certificate: 'shop/all',
    });
    expect(byDefault.part.listeners[1]?.tls?.certificates).toMatchObject([
      { name: 'shop/all' },
      { name: 'shop/shop-tls' },
    ]);
  });

  it('force-ssl-redirect needs a certificate somewhere', () => {
    const forced = annotated({ 'force-ssl-redirect': 'true' });
    expect(ways(forced.part.routes)).toEqual(['http shop.example/ → shop/web/80']);
    expect(toldTo(forced, 'web')).toEqual([expect.stringContaining('nobody is sent to HTTPS')]);
  });
});

describe('annotations of ingress-nginx', () => {
  it('rewrite: of a prefix, of everything, by groups', () => {
    const rewriteOf = (target: string, written: string) => {
      const [route] = annotated(
        { 'rewrite-target': target, 'use-regex': 'true' },
        rules('shop.example', path(written, 'ImplementationSpecific')),
      ).part.routes;
      return [route?.match.path, route?.kind === 'forward' ? route.rewrite?.path : undefined];
    };
    expect(rewriteOf('/$2', '/api(/|$)(.*)')).toEqual([
      { kind: 'prefix', prefix: '/api' },
      { kind: 'prefix', prefix: '/' },
    ]);
    expect(rewriteOf('/', '/app')).toEqual([
      { kind: 'start', prefix: '/app' },
      { kind: 'whole', path: '/' },
    ]);
    expect(rewriteOf('/same', '/same')).toEqual([{ kind: 'start', prefix: '/same' }, undefined]);
    expect(rewriteOf('/users/$2/of/$1$3', '/items/([0-9]+)/of/(.*)')).toEqual([
      { kind: 'regex', regex: '(?i:/items/([0-9]+)/of/(.*))' },
      { kind: 'regex', regex: '^(?i:/items/([0-9]+)/of/(.*))$', substitution: '/users/\\2/of/\\1' },
    ]);
  });

  it('redirects, hosts, headers, CORS', () => {
    const { part } = annotated({
      'app-root': '/start',
      'from-to-www-redirect': 'true',
      'server-alias': 'shop.test',
      'upstream-vhost': 'inner.example',
      'x-forwarded-prefix': '/shop',
      'enable-cors': 'true',
      'cors-allow-origin': 'https://a.example, https://*.b.example',
      'cors-max-age': '60',
    });
    expect(ways(part.routes)).toEqual([
      'http shop.example shop.test=/ → 302 {"path":{"kind":"whole","path":"/start"},"status":302}',
      'http www.shop.example/ → 308 {"host":"shop.example","status":308}',
      'http www.shop.test/ → 308 {"host":"shop.test","status":308}',
      'http shop.example shop.test/ → shop/web/80',
    ]);
    expect(part.routes[3]).toMatchObject({
      rewrite: { host: 'inner.example' },
      requestHeaders: { set: [{ name: 'x-forwarded-prefix', value: '/shop' }] },
      cors: { origins: ['https://a.example', 'https://*.b.example'], credentials: true, maxAge: 60 },
    });
    const moved = annotated({
      'permanent-redirect': 'https://new.example$request_uri',
      'permanent-redirect-code': '308',
    });
    expect(ways(moved.part.routes)).toEqual([
      'http shop.example/ → 308 {"scheme":"https","host":"new.example","status":308}',
    ]);
  });

  it('pods: protocol, TLS, connect timeout; the Service itself has the last word', () => {
    const grpc = annotated({ 'backend-protocol': 'GRPC', 'proxy-connect-timeout': '5' });
    expect(grpc.part.services).toMatchObject([{ protocol: 'h2c', timeout: { connect: 5000 } }]);
    const https = annotated({ 'backend-protocol': 'HTTPS', 'proxy-ssl-name': 'pods.example' });
    expect(https.part.services).toMatchObject([
      { protocol: 'http1', tls: { serverName: 'pods.example', authorities: { kind: 'any' }, names: [] } },
    ]);
    const secured = (secret: string, more: Readonly<Record<string, string>> = {}) =>
      translated(
        objectsOf(
          SERVICES_YAML,
          secretFor('own', ['sluice.example']),
          ingressOf('web', {
            spec: WEB,
            annotations: Object.fromEntries(
              Object.entries({ 'backend-protocol': 'HTTPS', 'proxy-ssl-secret': secret, ...more }).map(
                ([key, value]) => [`${NGINX}${key}`, value],
              ),
            ),
          }),
        ),
      );
    const shown = secured('shop/own');
    expect(shown.part.services).toMatchObject([
      { tls: { authorities: { kind: 'any' }, certificate: { kind: 'inline', name: 'shop/own' } } },
    ]);
    expect(shown.told).toEqual([]);
    // No authority in it, or nothing that an Ingress of this namespace may use: nobody is let through to the wrong pods.
    for (const wrong of [secured('own', { 'proxy-ssl-verify': 'on' }), secured('other/own'), secured('none')]) {
      expect(ways(wrong.part.routes)).toEqual(['http shop.example/ → nobody']);
      expect(toldTo(wrong, 'web')).toEqual([expect.stringContaining('there is no Secret')]);
    }
    const limited = SERVICES_YAML.replace(
      'name: web}',
      'name: web, annotations: {sluice.dev/limit: "3", sluice.dev/connect-timeout: 1s}}',
    );
    const world = objectsOf(
      limited,
      ingressOf('web', {
        spec: WEB,
        annotations: {
          [`${NGINX}proxy-connect-timeout`]: '5',
          [`${NGINX}load-balance`]: 'round_robin',
          'haproxy.org/pod-maxconn': '7',
        },
      }),
    );
    const { part, told } = translated(world);
    expect(part.services).toMatchObject([{ discipline: { kind: 'limited', limit: 3 }, timeout: { connect: 1000 } }]);
    expect(told).toMatchObject([{ type: 'Normal', note: expect.stringContaining('load-balance round_robin') }]);
    expect([...part.implied]).toEqual([]);
  });

  it('a canary: by header, by cookie, by weight', () => {
    const canary = ingressOf('canary', {
      created: '2026-01-01T00:00:01Z',
      spec: rules('shop.example', path('/', 'Prefix', 'web-canary')),
      annotations: {
        [`${NGINX}canary`]: 'true',
        [`${NGINX}canary-by-header`]: 'X-Canary',
        [`${NGINX}canary-by-cookie`]: 'beta',
        [`${NGINX}canary-weight`]: '25',
      },
    });
    const { part, told } = translated(objectsOf(SERVICES_YAML, ingressOf('web', { spec: WEB }), canary));
    expect(ways(part.routes)).toEqual([
      'http shop.example/ [x-canary] → shop/web-canary/80',
      'http shop.example/ [x-canary] → shop/web/80',
      'http shop.example/ [cookie] → shop/web-canary/80',
      'http shop.example/ [cookie] → shop/web/80',
      'http shop.example/ → shop/web/80 + shop/web-canary/80',
    ]);
    expect(part.routes[4]).toMatchObject({ backends: [{ weight: 750_000 }, { weight: 250_000 }] });
    expect(new Set(part.routes.map(({ name }) => name)).size).toBe(5);
    expect(told).toEqual([]);
    const alone = translated(objectsOf(SERVICES_YAML, canary));
    expect(alone.part.routes).toEqual([]);
    expect(toldTo(alone, 'canary')).toEqual([expect.stringContaining('a canary of nothing')]);
  });

  it('several canaries of one path have a share each, and the path what they leave', () => {
    const canary = (name: string, weight: number, service: string) =>
      ingressOf(name, {
        created: '2026-01-01T00:00:01Z',
        spec: rules('shop.example', path('/', 'Prefix', service)),
        annotations: { [`${NGINX}canary`]: 'true', [`${NGINX}canary-weight`]: String(weight) },
      });
    const weights = (one: number, other: number) =>
      translated(
        objectsOf(
          SERVICES_YAML,
          ingressOf('web', { spec: WEB }),
          canary('one', one, 'web-canary'),
          canary('other', other, 'api'),
        ),
      ).part.routes.map((route) =>
        route.kind === 'forward' ? route.backends.map(({ weight }) => weight / 10_000) : undefined,
      );
    expect(weights(20, 30)).toEqual([[50, 20, 30]]);
    expect(weights(70, 60)).toEqual([[0, 70, 60]]);
  });

  it('what lets in only some is answered with 503, never opened to all nor left to another path', () => {
    for (const annotation of ['auth-url', 'satisfy', 'auth-tls-secret']) {
      const closed = annotated({ [annotation]: '10.0.0.0/8' });
      expect(ways(closed.part.routes)).toEqual(['http shop.example/ → 503']);
      expect(toldTo(closed, 'web')).toEqual([expect.stringContaining(`${annotation} cannot be kept`)]);
    }
  });

  it('source ranges let in only those clients, by their addresses; what cannot be read lets in nobody', () => {
    const clientsOf = ({ part }: Translation) => part.routes.map(({ clients }) => clients && describeClients(clients));
    const some = annotated({ 'whitelist-source-range': '10.0.0.0/8, 192.0.2.7', 'denylist-source-range': 'fd00::/8' });
    expect(ways(some.part.routes)).toEqual(['http shop.example/ → shop/web/80']);
    expect(clientsOf(some)).toEqual(['only 10.0.0.0/8, 192.0.2.7/32, but not fd00::/8']);
    const denied = annotated({ 'denylist-source-range': '10.1.0.0/16' });
    expect(clientsOf(denied)).toEqual(['all but 10.1.0.0/16']);
    expect([some.told, denied.told]).toEqual([[], []]);
    const everybody = annotated({ 'whitelist-source-range': '0.0.0.0/0,::/0' });
    expect(clientsOf(everybody)).toEqual([undefined]);
    // The new name of the two counts.
    const both = { 'whitelist-source-range': '0.0.0.0/0,::/0', 'allowlist-source-range': '10.0.0.0/8' };
    expect(clientsOf(annotated(both))).toEqual(['only 10.0.0.0/8']);
    for (const bad of ['10.0.0.0/33', 'office', '10.0.0.0/8;10.1.0.0/16', ',']) {
      const closed = annotated({ 'whitelist-source-range': bad });
      expect(ways(closed.part.routes)).toEqual(['http shop.example/ → 503']);
      expect(toldTo(closed, 'web')).toEqual([
        expect.stringContaining(
          `whitelist-source-range ${bad} cannot be read, so the paths of this Ingress are not served`,
        ),
      ]);
    }
    const canary = translated(
      objectsOf(
        SERVICES_YAML,
        ingressOf('web', { spec: WEB, annotations: { [`${NGINX}whitelist-source-range`]: '10.0.0.0/8' } }),
        ingressOf('canary', {
          spec: WEB.replace('name: web', 'name: web-canary'),
          annotations: {
            [`${NGINX}canary`]: 'true',
            [`${NGINX}canary-by-header`]: 'x-canary',
            [`${NGINX}whitelist-source-range`]: '0.0.0.0/0',
          },
        }),
      ),
    );
    expect(new Set(clientsOf(canary))).toEqual(new Set(['only 10.0.0.0/8']));
    expect(toldTo(canary, 'canary')).toEqual([expect.stringContaining('source ranges of a canary')]);
  });

  it('what is not needed is told in one Event, what is not done in one each', () => {
    const told = toldTo(
      annotated({ 'proxy-body-size': '8m', 'proxy-read-timeout': '60', affinity: 'cookie', 'limit-rps': '5' }),
      'web',
    );
    expect(told.map((line) => line.split(':')[0])).toEqual(['Warning', 'Warning', 'Normal']);
    expect(told[2]).toMatch(/proxy-read-timeout 60.*\n.*proxy-body-size 8m is not needed/s);
  });
});

test('an Ingress that is wrong in every way at once is told each fault, and its neighbours serve on', () => {
  const bad = ingressOf('bad', {
    created: '2026-01-01T00:00:05Z',
    annotations: {
      [`${NGINX}proxy-connect-timeout`]: 'soon',
      [`${NGINX}use-regex`]: 'true',
      [`${NGINX}configuration-snippet`]: 'return 200;',
      'sluice.dev/limit': '3',
    },
    spec: `tls: [{secretName: none}, {hosts: [bad.example]}]
defaultBackend: {resource: {kind: StorageBucket, name: icons}}
foo: bar
${rules('shop.example', path('/'), path('/absent', 'Exact', 'absent'), path('/port', 'Exact', 'web', '{name: grpc}'), path('/v[1-', 'ImplementationSpecific'), path('/good', 'Exact'))}`,
  });
  const objects = objectsOf(SERVICES_YAML, ingressOf('web', { spec: WEB }), bad);
  const translation = translated(objects);
  const told = toldTo(translation, 'bad').join('\n');
  for (const fault of [
    'metadata.annotations["nginx.ingress.kubernetes.io/proxy-connect-timeout"]: not a duration',
    'configuration-snippet is not carried over',
    'sluice.dev/limit stands at an Ingress',
    'spec.tls[0]: there is no Secret shop/none',
    'spec.tls[1]: TLS without secretName',
    'spec.defaultBackend.resource: a backend that is not a Service',
    'spec.foo is not carried over',
    "shop.example/ is Ingress shop/web's as well, which is older and has it",
    'there is no Service shop/absent',
    'Service shop/web has no TCP port grpc; it has 80 (http)',
    'the path /v[1- is left out: not a regular expression of RE2',
  ]) {
    expect(told).toContain(fault);
  }
  expect(toldTo(translation, 'web')).toEqual([
    expect.stringContaining('Normal: spec.rules[0].http.paths[0]: Ingress shop/bad wants'),
  ]);
  expect(ways(translation.part.routes)).toEqual([
    'http shop.example/ → shop/web/80',
    'http shop.example/ → shop/web/80',
    'http shop.example=/absent → nobody',
    'http shop.example=/port → nobody',
    'http shop.example=/good → shop/web/80',
  ]);
});

test('the status tells where clients come, of addresses that are given and of the Service in front', () => {
  const front =
    'kind: Service\nmetadata: {namespace: edge, name: sluice}\nspec: {type: LoadBalancer, externalIPs: [192.0.2.9]}\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.1}, {hostname: lb.example}]}}\n---\n';
  const world = objectsOf(SERVICES_YAML, front, ingressOf('web', { spec: WEB }));
  const { statuses } = translated(world, { published: { addresses: ['edge.example'], service: 'edge/sluice' } });
  expect(statuses).toMatchObject([
    {
      object: { metadata: { name: 'web' } },
      status: {
        loadBalancer: {
          ingress: [{ ip: '192.0.2.1' }, { ip: '192.0.2.9' }, { hostname: 'edge.example' }, { hostname: 'lb.example' }],
        },
      },
    },
  ]);
  expect(translated(world).statuses).toEqual([]);
});
