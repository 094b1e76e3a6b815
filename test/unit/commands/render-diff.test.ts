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
  return { routing, snapshot: snapshotOf(routing) };
}

function diff(from: string, to: string): string {
  expect(FILE).toContain(from);
  return renderDiff(rendered(FILE), rendered(FILE.replace(from, to))).text;
}

test('an edit that means nothing', () => {
  expect(diff('version: 1', '# a comment\nversion: 1')).toBe('Nothing changes in Envoy.\n');
});

test('a longer queue changes what is said of it', () => {
  const text = diff('max: 50', 'max: 60');
  expect(text).toMatch(/^codec: queue\.max 50 → 60\n\nIn Envoy:\n~ RouteConfiguration public: /);
  expect(text).not.toMatch(/Cluster|Listener/);
  expect(text).toMatch(/\n\nRunning traffic is not touched\.\n$/);
});

test('another pod', () => {
  const text = diff('"127.0.0.1:9001"]', '"127.0.0.1:9001", "127.0.0.1:9002"]');
  expect(text).toMatch(/^~ ClusterLoadAssignment codec: pods that go finish the requests they have/m);
  expect(text).toMatch(/Running traffic is not touched\.\n$/);
});

test('another limit changes the cluster of the service', () => {
  const text = diff('limit: 2', 'limit: 3');
  expect(text).toMatch(/^~ Cluster codec: requests under way finish on their connections/m);
  expect(text).toContain('circuit_breakers.per_host_thresholds[0].max_connections: 128 → 192');
  expect(text).toMatch(/Running traffic is not touched\.\n$/);
});

test('what touches running traffic is named', () => {
  const port = diff('port: 8080', 'port: 8081');
  expect(port).toContain('    address.socket_address.port_value: 8080 → 8081');
  expect(port).toMatch(/Running traffic is touched by this: Listener public\.\n$/);
});

test('a service that comes, and one that goes', () => {
  const service = '  new: { static: ["127.0.0.1:9200"], limit: 1 }\n  web:';
  const more = `${FILE.replace('  web:', service)}  - match: { prefix: /a-new-one }\n    service: new\n`;
  const come = renderDiff(rendered(FILE), rendered(more)).text;
  expect(come).toMatch(/^\+ Cluster new: new$/m);
  // The routes after it have moved on by one, which is no change of theirs.
  expect(come).toContain('virtual_hosts[*].routes[2].match.path_separated_prefix: (none) → "/a-new-one"');
  expect(come).not.toContain('"/codec" →');
  const gone = renderDiff(rendered(more), rendered(FILE)).text;
  expect(gone).toMatch(
    /^- Cluster new: stays until the requests it has are answered, then goes; those who wait for it are refused$/m,
  );
});

test('whether two files differ', () => {
  expect(renderDiff(rendered(FILE), rendered(`${FILE}# a comment\n`)).differs).toBe(false);
  expect(renderDiff(rendered(FILE), rendered(FILE.replace('max: 50', 'max: 60'))).differs).toBe(true);
});
