import { describe, expect, it, test } from 'vitest';
import { objectsOf, SERVICES_YAML, secretFor, toldTo } from '../ingress/world.ts';
import { destinationRule, translatedIstio, virtualService } from './world.ts';

const TO_WEB = '  route: [{destination: {host: web, port: {number: 80}}}]';

/** The one VirtualService `web` with these routes, beside the Services. */
function routed(...http: readonly string[]) {
  return translatedIstio(objectsOf(SERVICES_YAML, virtualService('web', http.join('\n'))));
}

test('the first match wins, whatever the paths; hosts, weights, headers, a timeout', () => {
  const { part, told } = routed(
    '- match: [{uri: {prefix: /v1}, headers: {x-model: {regex: "large|huge"}}}, {method: {exact: POST}}]',
    '  timeout: 30s',
    '  headers: {request: {set: {X-From: edge}}, response: {remove: [Server]}}',
    '  route:',
    '  - {destination: {host: web, port: {number: 80}}, weight: 75}',
    '  - {destination: {host: api.shop.svc.cluster.local}, weight: 25, headers: {request: {add: {x-canary: "1"}}}}',
    '- match: [{uri: {exact: /v1/models}}]',
    TO_WEB,
  );
  expect(part.routes.map(({ match, order }) => [match.path, order?.index])).toEqual([
    [{ kind: 'start', prefix: '/v1' }, 0],
    [{ kind: 'prefix', prefix: '/' }, 1],
    [{ kind: 'exact', path: '/v1/models' }, 2],
  ]);
  expect(part.routes[0]).toMatchObject({
    name: 'VirtualService shop/web http[0].match[0]',
    listeners: ['istio/http'],
    match: { hosts: ['shop.example'], headers: [{ name: 'x-model', value: { kind: 'regex', regex: 'large|huge' } }] },
    backends: [
      { service: 'shop/web/80', weight: 75 },
      { service: 'shop/api/80', weight: 25, requestHeaders: { add: [{ name: 'x-canary', value: '1' }] } },
    ],
    requestTimeout: 30_000,
    requestHeaders: { set: [{ name: 'x-from', value: 'edge' }] },
    responseHeaders: { remove: ['server'] },
  });
  expect(told).toMatchObject([
    { type: 'Normal', note: expect.stringContaining('timeout 30s does not include the wait') },
  ]);
});

test('rewrites, redirects, answers, CORS, mirrors, other hosts', () => {
  const { part, told } = routed(
    '- match: [{uri: {prefix: /api}, authority: {exact: Inner.example}}]',
    '  rewrite: {uri: /, authority: pods.example}',
    '  mirror: {host: api, port: {number: 80}}',
    '  mirrorPercentage: {value: 10}',
    '  corsPolicy: {allowOrigins: [{exact: "https://a.example"}, {prefix: "https://b."}], allowMethods: [GET], maxAge: 24h}',
    TO_WEB,
    '- match: [{uri: {regex: "/items/[0-9]+"}, ignoreUriCase: true}]',
    '  rewrite: {uriRegexRewrite: {match: "/items/(.*)", rewrite: "/i/\\\\1"}}',
    TO_WEB,
    '- match: [{uri: {exact: /old}}]',
    '  redirect: {uri: /new, authority: new.example, scheme: https, port: 8443, redirectCode: 308}',
    '- directResponse: {status: 503, body: {string: closed}}',
  );
  expect(part.routes).toMatchObject([
    {
      match: { headers: [{ name: ':authority', value: { regex: '(?i:inner\\.example)(?::[0-9]+)?' } }] },
      rewrite: { path: { kind: 'prefix', prefix: '/' }, host: 'pods.example' },
      mirrors: [{ service: 'shop/api/80', perMillion: 100_000 }],
      cors: { origins: ['https://a.example', 'https://b.*'], methods: ['GET'], maxAge: 86_400, credentials: false },
    },
    {
      match: { path: { kind: 'regex', regex: '(?i:/items/[0-9]+)' } },
      rewrite: { path: { kind: 'regex', regex: '/items/(.*)', substitution: '/i/\\1' } },
    },
    {
      redirect: {
        scheme: 'https',
        host: 'new.example',
        port: 8443,
        path: { kind: 'whole', path: '/new' },
        status: 308,
      },
    },
    { kind: 'answer', status: 503, body: 'closed' },
  ]);
  expect(told).toEqual([]);
});

describe('a DestinationRule', () => {
  const policy = `connectionPool:
  tcp: {maxConnections: 4, connectTimeout: 3s}
  http: {http1MaxPendingRequests: 100}
outlierDetection: {consecutive5xxErrors: 5, baseEjectionTime: 30s}
loadBalancer: {simple: ROUND_ROBIN}`;
  const world = (services: string, ...rules: readonly string[]) =>
    translatedIstio(objectsOf(services, virtualService('web', `-${TO_WEB.slice(1)}`), ...rules));

  it('says what it can of the pods, and never a limit: the one to write is told', () => {
    const { part, told } = world(SERVICES_YAML, destinationRule('rule', 'web.shop.svc.cluster.local', policy));
    expect(part.services).toMatchObject([
      {
        discipline: { kind: 'balanced', balance: 'round_robin', queueMax: 100 },
        timeout: { connect: 3000 },
        outlier: { consecutive5xx: 5, eject: 30_000 },
      },
    ]);
    expect(told).toMatchObject([
      { type: 'Normal', note: expect.stringContaining('the annotation sluice.dev/limit: "4" at the Service') },
    ]);
  });

  it('gives way to the Service itself', () => {
    const limited = SERVICES_YAML.replace(
      'name: web}',
      'name: web, annotations: {sluice.dev/limit: "3", sluice.dev/queue-max: "7"}}',
    );
    const { part } = world(limited, destinationRule('rule', 'web', policy));
    expect(part.services).toMatchObject([
      { discipline: { kind: 'limited', limit: 3, queue: { max: 7 } }, timeout: { connect: 3000 } },
    ]);
  });

  it('of two about one host the older counts', () => {
    const translation = world(
      SERVICES_YAML,
      destinationRule('first', 'web', 'connectionPool: {tcp: {connectTimeout: 1s}}'),
      destinationRule(
        'second',
        'web.shop.svc.cluster.local',
        'connectionPool: {tcp: {connectTimeout: 9s}}',
        '2026-01-01T00:00:09Z',
      ),
    );
    expect(translation.part.services).toMatchObject([{ timeout: { connect: 1000 } }]);
    expect(toldTo(translation, 'second')).toEqual([
      'Warning: spec.host: DestinationRule shop/first is older and about web.shop.svc.cluster.local as well, and counts; write all of it into one DestinationRule',
    ]);
    expect(toldTo(translation, 'first')).toEqual([]);
  });

  it('has pods spoken to by TLS', () => {
    const tlsOf = (text: string) =>
      world(SERVICES_YAML, destinationRule('rule', 'web', `tls: ${text}`)).part.services[0]?.tls;
    expect(tlsOf('{mode: SIMPLE, sni: pods.example}')).toEqual({
      serverName: 'pods.example',
      authorities: { kind: 'system' },
      names: [{ kind: 'dns', value: 'pods.example' }],
    });
    expect(tlsOf('{mode: SIMPLE, insecureSkipVerify: true}')).toEqual({ authorities: { kind: 'any' }, names: [] });
    const own = world(
      SERVICES_YAML,
      destinationRule('rule', 'web', 'tls: {mode: SIMPLE, caCertificates: /etc/ca.crt}'),
    );
    expect(own.part.routes).toMatchObject([{ backends: [{ kind: 'missing' }] }]);
    expect(toldTo(own, 'rule')).toEqual([expect.stringContaining('/etc/ca.crt is a file of another proxy')]);
  });
});

test('objects that are wrong in every way at once are told each fault, and their neighbours serve on', () => {
  const bad = virtualService(
    'bad',
    `- match: [{sourceLabels: {app: x}}, {uri: {regex: "/(?<x"}}, {method: {regex: "G.*"}}, {uri: {exact: /good}}]
  fault: {abort: {httpStatus: 500}}
  timeout: soon
  retries: {attempts: 2}
  whatever: 1
  route: [{destination: {host: absent}}, {destination: {host: web, subset: v1, port: {number: 81}}}, {destination: {host: out.example}}]
- delegate: {name: other}
- match: [{uri: {prefix: /none}}]
  route: []`,
  );
  const rule = destinationRule(
    'badrule',
    'web',
    'connectionPool: {tcp: {connectTimeout: never}}\nportLevelSettings: [{port: {number: 80}}]\nloadBalancer: {consistentHash: {useSourceIp: true}}\ntls: {mode: ISTIO_MUTUAL}\nfoo: 1',
  );
  const translation = translatedIstio(
    objectsOf(SERVICES_YAML, virtualService('web', `-${TO_WEB.slice(1)}`, '[web.example]'), bad, rule),
  );
  const told = toldTo(translation, 'bad').join('\n');
  for (const fault of [
    'spec.http[0].match[0].sourceLabels: a match by sourceLabels, so the route is left out',
    'spec.http[0].match[1].uri: not a regular expression of RE2',
    'spec.http[0].match[2].method: a match by a pattern of method',
    'spec.http[0].fault: fault is not carried over',
    'timeout soon is not a duration',
    'retries: a request that no pod has seen goes to another pod by itself',
    'spec.http[0].whatever is not carried over',
    'there is no Service shop/absent',
    'subset v1 of web: requests go to all of its pods',
    'Service shop/web has no TCP port 81; it has 80',
    'out.example is no Service of this cluster',
    'spec.http[1].delegate: delegate, so the route is left out',
    'spec.http[2]: a route whose requests lead nowhere',
  ]) {
    expect(told).toContain(fault);
  }
  const toldRule = toldTo(translation, 'badrule').join('\n');
  for (const fault of [
    'spec.trafficPolicy.connectionPool.tcp.connectTimeout: not a duration',
    'portLevelSettings are not carried over',
    'consistentHash is not carried over',
    'tls mode ISTIO_MUTUAL: pods are not shown a certificate',
    'spec.trafficPolicy.foo is not carried over',
  ]) {
    expect(toldRule).toContain(fault);
  }
  expect(translation.part.routes).toMatchObject([
    {
      name: 'VirtualService shop/bad http[0].match[3]',
      backends: [{ kind: 'missing' }, { kind: 'missing' }, { kind: 'missing' }],
    },
    {
      name: 'VirtualService shop/web http[0]',
      match: { hosts: ['web.example'] },
      backends: [{ service: 'shop/web/80' }],
    },
  ]);
  expect(translation.part.problems.map(({ subject }) => subject)).toContain('DestinationRule shop/badrule');
});

test('a certificate that is named is shown; one that is not there is told', () => {
  const objects = objectsOf(
    SERVICES_YAML,
    secretFor('shop-tls', ['shop.example']),
    virtualService('web', `-${TO_WEB.slice(1)}`),
  );
  const { part } = translatedIstio(objects, { certificates: ['shop/shop-tls', 'shop/none'] });
  expect(part.listeners).toMatchObject([
    { name: 'istio/http', port: 80 },
    { name: 'istio/https', port: 443, tls: { certificates: [{ name: 'shop/shop-tls' }] } },
  ]);
  expect(part.routes[0]?.listeners).toEqual(['istio/http', 'istio/https']);
  expect(part.problems).toMatchObject([
    { severity: 'error', message: 'there is no Secret shop/none of type kubernetes.io/tls' },
  ]);
});
