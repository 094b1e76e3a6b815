import { expect, test } from 'vitest';
import { formatProblem } from '../../../../src/model/problem.ts';
import { isManifest, readManifests } from '../../../../src/routes/manifests/read.ts';

const INGRESS = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: shop
  annotations:
    nginx.ingress.kubernetes.io/affinity: cookie
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example
      http:
        paths:
          - path: /api
            pathType: Prefix
            backend: {service: {name: web, port: {name: http}}}
`;

const ROUTE = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{name: edge}]
  rules:
    - backendRefs: [{name: codec, port: 80, weight: 3}]
`;

function read(...texts: readonly string[]) {
  const result = readManifests(texts.map((text, index) => ({ file: `${index + 1}.yaml`, text })));
  return result.ok
    ? { routing: result.value.routing, places: result.value.places, lines: result.value.warnings.map(formatProblem) }
    : { routing: undefined, places: undefined, lines: result.errors.map(formatProblem) };
}

test('objects of every kind, with what they refer to taken to be there, and each told with its line', () => {
  const { routing, places, lines } = read(INGRESS, ROUTE);
  expect(routing?.services.map(({ name }) => name)).toEqual(['default/codec/80', 'shop/web/80']);
  expect([...(places ?? [])].map(([name, { line }]) => `${name}: ${line}`)).toEqual([
    'Ingress shop/web rules[0].paths[0]: 14',
    'HTTPRoute default/r rules[0].matches[0]: 7',
  ]);
  expect(lines.map((line) => line.replace(/;.*/, ''))).toEqual([
    '1.yaml:7:5: warning: Ingress shop/web: metadata.annotations["nginx.ingress.kubernetes.io/affinity"]: affinity is not carried over',
    '1.yaml, 2.yaml: warning: Service default/codec is not there: it is taken to have the ports that are named',
    '1.yaml, 2.yaml: warning: Service shop/web is not there: it is taken to have the ports that are named',
    '1.yaml, 2.yaml: warning: Gateway default/edge is not there: it is taken to have every host at port 80',
  ]);
});

test('a Service that gets copies of requests is taken to be there as well', () => {
  const mirror = '      filters: [{type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 81}}}]\n';
  const { routing, lines } = read(ROUTE + mirror);
  expect(routing?.services.map(({ name }) => name)).toEqual(['default/codec/80', 'default/shadow/81']);
  expect(lines).toContainEqual(expect.stringContaining('Service default/shadow is not there'));
});

test('a limit in a Service beside them counts; a Service that has no such port is an error', () => {
  const service = (port: number) =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: codec, annotations: {sluice.dev/limit: "2"}}\nspec: {ports: [{port: ${port}}]}\n`;
  expect(read(`${ROUTE}---\n${service(80)}`).routing?.services).toMatchObject([
    { discipline: { kind: 'limited', limit: 2 } },
  ]);
  expect(read(`${ROUTE}---\n${service(81)}`).lines[0]).toBe(
    '1.yaml:1:1: HTTPRoute default/r: ResolvedRefs: Service default/codec has no TCP port 80; it has 81',
  );
});

test('what no API server would take is an error, and so is what is no YAML', () => {
  const bad = ROUTE.replace('metadata: {name: r}', 'metadata: {}').replace(
    '{name: codec, port: 80, weight: 3}',
    '{port: eighty}',
  );
  expect(read(bad).lines).toEqual([
    '1.yaml:3:1: HTTPRoute default/: metadata.name must be there; an API server would reject it',
    '1.yaml:7:21: HTTPRoute default/: spec.rules[0].backendRefs[0].name must be there; an API server would reject it',
    '1.yaml:7:22: HTTPRoute default/: spec.rules[0].backendRefs[0].port must be a number; an API server would reject it',
  ]);
  expect(read('kind: Ingress\n  a: b').lines[0]).toMatch(/^1\.yaml:\d+:\d+: /);
});

test('a List, kinds that say nothing of routes, and a route file is none of these', () => {
  const item = JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [JSON.parse('{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"}}')],
  });
  expect(isManifest(JSON.stringify(JSON.parse(item), null, 2))).toBe(true);
  expect(read(item).lines).toEqual([expect.stringContaining('Deployment default/d is not looked at')]);
  expect(isManifest('version: 1\nservices: {}\nroutes: []\n')).toBe(false);
  expect(isManifest('apiVersion: v1\nkind: ConfigMap\n')).toBe(false);
});
