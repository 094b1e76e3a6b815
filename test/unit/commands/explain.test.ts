import { expect, test } from 'vitest';
import { askedOf, explainRequest } from '../../../src/dataplane/explain.ts';
import type { Listener, ListenerName } from '../../../src/model/listener.ts';
import type { Route } from '../../../src/model/route.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';

const FILE = `version: 1
listen: { port: 8080 }
services:
  codec:
    kubernetes: { namespace: ai, service: codec, port: http }
    limit: 2
    queue: { max: 50, timeout: 30s, slack: 0 }
    timeout: { request: 10m }
  web: { static: ["127.0.0.1:9000"] }
routes:
  - match: { prefix: /codec, hosts: ["*.infer.example"], methods: [POST] }
    service: codec
    timeout: { request: 5m }
  - match: { prefix: / }
    service: web
`;

/** What is explained of this request to a file, and whether a route takes it. */
function explained(method: string, url: string, file = FILE) {
  const parsed = parseRouteFile(file, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { routing, places } = parsed.value;
  return explainRequest({
    routing,
    ...askedOf(new URL(url), method, new Map()),
    wholeMatch: () => false,
    placeOf: ({ name }) => `routes.yaml:${places.get(name)?.line}`,
  });
}

const explain = (...args: Parameters<typeof explained>) => explained(...args).text;

test('the route, the service, the queue, and what carries it', () => {
  const text = explain('POST', 'http://eu.infer.example/codec/a');
  expect(text).toMatch(
    /^POST http:\/\/eu\.infer\.example\/codec\/a\nroutes\[0\] \(routes\.yaml:11\) takes it, prefix \/codec\.\n/,
  );
  expect(text).toMatch(/limit +each pod works on at most 2 at a time/);
  expect(text).toMatch(/queue +first in, first out: at most 50 wait \(queue\.max\), for at most 30s .*; above it 429/);
  expect(text).toMatch(/slack +none: the order is exact, also between Envoys \(queue\.slack\)/);
  expect(text).toMatch(/work +at most 5m \(timeout\.request, the route's own\)/);
  expect(text).toMatch(/pods +Kubernetes Service ai\/codec, service port http/);
  expect(text).toMatch(/routes\[1\] \(routes\.yaml:\d+\) +prefix \/: routes\[0\] comes first/);
  expect(text).toMatch(/RouteConfiguration +public, virtual host \*\.infer\.example, route routes\[0\]/);
  expect(text).toMatch(/Filter +sluice\.queue: where it waits for a slot of a pod/);
  expect(text).toMatch(/Cluster +codec$/m);
});

test('why another route does not take it', () => {
  const text = explain('GET', 'http://other.example/codec');
  expect(text).toContain('routes[1] (routes.yaml:14) takes it, prefix /.');
  expect(text).toMatch(
    /routes\[0\] \(routes\.yaml:\d+\) +prefix \/codec: the host is other\.example, not \*\.infer\.example; the method is GET, not POST/,
  );
  expect(text).toMatch(/virtual host \*, route routes\[1\]/);
  expect(text).not.toContain('sluice.queue');
});

const CHANGED = `version: 1
services: { web: { static: ["127.0.0.1:9000"] } }
routes:
  - match: { path: /old, query: { to: new } }
    redirect: { scheme: https, host: new.example, path: /new, status: 301 }
    headers: { response: { set: { cache-control: no-store } } }
  - match: { prefix: / }
    service: web
    headers: { request: { set: { x-a: b }, remove: [x-c] } }
`;

test('a redirect, and changed headers', () => {
  const redirected = explain('GET', 'http://a.example/old?to=new', CHANGED);
  expect(redirected).toContain('routes[0] (routes.yaml:4) takes it, path /old.');
  expect(redirected).toMatch(/redirect +301, to https:\/\/new\.example\/new\?to=new; no pod sees it/);
  expect(redirected).toMatch(/answer +cache-control set to no-store/);
  expect(redirected).toMatch(/RouteConfiguration +public, virtual host \*, route routes\[0\]/);
  expect(redirected).not.toContain('Cluster');
  const other = explain('GET', 'http://a.example/old', CHANGED);
  expect(other).toMatch(/routes\[0\] \(routes\.yaml:\d+\) +path \/old: there is no query parameter to/);
  expect(other).toMatch(/request +x-a set to b; x-c removed/);
});

test('no route at all', () => {
  const { text, taken } = explained(
    'GET',
    'http://other.example/codec',
    FILE.slice(0, FILE.indexOf('  - match: { prefix: / }')),
  );
  expect(text).toContain('No route takes it: Envoy answers 404.');
  expect(text).not.toContain('In Envoy:');
  expect(taken).toBe(false);
});

const REWRITES = `version: 1
services: { a: { static: [], limit: 1 } }
routes:
  - match: { prefix: /v1 }
    service: a
    rewrite: { prefix: / }
  - match: { prefix: /v2/ }
    service: a
    rewrite: { prefix: /old/ }
  - match: { path: /whole }
    service: a
    rewrite: { prefix: /other }
  - match: { prefix: /moved/ }
    redirect: { scheme: https, prefix: /new/ }
`;

test.each([
  ['/v1', '/'],
  ['/v1/x/y?z=1', '/x/y?z=1'],
  ['/v2/x', '/old/x'],
  ['/whole', '/other'],
])('%s is rewritten to %s', (path, wanted) => {
  expect(explain('GET', `http://h${path}`, REWRITES)).toContain(`path      rewritten to ${wanted}\n`);
});

test('a redirect says where to, with the port that is left', () => {
  const to = (url: string) => /redirect +(.*); no pod/.exec(explain('GET', url, REWRITES))?.[1];
  expect(to('http://h:8080/moved/x?y')).toBe('302, to https://h:8080/new/x?y');
  expect(to('http://h/moved/x')).toBe('302, to https://h/new/x');
});

test('port and scheme of the request are looked at', () => {
  const notes = (url: string, file = FILE) =>
    explain('POST', url, file)
      .split('\n')
      .filter((line) => line.startsWith('Note:'));
  expect(notes('http://eu.infer.example/codec')).toEqual([]);
  expect(notes('http://eu.infer.example:8080/codec')).toEqual([]);
  expect(notes('http://eu.infer.example:9090/codec')).toEqual([
    'Note: Envoy listens on port 8080, not on 9090: something else must lead it here, such as a Service.',
  ]);
  expect(notes('https://eu.infer.example/codec')).toEqual([expect.stringContaining('no listen.tls')]);
  const tls = FILE.replace('port: 8080', 'port: 8443, tls: { cert: a.crt, key: a.key }');
  expect(notes('https://eu.infer.example/codec', tls)).toEqual([]);
  expect(notes('http://eu.infer.example:8443/codec', tls)).toEqual([expect.stringContaining('takes TLS only')]);
});

test('of several listeners the one counts that the request comes to: by its port, its scheme and its host', () => {
  const parsed = parseRouteFile(FILE, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const [route] = parsed.value.routing.routes.slice(-1);
  if (route === undefined) throw new Error('no route');
  const at = (name: string, port: number, more: Partial<Listener> = {}): Listener => {
    return { name: name as ListenerName, address: '0.0.0.0', port, ...more };
  };
  const tls = { certificates: [] };
  const listeners = [
    at('plain', 80),
    at('other', 8080),
    at('all', 443, { tls }),
    at('shop', 443, { tls, hostname: '*.shop.example' }),
  ];
  const routes = listeners.map(({ name }): Route => ({ ...route, name: `to ${name}`, listeners: [name] }));
  const textOf = (url: string) =>
    explainRequest({
      routing: { ...parsed.value.routing, listeners, routes },
      ...askedOf(new URL(url), 'GET', new Map()),
      wholeMatch: () => false,
      placeOf: () => undefined,
    }).text;
  const taker = (url: string) => /^(to \w+) takes it/m.exec(textOf(url))?.[1];
  expect(taker('http://a.example/')).toBe('to plain');
  expect(taker('http://a.example:8080/')).toBe('to other');
  expect(taker('https://a.example/')).toBe('to all');
  expect(taker('https://eu.shop.example/')).toBe('to shop');
  const text = textOf('https://eu.shop.example/');
  expect(text).toMatch(/to plain +prefix \/: only at port 80$/m);
  expect(text).toMatch(/to all +prefix \/: only at port 443 over TLS$/m);
  expect(text).toMatch(
    /RouteConfiguration +0\.0\.0\.0:443\/\*\.shop\.example, virtual host \*\.shop\.example, route to shop/,
  );
  expect(text.match(/RouteConfiguration/g)).toHaveLength(1);
});
