import { expect, test } from 'vitest';
import { expectWhole, imported, keysOf } from './kit.ts';

/** An Ingress to one Service, with these annotations, and paths as they are written in its rule. */
function ingress(annotations: Readonly<Record<string, string>>, path = '{path: /, pathType: Prefix}'): string {
  const lines = Object.entries(annotations).map(([key, value]) => `    ${key}: ${JSON.stringify(value)}`);
  return [
    'apiVersion: networking.k8s.io/v1',
    'kind: Ingress',
    'metadata:',
    '  name: web',
    '  namespace: shop',
    ...(lines.length === 0 ? [] : ['  annotations:', ...lines]),
    'spec:',
    '  ingressClassName: nginx',
    '  rules:',
    '    - host: shop.example',
    '      http:',
    '        paths:',
    `          - ${path.slice(0, -1)}, backend: {service: {name: web, port: {number: 80}}}}`,
    '',
  ].join('\n');
}

const NGINX = 'nginx.ingress.kubernetes.io/';

test('hosts with paths become services and routes, each with where it comes from', () => {
  const outcome = imported(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: simple-fanout
spec:
  rules:
  - host: foo.bar.com
    http:
      paths:
      - path: /foo
        pathType: Prefix
        backend:
          service: {name: service1, port: {number: 4200}}
      - path: /bar/
        pathType: Prefix
        backend:
          service: {name: service2, port: {name: http}}
      - path: /exact
        pathType: Exact
        backend:
          service: {name: service1, port: {number: 4200}}
`);
  expectWhole(outcome);
  expect(keysOf(outcome)).toBe(`version: 1
listen:
  port: 8080
services:
  service1:
    kubernetes: {service: service1, port: 4200}
  service2:
    kubernetes: {service: service2, port: http}
routes:
  - match: {prefix: /foo, hosts: [foo.bar.com]}
    service: service1
  - match: {prefix: /bar, hosts: [foo.bar.com]}
    service: service2
  - match: {path: /exact, hosts: [foo.bar.com]}
    service: service1`);
  expect(outcome.text).toContain('  # Ingress simple-fanout, in.yaml:11\n  - match: {prefix: /foo');
  expect(outcome.text).toContain('# limit: 1 ');
});

test('an old manifest of extensions/v1beta1', () => {
  const outcome = imported(`
apiVersion: extensions/v1beta1
kind: Ingress
metadata:
  name: my-app
  namespace: default
  annotations:
    kubernetes.io/ingress.class: nginx
    ingress.kubernetes.io/rewrite-target: /
spec:
  backend:
    serviceName: default-http-backend
    servicePort: 80
  rules:
  - host: my-app.example
    http:
      paths:
      - path: /app
        backend:
          serviceName: my-app
          servicePort: web
`);
  expectWhole(outcome);
  expect(keysOf(outcome)).toContain(`routes:
  - match: {prefix: /app, hosts: [my-app.example]}
    service: my-app
    rewrite: {prefix: /}
  - match: {prefix: /}
    service: default-http-backend`);
  expect(outcome.notes).toEqual([
    '18: Ingress default/my-app: note: /app took every path that begins so (/appx too); here it takes /app and what is below it; write regex: "/app.*" if that is needed',
    '18: Ingress default/my-app: note: ingress-nginx made every path below /app /; here what follows /app is kept; see that the pods understand such paths',
  ]);
});

test.each([
  ['/something(/|$)(.*)', '/$2', '{prefix: /something, hosts: [shop.example]}', 'rewrite: {prefix: /}'],
  ['/api/(.*)', '/$1', '{prefix: /api/, hosts: [shop.example]}', 'rewrite: {prefix: /}'],
  ['/api/v1(/|$)(.*)', '/v2/$2', '{prefix: /api/v1, hosts: [shop.example]}', 'rewrite: {prefix: /v2/}'],
  ['/(.*)', '/$1', '{prefix: /, hosts: [shop.example]}', undefined],
  ['/(api/.*)', '/$1', '{regex: "(?i:/(api/.*))", hosts: [shop.example]}', undefined],
  ['/old', '/old', '{prefix: /old, hosts: [shop.example]}', undefined],
])('rewrite-target of %s to %s', (path, target, match, rewrite) => {
  const outcome = imported(
    ingress(
      { [`${NGINX}rewrite-target`]: target, [`${NGINX}use-regex`]: 'true' },
      `{path: ${JSON.stringify(path)}, pathType: ImplementationSpecific}`,
    ),
  );
  expectWhole(outcome);
  const routes = keysOf(outcome).split('routes:\n')[1];
  expect(routes).toBe(
    [`  - match: ${match}`, '    service: web', ...(rewrite === undefined ? [] : [`    ${rewrite}`])].join('\n'),
  );
});

test('a rewrite that no route file can say leaves its path out, and says on which line', () => {
  const outcome = imported(
    ingress(
      { [`${NGINX}rewrite-target`]: '/users/$2/items/$1' },
      '{path: "/items/([0-9]+)/of/(.*)", pathType: ImplementationSpecific}',
    ),
  );
  expect(outcome.read.routing.routes).toEqual([]);
  expect(outcome.refused).toEqual([expect.stringMatching(/^14: Ingress shop\/web: the path .* cannot be rewritten/)]);
  expect(outcome.text).toContain('# Not in it:\n#   in.yaml:14: Ingress shop/web: the path');
});

test('regular expressions take what they took', () => {
  const outcome = imported(
    ingress({ [`${NGINX}use-regex`]: 'true' }, '{path: "/v[0-9]+/users", pathType: ImplementationSpecific}'),
  );
  expectWhole(outcome);
  expect(outcome.read.routing.routes[0]?.match.path).toEqual({ kind: 'regex', regex: '(?i:/v[0-9]+/users).*' });
  expect(outcome.notes).toEqual([]);
});

test('gRPC, timeouts, aliases and what is not needed', () => {
  const outcome = imported(
    ingress({
      [`${NGINX}backend-protocol`]: 'GRPC',
      [`${NGINX}proxy-connect-timeout`]: '5',
      [`${NGINX}proxy-read-timeout`]: '3600',
      [`${NGINX}proxy-send-timeout`]: '3600',
      [`${NGINX}proxy-body-size`]: '50m',
      [`${NGINX}proxy-buffering`]: 'off',
      [`${NGINX}server-alias`]: 'www.shop.example, shop.test',
      'cert-manager.io/cluster-issuer': 'letsencrypt-prod',
    }),
  );
  expectWhole(outcome);
  expect(keysOf(outcome)).toContain(`    kubernetes: {namespace: shop, service: web, port: 80}
    protocol: h2c
    timeout: {connect: 5s}
routes:
  - match: {prefix: /, hosts: [shop.example, www.shop.example, shop.test]}
    service: web`);
  expect(outcome.notes.map((line) => line.split(':')[0])).toEqual(['9', '10', '11', '12']);
  expect(outcome.notes[0]).toContain('proxy-read-timeout 3600: a pod that is silent is never cut off here');
});

test('backends with TLS, and a certificate that is in a Secret', () => {
  const outcome = imported(
    `${ingress({ [`${NGINX}backend-protocol`]: 'HTTPS', [`${NGINX}force-ssl-redirect`]: 'true' })}  tls:\n    - hosts: [shop.example]\n      secretName: shop-tls\n`,
  );
  const [service] = outcome.read.routing.services;
  expect(service).toMatchObject({ protocol: 'http1', tls: { authorities: { kind: 'any' } } });
  expect(outcome.refused).toEqual([
    expect.stringContaining('8: Ingress shop/web: force-ssl-redirect: the certificate is not in a route file'),
    expect.stringContaining('17: Ingress shop/web: the certificate in Secret shop-tls for shop.example'),
  ]);
});

test('redirects: for good, for now, of the root, of www', () => {
  expect(keysOf(imported(ingress({ [`${NGINX}permanent-redirect`]: 'https://new.example/there' })))).toContain(
    'redirect: {scheme: https, host: new.example, path: /there, status: 301}',
  );
  const outcome = imported(ingress({ [`${NGINX}app-root`]: '/app', [`${NGINX}from-to-www-redirect`]: 'true' }));
  expectWhole(outcome);
  expect(keysOf(outcome)).toContain(`routes:
  - match: {path: /, hosts: [shop.example]}
    redirect: {path: /app, status: 302}
  - match: {prefix: /, hosts: [www.shop.example]}
    redirect: {host: shop.example, status: 308}
  - match: {prefix: /, hosts: [shop.example]}
    service: web`);
});

test('a canary by header is a route of its own, one by weight is refused', () => {
  const stable = ingress({});
  const canary = (more: Readonly<Record<string, string>>) =>
    ingress({ [`${NGINX}canary`]: 'true', ...more }).replaceAll('web', 'web-canary');
  const byHeader = imported(
    `${stable}---\n${canary({ [`${NGINX}canary-by-header`]: 'X-Canary', [`${NGINX}canary-by-header-value`]: 'yes' })}`,
  );
  expectWhole(byHeader);
  expect(keysOf(byHeader)).toContain(`  - match: {prefix: /, hosts: [shop.example], headers: {x-canary: "yes"}}
    service: web-canary`);
  const byWeight = imported(`${stable}---\n${canary({ [`${NGINX}canary-weight`]: '10' })}`);
  expect(byWeight.read.routing.routes).toHaveLength(1);
  expect(byWeight.refused).toEqual([expect.stringContaining('canary-weight 10')]);
});

test('what lets in only some is never opened to all', () => {
  for (const annotation of ['auth-url', 'auth-type', 'satisfy', 'auth-tls-secret']) {
    const outcome = imported(ingress({ [`${NGINX}${annotation}`]: '10.0.0.0/8' }));
    expect(outcome.read.routing.routes).toEqual([]);
    expect(outcome.refused).toEqual([expect.stringContaining(`7: Ingress shop/web: ${annotation} cannot be kept`)]);
  }
  const ranges = imported(ingress({ [`${NGINX}whitelist-source-range`]: '10.0.0.0/8' }));
  expect(ranges.read.routing.routes).toEqual([]);
  expect(ranges.refused).toEqual([
    expect.stringContaining(
      '7: Ingress shop/web: source ranges have no place in a route file, so the routes are left out',
    ),
  ]);
});

test.each([
  'affinity',
  'upstream-hash-by',
  'limit-connections',
  'limit-rps',
  'configuration-snippet',
  'enable-cors',
  'mirror-target',
  'ssl-passthrough',
  'upstream-vhost',
  'enable-modsecurity',
  'an-annotation-of-tomorrow',
])('%s is told, and the route is there', (annotation) => {
  const outcome = imported(ingress({ [`${NGINX}${annotation}`]: 'true' }));
  expect(outcome.read.routing.routes).toHaveLength(1);
  expect(outcome.refused).toEqual([
    expect.stringMatching(
      new RegExp(`^7: Ingress shop/web: ${annotation} (is not carried over|has no place in a route file); .+`),
    ),
  ]);
});

test("HAProxy's bounds are limits, and Services say theirs", () => {
  const outcome = imported(ingress({ 'haproxy.org/pod-maxconn': '4', 'haproxy.org/timeout-queue': '30s' }));
  expectWhole(outcome);
  expect(outcome.read.routing.services[0]?.discipline).toMatchObject({
    kind: 'limited',
    limit: 4,
    queue: { timeout: 30_000 },
  });
  const annotated = imported(
    ingress({}),
    `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {sluice.dev/limit: "3", sluice.dev/queue-max: "50"}}
spec: {ports: [{port: 80, appProtocol: kubernetes.io/h2c}]}
`,
  );
  expectWhole(annotated);
  expect(annotated.read.routing.services[0]).toMatchObject({
    protocol: 'h2c',
    discipline: { kind: 'limited', limit: 3, queue: { max: 50 } },
  });
});

test('two Ingresses with the same path: the first one has it, and the other is told', () => {
  const outcome = imported(`${ingress({})}---\n${ingress({}).replaceAll('web', 'other')}`);
  expect(outcome.read.routing.routes).toHaveLength(1);
  expect(outcome.refused).toEqual([
    expect.stringMatching(/^25: Ingress shop\/other: a route is left out: match: matches the same requests/),
  ]);
});

test('a List as kubectl prints it, as JSON; a host with a star; a backend that is no Service', () => {
  const item = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: 'all',
      namespace: 'shop',
      uid: '1',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    },
    spec: {
      rules: [
        {
          host: '*.shop.example',
          http: {
            paths: [
              { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
              { path: '/icons', pathType: 'Prefix', backend: { resource: { kind: 'StorageBucket', name: 'icons' } } },
            ],
          },
        },
      ],
    },
    status: { loadBalancer: {} },
  };
  const outcome = imported(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item] }, null, 2));
  expect(outcome.read.routing.routes.map(({ match }) => match.hosts)).toEqual([['*.shop.example']]);
  expect(outcome.notes).toEqual([expect.stringContaining('one label below shop.example')]);
  expect(outcome.refused).toEqual([expect.stringContaining('a backend that is not a Service')]);
});
