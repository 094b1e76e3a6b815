import { expect, test } from 'vitest';
import { snapshotOf } from '../../../src/commands/render.ts';
import { renderDiff } from '../../../src/commands/render-diff.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';

const FILE = `version: 1
listen: { port: 8080 }
services:
  codec: { static: ["127.0.0.1:9000", "127.0.0.1:9001"], limit: 2, queue: { max: 50 } }
  web: { static: ["127.0.0.1:9100"] }
routes:
  - match: { prefix: /codec }
    service: codec
  - match: { prefix: / }
    service: web
`;

function rendered(file: string) {
  const parsed = parseRouteFile(file, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { routing } = parsed.value;
  return { routing, snapshot: snapshotOf(routing, 18_002) };
}

function diff(from: string, to: string): string {
  expect(FILE).toContain(from);
  return renderDiff(rendered(FILE), rendered(FILE.replace(from, to))).text;
}

test('an edit that means nothing', () => {
  expect(diff('version: 1', '# a comment\nversion: 1')).toBe('Nothing changes in Envoy.\n');
});

test('a longer line moves by the runtime alone', () => {
  const text = diff('max: 50', 'max: 60');
  expect(text).toContain('layer.circuit_breakers.gate/codec.default.max_pending_requests: 50 → 60');
  expect(text).toMatch(/^codec: queue\.max 50 → 60\n\nIn Envoy:\n~ /);
  expect(text).not.toMatch(/Cluster|Listener/);
  expect(text).toMatch(/\n\nRunning traffic is not touched\.\n$/);
});

test('another pod', () => {
  const text = diff('"127.0.0.1:9001"]', '"127.0.0.1:9001", "127.0.0.1:9002"]');
  expect(text).toMatch(/^~ ClusterLoadAssignment pods\/codec@\w+: pods that go finish the requests they have/m);
  expect(text).toMatch(/max_connections: 4 → 6/);
  expect(text).toMatch(/Running traffic is not touched\.\n$/);
});

test('another limit makes a cluster beside the old one', () => {
  const text = diff('limit: 2', 'limit: 3');
  expect(text).toMatch(/^- Cluster pods\/codec@\w+: stays until its last request has ended/m);
  expect(text).toMatch(/^\+ Cluster pods\/codec@\w+: a pod moves here when its old requests have ended/m);
  expect(text).toMatch(/Running traffic is not touched\.\n$/);
});

test('what touches running traffic is named', () => {
  const port = diff('port: 8080', 'port: 8081');
  expect(port).toContain('    address.socket_address.port_value: 8080 → 8081');
  expect(port).toMatch(/Running traffic is touched by this: Listener public\.\n$/);
  // A service without a limit keeps its cluster's name: it is replaced.
  const replaced = diff('"127.0.0.1:9100"]', '"127.0.0.1:9100"], balance: round_robin');
  expect(replaced).toMatch(/Running traffic is touched by this: Cluster pods\/web\.\n$/);
});

test('a service that comes, and one that goes', () => {
  const service = '  new: { static: ["127.0.0.1:9200"], limit: 1 }\n  web:';
  const more = `${FILE.replace('  web:', service)}  - match: { prefix: /a-new-one }\n    service: new\n`;
  const come = renderDiff(rendered(FILE), rendered(more)).text;
  expect(come).toMatch(/^\+ Cluster gate\/new: new$/m);
  // The routes after it have moved on by one, which is no change of theirs.
  expect(come).toContain('virtual_hosts[*].routes[2].match.path_separated_prefix: (none) → "/a-new-one"');
  expect(come).not.toContain('"/codec" →');
  const gone = renderDiff(rendered(more), rendered(FILE)).text;
  expect(gone).toMatch(/^- Cluster gate\/new: stays until the requests it has are answered, then goes$/m);
});

test('whether two files differ', () => {
  expect(renderDiff(rendered(FILE), rendered(`${FILE}# a comment\n`)).differs).toBe(false);
  expect(renderDiff(rendered(FILE), rendered(FILE.replace('max: 50', 'max: 60'))).differs).toBe(true);
});
