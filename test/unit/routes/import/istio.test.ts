import { expect, test } from 'vitest';
import { expectWhole, imported, keysOf } from './kit.ts';

/** A VirtualService behind a gateway of its own, of these routes. */
function virtualService(http: string, more = ''): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [shop.example]
  gateways: [public]
${more}  http:
${http}`;
}

/** A DestinationRule of the host that the VirtualServices here lead to. */
function destinationRule(policy: string, host = 'web'): string {
  return `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec:
  host: ${host}
  trafficPolicy:
${policy}`;
}

const TO_WEB = '      route: [{destination: {host: web, port: {number: 8080}}}]\n';

test('the reviews of bookinfo: a header decides, subsets are told', () => {
  const outcome = imported(`apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts:
  - reviews
  http:
  - match:
    - headers:
        end-user:
          exact: jason
    route:
    - destination:
        host: reviews
        subset: v2
  - route:
    - destination:
        host: reviews
        subset: v1
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews.default.svc.cluster.local
  trafficPolicy: {loadBalancer: {simple: RANDOM}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec: {ports: [{port: 9080, name: http}]}
`);
  expect(keysOf(outcome)).toContain(`services:
  reviews:
    kubernetes: {namespace: default, service: reviews, port: 9080}
    balance: random
routes:
  - match: {prefix: /, hosts: [reviews, reviews.default, reviews.default.svc, reviews.default.svc.cluster.local], headers: {end-user: jason}}
    service: reviews
  - match: {prefix: /, hosts: [`);
  expect(outcome.refused.map((line) => line.replace(/; .*/, ''))).toEqual([
    '15: VirtualService default/reviews: subset v2 of reviews: requests go to all of its pods',
    '19: VirtualService default/reviews: subset v1 of reviews: requests go to all of its pods',
    '28: DestinationRule default/reviews: subset v1 selects pods by labels',
    '29: DestinationRule default/reviews: subset v2 selects pods by labels',
  ]);
  expect(outcome.notes).toEqual([expect.stringContaining('callers in the mesh do not pass Sluice by these hosts')]);
});

test('paths, rewrites, redirects, headers, timeouts behind a gateway', () => {
  const outcome = imported(`apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: shop}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
${virtualService(`    - match: [{uri: {exact: /login}}, {uri: {regex: "/v[0-9]+/models"}, method: {exact: GET}}]
      timeout: 5s
${TO_WEB}    - match: [{uri: {prefix: /api/}, queryParams: {debug: {exact: "1"}}}]
      rewrite: {uri: /}
      headers: {request: {set: {x-from: edge}}, response: {remove: [server]}}
${TO_WEB}    - match: [{uri: {prefix: /old/}}]
      redirect: {uri: /new, authority: new.example, redirectCode: 302}
`)}`);
  expectWhole(outcome);
  expect(keysOf(outcome)).toBe(`version: 1
listen:
  port: 80
services:
  web:
    kubernetes: {namespace: shop, service: web, port: 8080}
routes:
  - match: {path: /login, hosts: [shop.example]}
    service: web
    timeout: {request: 5s}
  - match: {regex: "/v[0-9]+/models", hosts: [shop.example], methods: [GET]}
    service: web
    timeout: {request: 5s}
  - match: {prefix: /api/, hosts: [shop.example], query: {debug: "1"}}
    service: web
    rewrite: {prefix: /}
    headers: {request: {set: {x-from: edge}}, response: {remove: [server]}}
  - match: {prefix: /old/, hosts: [shop.example]}
    redirect: {host: new.example, path: /new, status: 302}`);
  expect(outcome.notes).toEqual([expect.stringContaining('timeout 5s does not include the wait here')]);
});

test('circuit breakers never become a limit: the one to write is printed', () => {
  const outcome = imported(
    virtualService(`    -${TO_WEB.slice(5)}`) +
      destinationRule(`    connectionPool:
      tcp: {maxConnections: 100, connectTimeout: 30ms}
      http: {http1MaxPendingRequests: 7, http2MaxRequests: 4, maxRequestsPerConnection: 10}
    outlierDetection: {consecutive5xxErrors: 7, interval: 5m, baseEjectionTime: 15m}
`),
  );
  expectWhole(outcome);
  expect(keysOf(outcome)).toContain(`    kubernetes: {namespace: shop, service: web, port: 8080}
    timeout: {connect: 30ms}
    queue: {max: 7}
    outlier: {consecutive_5xx: 7, eject: 15m}
routes:`);
  expect(outcome.read.routing.services[0]?.discipline.kind).toBe('balanced');
  expect(outcome.notes).toEqual([
    expect.stringMatching(/^17: DestinationRule shop\/web: note: 100 is what one client's proxy may have/),
    expect.stringMatching(
      /^18: .*write limit: 4 at the service, or the annotation sluice\.dev\/limit: "4" at the Service$/,
    ),
  ]);
});

test('weights between hosts, faults, mirrors and CORS are refused', () => {
  const outcome = imported(
    virtualService(`    - fault: {delay: {percentage: {value: 1}, fixedDelay: 5s}}
      mirror: {host: copy}
      mirrorPercentage: {value: 10}
      corsPolicy: {allowOrigins: [{exact: "*"}]}
      retries: {attempts: 3}
      route:
        - {destination: {host: blue.shop.svc.cluster.local, port: {number: 80}}, weight: 75}
        - {destination: {host: green.shop.svc.cluster.local, port: {number: 80}}, weight: 25}
    - match: [{uri: {prefix: /d}}]
      delegate: {name: d}
`),
  );
  expect(keysOf(outcome)).toContain('routes:\n  - match: {prefix: /, hosts: [shop.example]}\n    service: blue');
  expect(outcome.refused.map((line) => line.replace(/; .*/, ''))).toEqual([
    '8: VirtualService shop/web: fault is not carried over',
    '9: VirtualService shop/web: mirror is not carried over',
    '11: VirtualService shop/web: corsPolicy is not carried over',
    expect.stringContaining('14: VirtualService shop/web: weights for blue.shop.svc.cluster.local:80 and green'),
    '17: VirtualService shop/web: delegate, so the route is left out',
  ]);
});

test('the first match wins there: another order here is told', () => {
  const outcome = imported(
    virtualService(`    - match: [{uri: {prefix: /}, headers: {x-beta: {exact: "1"}}}]
${TO_WEB}    - match: [{uri: {prefix: /api/}}]
      route: [{destination: {host: api, port: {number: 80}}}]
    - match: [{headers: {x-version: {regex: "v[12]"}}}]
${TO_WEB}`),
  );
  expect(outcome.read.routing.routes).toHaveLength(2);
  expect(outcome.refused).toEqual([
    '10: VirtualService shop/web: /api/ is tried before / (line 8), which was first in the VirtualService; here an exact path comes before the longest prefix, and that before a regex: see that each request goes where it should',
    expect.stringContaining('12: VirtualService shop/web: x-version by a regular expression, so the route is left out'),
  ]);
});

test('TLS to a host outside, sticky sessions, and a mesh that wants certificates', () => {
  const outside = imported(
    virtualService('    - route: [{destination: {host: api.partner.example, port: {number: 443}}}]\n') +
      destinationRule('    tls: {mode: SIMPLE, sni: api.partner.example}\n', 'api.partner.example'),
  );
  expectWhole(outside);
  expect(keysOf(outside)).toContain(`    dns: {host: api.partner.example, port: 443}
    protocol: https
    tls: {name: api.partner.example}`);
  const sticky = imported(
    virtualService(`    -${TO_WEB.slice(5)}`) +
      destinationRule(
        '    loadBalancer: {consistentHash: {httpCookie: {name: u, ttl: 0s}}}\n    tls: {mode: ISTIO_MUTUAL}\n',
      ),
  );
  expect(sticky.refused).toEqual([
    expect.stringContaining('DestinationRule shop/web: consistentHash is not carried over'),
    expect.stringContaining('DestinationRule shop/web: tls mode ISTIO_MUTUAL: pods are not shown a certificate'),
  ]);
});

test('a DestinationRule alone, and kinds that are not understood, are told', () => {
  const outcome = imported(
    `${destinationRule('    loadBalancer: {simple: ROUND_ROBIN}\n').slice(4)}---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: lua, namespace: shop}
`,
  );
  expect(outcome.read.routing.routes).toEqual([]);
  expect(outcome.notes).toEqual([expect.stringContaining('no VirtualService in the files leads to web')]);
  expect(outcome.refused).toEqual([expect.stringContaining('EnvoyFilter shop/lua: is not understood')]);
});

test('conditions on callers, on absence, by pattern: the route is left out, not widened', () => {
  const outcome = imported(
    virtualService(`    - match: [{sourceLabels: {app: cart}}]
${TO_WEB}    - match: [{withoutHeaders: {x-beta: {}}}]
${TO_WEB}    - match: [{method: {regex: "GET|HEAD"}}]
${TO_WEB}    - match: [{headers: {x-trace: {}}}]
${TO_WEB}`),
  );
  expect(outcome.read.routing.routes.map(({ match }) => match.headers)).toEqual([
    [{ name: 'x-trace', value: { kind: 'present' } }],
  ]);
  expect(outcome.refused.map((line) => line.replace(/; .*/, ''))).toEqual([
    '8: VirtualService shop/web: a match by sourceLabels, so the route is left out',
    '10: VirtualService shop/web: a match by withoutHeaders, so the route is left out',
    '12: VirtualService shop/web: a match by a pattern of method, so the route is left out',
  ]);
});

test('a gRPC service with its Service beside it keeps its annotation, and speaks TLS when the rule says so', () => {
  const outcome = imported(
    virtualService('    - route: [{destination: {host: web}}]\n') +
      destinationRule('    loadBalancer: {simple: ROUND_ROBIN}\n    tls: {mode: SIMPLE, insecureSkipVerify: true}\n'),
    `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {sluice.dev/limit: "8", sluice.dev/queue-timeout: 30s}}
spec: {ports: [{name: grpc-api, port: 50051}]}
`,
  );
  expectWhole(outcome);
  expect(outcome.read.routing.services[0]).toMatchObject({
    protocol: 'h2c',
    tls: { authorities: { kind: 'any' } },
    discipline: { kind: 'limited', limit: 8, queue: { timeout: 30_000 } },
  });
});

test('two destinations of one host are one service; of two rules the first has the word', () => {
  const outcome = imported(
    virtualService(`    - route:
        - {destination: {host: web, subset: stable, port: {number: 8080}}, weight: 90}
        - {destination: {host: web, subset: canary, port: {number: 8080}}, weight: 10}
`) +
      destinationRule('    connectionPool: {tcp: {connectTimeout: 1s}}\n') +
      destinationRule('    connectionPool: {tcp: {connectTimeout: 9s}}\n'),
  );
  expect(outcome.read.routing.routes).toHaveLength(1);
  expect(outcome.read.routing.services[0]?.timeout.connect).toBe(1000);
  expect(outcome.refused.map((line) => line.replace(/; .*/, ''))).toEqual([
    '9: VirtualService shop/web: subset stable of web: requests go to all of its pods',
    '10: VirtualService shop/web: subset canary of web: requests go to all of its pods',
    expect.stringContaining('timeout.connect: 9s for the pods of web, of which 1s was said before'),
  ]);
});
