import { describe, expect, test } from 'vitest';
import { describeEdit } from '../../../src/model/edit.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';

const FILE = `version: 1
listen: { port: 8080 }
services:
  codec: { static: ["127.0.0.1:9000", "127.0.0.1:9001"], limit: 2, queue: { max: 50 } }
  web: { static: ["127.0.0.1:9100"] }
  far: { kubernetes: { namespace: ai, service: far, port: 80 }, limit: 1 }
routes:
  - match: { prefix: /codec }
    service: codec
  - match: { regex: "/a/.*" }
    service: far
  - match: { regex: "/b/.*", hosts: [b.example] }
    redirect: { scheme: https }
  - match: { prefix: /web }
    service: web
`;

function routing(file: string) {
  const parsed = parseRouteFile(file, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value.routing;
}

/** What is said of an edit that puts `to` in the place of `from`. */
function edit(from: string, to: string): readonly string[] {
  expect(FILE).toContain(from);
  return describeEdit(routing(FILE), routing(FILE.replace(from, to)));
}

test('an access log that begins, changes and ends', () => {
  const log = 'access_log: { path: /a.log }\nservices:';
  expect(edit('services:', log)).toEqual([
    'access_log.path none → /a.log, access_log.format none → json, access_log.requests none → all',
  ]);
  const [none, file] = [routing(FILE), routing(FILE.replace('services:', log))];
  const otlp = routing(FILE.replace('services:', 'access_log: { otlp: otel:4317 }\nservices:'));
  expect(describeEdit(file, otlp)).toEqual([
    'access_log.path /a.log → none, access_log.format json → none, access_log.otlp none → otel:4317',
  ]);
  expect(describeEdit(otlp, none)).toEqual(['access_log.otlp otel:4317 → none, access_log.requests all → none']);
});

test('an edit that means nothing', () => {
  expect(edit('version: 1', '# a comment\nversion: 1')).toEqual([]);
});

describe('services', () => {
  test.each([
    ['limit: 2, queue: { max: 50 }', 'limit: 3', ['codec: limit 2 → 3, queue.max 50 → 1000']],
    ['"127.0.0.1:9001"', '"127.0.0.1:9002"', ['codec: 1 pod added (127.0.0.1:9002), 1 pod removed (127.0.0.1:9001)']],
    [
      '"127.0.0.1:9001"',
      '"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4", "127.0.0.1:9001"',
      ['codec: 4 pods added'],
    ],
    ['queue: { max: 50 }', 'queue: { max: 50, timeout: 30m }', ['codec: queue.timeout 0 → 30m']],
    ['queue: { max: 50 }', 'queue: { max: 50, slack: 0 }', ['codec: queue.slack 20ms → 0']],
    ['queue: { max: 50 }', 'queue: { max: 50 }, health: { path: /up }', ['codec: health none → /up every 5s']],
    [
      'limit: 2, ',
      '',
      [
        'codec: limit 2 → none, queue.timeout 0 → none, queue.slack 20ms → none, balance none → least_request, max_requests none → 1024',
      ],
    ],
    [
      'namespace: ai',
      'namespace: media',
      ['far: pods Kubernetes Service ai/far, service port 80 → Kubernetes Service media/far, service port 80'],
    ],
    ['  web:', '  new: { static: ["10.0.0.1:1"], limit: 4 }\n  web:', ['service new added: limit 4, pods 10.0.0.1:1']],
  ])('%s → %s', (from, to, lines) => {
    expect(edit(from, to)).toEqual(lines);
  });

  test('one that goes', () => {
    const less = FILE.replace(/ {2}far:.*\n/, '').replace(/ {2}- match: \{ regex: "\/a.*\n.*\n/, '');
    expect(describeEdit(routing(FILE), routing(less))).toEqual(['service far removed', 'route regex /a/.* removed']);
  });
});

describe('routes and listeners', () => {
  test.each([
    ['port: 8080', 'port: 8081', ['listen: port 8080 → 8081']],
    ['port: 8080', 'port: 8080, tls: { cert: a.crt, key: a.key }', ['listen: tls none → /a.crt']],
    ['    service: far', '    service: web', ['route regex /a/.*: to far → web']],
    [
      '    service: far',
      '    service: far\n    timeout: { request: 5m }',
      ['route regex /a/.*: timeout.request none → 5m'],
    ],
    ['prefix: /codec', 'prefix: /decode', ['route prefix /codec removed', 'route prefix /decode added: codec']],
    [
      'redirect: { scheme: https }',
      'redirect: { scheme: http }',
      [
        'route regex /b/.*, hosts b.example: to redirect {"scheme":"https","status":302} → redirect {"scheme":"http","status":302}',
      ],
    ],
    [
      '    service: web',
      '    service: web\n    headers: { request: { set: { x-a: b } } }',
      ['route prefix /web: headers.request none → set x-a: b'],
    ],
  ])('%s → %s', (from, to, lines) => {
    expect(edit(from, to)).toEqual(lines);
  });

  test('an order that differs', () => {
    const two = (first: string, second: string) =>
      routing(`version: 1
services: { web: { static: [] } }
routes:
  - { match: { regex: "${first}" }, service: web }
  - { match: { regex: "${second}" }, service: web }
`);
    expect(describeEdit(two('/a+', '/b+'), two('/b+', '/a+'))).toEqual(['routes are tried in another order']);
  });
});
