import { expect, test } from 'vitest';
import { expectWhole, imported, keysOf } from './kit.ts';

const GATEWAY = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: shop}
spec:
  gatewayClassName: sluice
  listeners: [{name: http, port: 80, protocol: HTTP, hostname: "*.shop.example"}]
`;

test('an HTTPRoute with its Gateway: hosts, headers, redirects, rewrites, timeouts', () => {
  const outcome = imported(`${GATEWAY}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: public}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /v1/}, headers: [{name: X-Model, value: large}]}, {path: {type: Exact, value: /models}, method: GET}]
      filters:
        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-tenant, value: blue}], remove: [x-debug]}}
      backendRefs: [{name: large, port: 8080}]
      timeouts: {request: 10m}
    - matches: [{path: {type: PathPrefix, value: /old}}]
      filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}, statusCode: 301}}]
    - matches: [{path: {type: PathPrefix, value: /api}}]
      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]
      backendRefs: [{name: api, namespace: other, port: 80, weight: 1}, {name: api-off, port: 80, weight: 0}]
`);
  expectWhole(outcome);
  expect(keysOf(outcome)).toBe(`version: 1
listen:
  port: 80
services:
  large:
    kubernetes: {namespace: shop, service: large, port: 8080}
  api:
    kubernetes: {namespace: other, service: api, port: 80}
routes:
  - match: {prefix: /v1, hosts: ["*.shop.example"], headers: {x-model: large}}
    service: large
    timeout: {request: 10m}
    headers: {request: {set: {x-tenant: blue}, remove: [x-debug]}}
  - match: {path: /models, hosts: ["*.shop.example"], methods: [GET]}
    service: large
    timeout: {request: 10m}
    headers: {request: {set: {x-tenant: blue}, remove: [x-debug]}}
  - match: {prefix: /old, hosts: ["*.shop.example"]}
    redirect: {prefix: /new, status: 301}
  - match: {prefix: /api, hosts: ["*.shop.example"]}
    service: api
    rewrite: {prefix: /}`);
});

test('a GRPCRoute is HTTP/2, its methods are paths', () => {
  const outcome = imported(`apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: llm, namespace: ai}
spec:
  hostnames: [llm.example]
  rules:
    - matches: [{method: {service: inference.Llm, method: Generate}}, {method: {service: inference.Admin}}]
      backendRefs: [{name: llm, port: 50051}]
`);
  expectWhole(outcome);
  expect(keysOf(outcome)).toContain(`    kubernetes: {namespace: ai, service: llm, port: 50051}
    protocol: h2c
routes:
  - match: {path: /inference.Llm/Generate, hosts: [llm.example]}
    service: llm
  - match: {prefix: /inference.Admin, hosts: [llm.example]}
    service: llm`);
});

test('weights, mirrors, patterns and further listeners are told', () => {
  const outcome = imported(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public}
spec:
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: shop-tls}]}}
  tls: {frontend: {default: {}}, backend: {clientCertificateRef: {name: own}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: public}]
  rules:
    - matches: [{path: {value: /a}, headers: [{type: RegularExpression, name: x, value: "v.*"}]}, {path: {value: /b}}]
      filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}}}]
      backendRefs: [{name: blue, port: 80, weight: 90}, {name: green, port: 80, weight: 10}]
      sessionPersistence: {sessionName: s}
    - matches: [{path: {value: /c}}]
      filters: [{type: ExtensionRef, extensionRef: {group: x, kind: Auth, name: a}}]
      backendRefs: [{name: blue, port: 80}]
    - matches: [{path: {value: /d}}]
`);
  expect(keysOf(outcome)).toContain('routes:\n  - match: {prefix: /b}\n    service: blue');
  expect(outcome.read.routing.routes).toHaveLength(1);
  expect(outcome.refused.map((line) => line.replace(/; .*/, ''))).toEqual([
    '1: Gateway public: listeners at ports 80, 443: all routes are at 80',
    '7: Gateway public: the certificate in Secret shop-tls is not in a route file',
    '8: Gateway public: tls.frontend: clients are not asked for certificates',
    '8: Gateway public: tls.backend: pods are shown no certificate',
    '16: HTTPRoute web: x by a regular expression, so the route is left out',
    '17: HTTPRoute web: the filter RequestMirror is not carried over',
    '18: HTTPRoute web: weights for blue and green: all requests go to blue',
    '19: HTTPRoute web: sessionPersistence has no place in a route file',
    '21: HTTPRoute web: the filter ExtensionRef is not carried over, so the rule is left out',
    '23: HTTPRoute web: a rule whose requests lead nowhere',
  ]);
});
