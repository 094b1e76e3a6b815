import { expect, test } from 'vitest';
import { explainActive } from '../../../src/control-plane/explain-request.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';

const FILE = `version: 1
services: {codec: {static: [10.0.0.1:1], limit: 2}}
routes:
  - match: {regex: "/jobs/[0-9]+", methods: [POST], headers: {x-tier: gold}}
    service: codec
`;

function explain(query: string) {
  const parsed = parseRouteFile(FILE, { path: 'routes.yaml', env: {}, baseDir: '/' });
  return explainActive(parsed.ok ? parsed.value.routing : undefined, new URLSearchParams(query));
}

test('what the routing that is active does with a request', () => {
  const taken = explain('url=/jobs/12&method=post&header=X-Tier:+gold&header=x-other:+1');
  expect(taken).toMatchObject({ ok: true, value: { taken: true } });
  expect(taken.ok && taken.value.text).toContain('routes[0] takes it, regex /jobs/[0-9]+.');
  expect(explain('url=/jobs/12')).toMatchObject({ ok: true, value: { taken: false } });
});

test('who holds the slots of the service, where Envoys share them', () => {
  const parsed = parseRouteFile(FILE, { path: 'routes.yaml', env: {}, baseDir: '/' });
  const query = new URLSearchParams('url=/jobs/12&method=post&header=x-tier:+gold');
  const routing = parsed.ok ? parsed.value.routing : undefined;
  const text = (held: string | undefined) => {
    const said = explainActive(routing, query, (service) => (service === 'codec' ? held : undefined));
    return said.ok ? said.value.text : '';
  };
  expect(text('edge-1 3, edge-2 1')).toMatch(/^ {2}slots +held by edge-1 3, edge-2 1$/m);
  expect(text(undefined)).not.toMatch(/^ {2}slots /m);
});

test('what is wrong with the question is told, all of it', () => {
  expect(explain('header=x')).toEqual({
    ok: false,
    errors: ['URL: Write one like http://host/path, or only /path.', "Header: Write one like 'x-tier: gold'."],
  });
  expect(explainActive(undefined, new URLSearchParams('url=/'))).toEqual({
    ok: false,
    errors: ['There are no routes yet: their source has not answered.'],
  });
});
