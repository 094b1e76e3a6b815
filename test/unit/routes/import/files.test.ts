import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { importFiles } from '../../../../src/routes/import/import.ts';
import { expectWhole, imported, keysOf } from './kit.ts';

const LBAGENT = `port: 9000
kube_config_file: ""
routes:
  - uri: /VideoCodecService/VideoCodec
    limit: 2
    service_name: yt-server-video-codec
    namespace: ai-media
    http_port: 20109
`;

test('a config.yaml of lbagent', () => {
  const outcome = imported(LBAGENT);
  expectWhole(outcome);
  expect(keysOf(outcome)).toBe(`version: 1
listen:
  port: 9000
services:
  yt-server-video-codec:
    kubernetes: {namespace: ai-media, service: yt-server-video-codec, port: 20109}
    limit: 2
routes:
  - match: {path: /VideoCodecService/VideoCodec}
    service: yt-server-video-codec`);
  expect(outcome.notes).toEqual([expect.stringContaining('8: lbagent: note: http_port 20109 is the port of the pods')]);
});

test('the same in a ConfigMap, with its Service beside it: the port is known', () => {
  const indented = LBAGENT.replaceAll(/^/gm, '    ');
  const outcome = imported(`apiVersion: v1
kind: ConfigMap
metadata: {name: lb-agent-config, namespace: ai-media}
data:
  config.yaml: |
${indented}
---
apiVersion: v1
kind: Service
metadata: {name: yt-server-video-codec, namespace: ai-media}
spec: {ports: [{port: 80, targetPort: 20109}]}
`);
  expectWhole(outcome);
  expect(outcome.notes).toEqual([]);
  expect(keysOf(outcome)).toContain('kubernetes: {namespace: ai-media, service: yt-server-video-codec, port: 80}');
  // Lines are those of the manifest.
  expect(outcome.text).toContain('ConfigMap ai-media/lb-agent-config, in.yaml:9');
});

test('the envoy.yaml of docs/moving.md', () => {
  const moving = readFileSync(join(import.meta.dirname, '../../../../docs/moving.md'), 'utf8');
  const example = /## From a headless Service and Envoy[\s\S]*?```yaml\n([\s\S]*?)```/.exec(moving)?.[1] ?? '';
  const outcome = imported(example);
  expectWhole(outcome);
  expect(keysOf(outcome)).toBe(`version: 1
listen:
  port: 8080
services:
  llm:
    dns: {host: llm-headless.default.svc.cluster.local, port: 50051}
    protocol: h2c
    timeout: {connect: 2s}
    queue: {max: 1000}
routes:
  - match: {prefix: /inference.Llm/}
    service: llm
    timeout: {request: 600s}`);
  // What is for all pods together is never a limit.
  expect(outcome.notes).toEqual([
    expect.stringContaining(
      'cluster llm: note: max_requests 8 is for all pods together, and says nothing of one; write limit: N',
    ),
    expect.stringContaining('cluster llm: note: llm-headless.default.svc.cluster.local is followed by DNS'),
  ]);
});

test.each(['From ingress-nginx', 'From Istio'])('docs/moving.md, %s: before becomes after', (section) => {
  const moving = readFileSync(join(import.meta.dirname, '../../../../docs/moving.md'), 'utf8');
  const text = new RegExp(`^## ${section}\n([\\s\\S]*?)^## `, 'm').exec(moving)?.[1] ?? '';
  const [before = '', after = ''] = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, inside = '']) => inside);
  const outcome = imported(before);
  expectWhole(outcome);
  expect(`${keysOf(outcome)}\n`).toBe(after);
  expect(outcome.notes.length).toBeGreaterThan(1);
});

test('what Envoy can and a route file cannot is told with its line', () => {
  const outcome = imported(`static_resources:
  listeners:
    - name: public
      address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                stat_prefix: x
                http_filters: [{name: envoy.filters.http.jwt_authn}, {name: envoy.filters.http.router}]
                route_config:
                  virtual_hosts:
                    - name: shop
                      domains: [shop.example, "shop.example:*"]
                      routes:
                        - match: {prefix: "/"}
                          route: {cluster: web, timeout: 0s}
                        - match: {path: /old}
                          redirect: {path_redirect: /new, response_code: PERMANENT_REDIRECT}
                        - match: {prefix: /v1/, headers: [{name: x-model, string_match: {exact: large}}]}
                          route: {cluster: pods, prefix_rewrite: /, timeout: 0.5s, hash_policy: [{header: {header_name: x}}]}
                          request_headers_to_add: [{header: {key: x-from, value: edge}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]
                        - match: {safe_regex: {regex: "/v[0-9]+/.*"}}
                          route: {weighted_clusters: {clusters: [{name: web, weight: 90}, {name: pods, weight: 10}]}, timeout: 5s}
  clusters:
    - name: web
      type: STRICT_DNS
      lb_policy: RING_HASH
      load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: web, port_value: 80}}}}]}]}
    - name: pods
      type: STATIC
      lb_policy: ROUND_ROBIN
      health_checks: [{timeout: 1s, interval: 5s, http_health_check: {path: /healthz}}]
      load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}}, {endpoint: {address: {socket_address: {address: "fd00::1", port_value: 80}}}}]}]}
    - {name: gone, type: EDS}
`);
  expect(keysOf(outcome)).toBe(`version: 1
listen:
  port: 10000
  address: "127.0.0.1"
services:
  web:
    dns: {host: web, port: 80}
  pods:
    static: [10.0.0.1:80, "[fd00::1]:80"]
    balance: round_robin
    health: {path: /healthz, interval: 5s}
routes:
  - match: {prefix: /, hosts: [shop.example]}
    service: web
  - match: {path: /old, hosts: [shop.example]}
    redirect: {path: /new, status: 308}
  - match: {prefix: /v1/, hosts: [shop.example], headers: {x-model: large}}
    service: pods
    rewrite: {prefix: /}
    timeout: {request: 500ms}
    headers: {request: {set: {x-from: edge}}}`);
  expect(outcome.refused.map((line) => line.replace(/; .*/, ''))).toEqual([
    '10: listener public: the filter envoy.filters.http.jwt_authn: without it everybody is let in',
    expect.stringContaining('18: listener public: /old is tried before / (line 16), which was first in Envoy'),
    expect.stringContaining('20: listener public: /v1/ is tried before / (line 16)'),
    '21: listener public: route.hash_policy has no place in a route file',
    expect.stringContaining('23: listener public: a route is left out: match: never used'),
    expect.stringContaining('24: listener public: weights for web and pods: all requests go to web'),
    '28: cluster web: lb_policy RING_HASH',
    '35: cluster gone: a cluster of type EDS without addresses',
  ]);
});

test.each([
  ['a: [1', /is not closed/],
  ['image: {{ .Values.image }}\n', /a template that is not filled in/],
  ['kind: Deployment\napiVersion: apps/v1\nmetadata: {name: x}\n', /there is nothing in it that can be imported/],
  ['a: &a [*a]\n', /contains itself/],
  ['', /there is nothing/],
])('%j cannot be imported', (text, message) => {
  const result = importFiles([{ file: 'in.yaml', text }]);
  expect(result).toMatchObject({
    ok: false,
    errors: [{ subject: 'in.yaml', message: expect.stringMatching(message) }],
  });
});

test('what a route file would take for a placeholder or another type stays text', () => {
  const outcome = imported(`port: 8080
routes: [{uri: "/a$b", limit: 1, service_name: "on", namespace: "1", http_port: 80}]
`);
  expect(outcome.read.routing.services[0]?.locator).toMatchObject({ namespace: '1', service: 'on' });
});

test('what the route file cannot take is left out alone, with all that leads to it', () => {
  const outcome = imported(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: ["*"]
  gateways: [public]
  http:
    - match: [{uri: {exact: /gone}}]
      route: [{destination: {host: s, port: {number: 0}}}]
    - match: [{uri: {exact: /a//b}}, {uri: {exact: "/a b"}}, {uri: {exact: /good}}]
      route: [{destination: {host: t, port: {number: 80}}}]
    - match: [{uri: {exact: "/x"}, headers: {x-y: {exact: "\${Y} 'z' \\\\d"}}}]
      route: [{destination: {host: t, port: {number: 80}}}]
    - match: [{uri: {exact: /good}}]
      route: [{destination: {host: t, port: {number: 80}}}]
`);
  expect(outcome.read.routing.services.map(({ name }) => name)).toEqual(['t']);
  expect(outcome.read.routing.routes.map(({ match }) => [match.path, match.headers])).toEqual([
    [{ kind: 'exact', path: '/x' }, [{ name: 'x-y', value: { kind: 'exact', text: `\${Y} 'z' \\d` } }]],
    [{ kind: 'exact', path: '/good' }, []],
  ]);
  expect(outcome.refused.map((line) => line.replace(/; .*/, ''))).toEqual([
    expect.stringContaining('9: VirtualService v: service s is left out: kubernetes.port'),
    expect.stringContaining('10: VirtualService v: a route is left out: match.path: slashes in a row'),
    expect.stringContaining('10: VirtualService v: a route is left out: match.path: a path with characters'),
    expect.stringContaining('14: VirtualService v: a route is left out: match: matches the same requests'),
  ]);
});
