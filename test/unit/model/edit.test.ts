import { expect, test } from 'vitest';
import { describeEdit } from '../../../src/model/edit.ts';
import type { Routing } from '../../../src/model/routing.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';

function routing(text: string): Routing {
  const parsed = parseRouteFile(`version: 1\n${text}`, { path: 'r.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value.routing;
}

const edit = (before: string, after: string) => describeEdit(routing(before), routing(after));

const FILE = `listen: { port: 8080 }
routes:
  - match: { prefix: /codec }
    service: codec
services:
  codec: { dns: { host: pods.example, port: 80 }, limit: 1, queue: { max: 50 } }
`;

test('nothing', () => {
  expect(edit(FILE, FILE)).toEqual([]);
});

test.each([
  ['limit: 1', 'limit: 2', ['codec: limit 1 → 2']],
  ['max: 50', 'max: 9, timeout: 90s', ['codec: queue.max 50 → 9, queue.timeout none → 1m30s']],
  ['limit: 1', 'limit: 1, protocol: h2c', ['codec: protocol http1 → h2c']],
  ['pods.example', 'other.example', ['codec: host pods.example → other.example']],
  ['8080', '9090', ['public: port 8080 → 9090']],
  ['/codec', '/v2', ['1 route added', '1 route removed']],
])('%s becomes %s', (from, to, words) => {
  expect(edit(FILE, FILE.replace(from, to))).toEqual(words);
});

test('services that come and go', () => {
  const more = `${FILE}  web: { dns: { host: w.example, port: 80 } }\n`;
  expect(edit(FILE, more)).toEqual(['service web added']);
  expect(edit(more, FILE)).toEqual(['service web removed']);
});

test('only the order of routes', () => {
  const second = '  - match: { path: /x }\n    service: codec\n';
  const one = FILE.replace('services:', `${second}services:`);
  const routes = routing(one);
  expect(describeEdit(routes, { ...routes, routes: routes.routes.toReversed() })).toEqual(['order of routes changed']);
});

test('a private key is not told', () => {
  const before = routing(FILE);
  const tls = (key: string): Routing => ({
    ...before,
    listeners: before.listeners.map((listener) => ({
      ...listener,
      tls: { certificates: [{ kind: 'inline', name: 's', cert: 'c', key }] },
    })),
  });
  expect(describeEdit(tls('secret-1'), tls('secret-2'))).toEqual(['public: certificates changed']);
});
