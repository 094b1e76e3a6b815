import { expect, test } from 'vitest';
import { explainRequest } from '../../../src/commands/explain-text.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';

const FILE = `version: 1
listen: { port: 8080 }
services:
  codec:
    kubernetes: { namespace: ai, service: codec, port: http }
    limit: 2
    queue: { max: 50, timeout: 30s }
    timeout: { request: 10m }
  web: { static: ["127.0.0.1:9000"] }
routes:
  - match: { prefix: /codec, hosts: ["*.infer.example"], methods: [POST] }
    service: codec
    timeout: { request: 5m }
  - match: { prefix: / }
    service: web
`;

function explain(method: string, host: string, path: string, file = FILE, query = new Map<string, string>()): string {
  const parsed = parseRouteFile(file, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return explainRequest(parsed.value.routing, { method, host, path, headers: new Map(), query }, () => false);
}

test('the route, the service, the line, and what carries it', () => {
  const text = explain('POST', 'eu.infer.example', '/codec/a');
  expect(text).toMatch(/^POST eu\.infer\.example\/codec\/a\nroutes\[0\] takes it, prefix \/codec\.\n/);
  expect(text).toMatch(/limit +each pod works on at most 2 at a time/);
  expect(text).toMatch(/line +first in, first out: at most 50 wait \(queue\.max\), for at most 30s .*; above it 429/);
  expect(text).toMatch(/work +at most 5m \(timeout\.request, the route's own\)/);
  expect(text).toMatch(/pods +Kubernetes Service ai\/codec, service port http/);
  expect(text).toMatch(/routes\[1\] +prefix \/: routes\[0\] comes first/);
  expect(text).toMatch(/RouteConfiguration +public, virtual host \*\.infer\.example, route routes\[0\]/);
  expect(text).toMatch(/Cluster +gate\/codec: the line/);
  expect(text).toMatch(/Cluster +pods\/codec@[0-9a-f]{6}: chooses the pod/);
});

test('why another route does not take it', () => {
  const text = explain('GET', 'other.example', '/codec');
  expect(text).toContain('routes[1] takes it, prefix /.');
  expect(text).toMatch(
    /routes\[0\] +prefix \/codec: the host is other\.example, not \*\.infer\.example; the method is GET, not POST/,
  );
  expect(text).toMatch(/virtual host \*, route routes\[1\]/);
  expect(text).not.toContain('gate/');
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
  const redirected = explain('GET', 'a.example', '/old', CHANGED, new Map([['to', 'new']]));
  expect(redirected).toContain('routes[0] takes it, path /old.');
  expect(redirected).toMatch(
    /redirect +301, to the same with scheme https, host new\.example, path \/new; no pod sees it/,
  );
  expect(redirected).toMatch(/answer +cache-control set to no-store/);
  expect(redirected).toMatch(/RouteConfiguration +public, virtual host \*, route routes\[0\]/);
  expect(redirected).not.toContain('Cluster');
  const other = explain('GET', 'a.example', '/old', CHANGED);
  expect(other).toMatch(/routes\[0\] +path \/old: there is no query parameter to/);
  expect(other).toMatch(/request +x-a set to b; x-c removed/);
});

test('no route at all', () => {
  const text = explain('GET', 'other.example', '/codec', FILE.slice(0, FILE.indexOf('  - match: { prefix: / }')));
  expect(text).toContain('No route takes it: Envoy answers 404.');
  expect(text).not.toContain('In Envoy:');
});
