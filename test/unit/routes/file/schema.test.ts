import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { markdownFiles, ROOT } from '../../../../scripts/docs/files.ts';
import { routeFiles } from '../../../../scripts/docs/refresh.ts';
import type { Problem } from '../../../../src/model/problem.ts';
import { lbagent, version1 } from '../../../../src/routes/file/keys.ts';
import { parseRouteFile } from '../../../../src/routes/file/parse.ts';
import { routeFileSchema } from '../../../../src/routes/file/schema.ts';
import type { Shape } from '../../../../src/routes/file/shape.ts';

const validate = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false }).compile(
  routeFileSchema(),
);

/** Whether an editor would find the file good. */
function accepts(text: string): boolean {
  return validate(parse(text));
}

/** What only the whole file shows, or a check that JSON Schema has no words for. */
const BEYOND_SCHEMA = [
  /never used/,
  /there is no service/,
  /a limit holds within one service/,
  /for the pods that have limit/,
  /there is no prefix to rewrite/,
  /would turn/,
  /environment variable/,
  /not a regular expression of RE2/,
];

function beyondSchema({ message }: Problem): boolean {
  return BEYOND_SCHEMA.some((pattern) => pattern.test(message));
}

const files = ['compose/routes.yaml', 'k8s/base/routes.yaml'];
const examples = [
  ...markdownFiles().flatMap((file) =>
    routeFiles(readFileSync(join(ROOT, file), 'utf8')).map((text) => [file, text] as const),
  ),
  ...files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')] as const),
];

describe('the schema and the reader of route files agree', () => {
  it.each(examples)('on the example of %s:\n%s', (_, text) => {
    const read = parseRouteFile(text, { path: 'routes.yaml', env: {}, baseDir: '/' });
    const faults = read.ok ? [] : read.errors.filter(({ severity }) => severity === 'error');
    const good = faults.every(beyondSchema);
    expect([accepts(text), validate.errors]).toEqual([good, good ? null : expect.anything()]);
  });

  it('on faults and sound files, both of which are among the examples', () => {
    expect(examples.filter(([, text]) => accepts(text)).length).toBeGreaterThan(10);
    expect(examples.filter(([, text]) => !accepts(text)).length).toBeGreaterThan(2);
  });

  it('on every fault of a file with many', () => {
    const text = readFileSync(join(import.meta.dirname, 'files/broken.yaml'), 'utf8');
    const read = parseRouteFile(text, { path: 'broken.yaml', env: {}, baseDir: '/' });
    const faults = (read.ok ? [] : read.errors).filter((problem) => !beyondSchema(problem));
    expect(faults.length).toBeGreaterThan(40);
    validate(parse(text));
    const found = (validate.errors ?? []).map(({ instancePath, params }) =>
      [instancePath, params['missingProperty'] ?? params['additionalProperty'] ?? params['propertyName'] ?? '']
        .join('/')
        .replace(/\/$/, ''),
    );
    const missed = faults.filter(({ path = '' }) => {
      const place = `/${path.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`;
      // "Exactly one of" is told of the map.
      return !found.some((one) => one === place || place === `${one}/${place.slice(place.lastIndexOf('/') + 1)}`);
    });
    expect(missed.map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
  });
});

/** Every map of the table with the path of its key. */
function maps(shape: Shape<unknown>, path: string): readonly (readonly [string, Shape<unknown>])[] {
  const inner = Object.entries(shape.fields ?? {}).flatMap(([key, field]) => maps(field.shape, `${path}.${key}`));
  const items = shape.item === undefined ? [] : maps(shape.item, `${path}[]`);
  return [...(shape.fields === undefined ? [] : [[path, shape] as const]), ...inner, ...items];
}

describe('the schema', () => {
  it.each([...maps(version1, 'version1'), ...maps(lbagent, 'lbagent')])(
    'describes every key of %s',
    (_, { fields = {}, schema }) => {
      const described = Object.entries(schema.properties ?? {}).map(([key, property]) => [
        key,
        typeof property === 'object' && (property.description ?? '').length > 5,
      ]);
      expect(described).toEqual(Object.keys(fields).map((key) => [key, true]));
    },
  );

  it('lets a placeholder stand for any value', () => {
    const file = (limit: string) =>
      `version: 1\nservices: {a: {static: [], limit: "${limit}"}}\nroutes: [{match: {prefix: "\${P:-/}"}, service: a}]`;
    expect(accepts(file('$' + '{N}'))).toBe(true);
    expect(accepts(file('2'))).toBe(false);
  });

  it.each([
    ['an unknown key', 'version: 1\nservice: {}\nroutes: []'],
    ['a limit beside balance', 'version: 1\nservices: {a: {static: [], limit: 1, balance: random}}\nroutes: []'],
    ['two places for the pods', 'version: 1\nservices: {a: {static: [], dns: {host: a.b, port: 1}}}\nroutes: []'],
    ['no routes', 'version: 1'],
    ['routes without a match', 'version: 1\nroutes: [{service: a}]'],
    ['a wait without a limit', 'version: 1\nservices: {a: {static: [], queue: {timeout: 1m}}}\nroutes: []'],
    ['a route of lbagent without its limit', 'routes: [{uri: /a, service_name: a, http_port: 80}]'],
  ])('refuses %s', (_, text) => {
    expect(accepts(text)).toBe(false);
  });
});

it('docs/route-file.schema.json is the schema of the code (else: npm run docs)', () => {
  expect(JSON.parse(readFileSync(join(ROOT, 'docs/route-file.schema.json'), 'utf8'))).toEqual(routeFileSchema());
});

it.each(files)('%s names the schema for editors', (file) => {
  const [, named = ''] = /^# yaml-language-server: \$schema=(\S+)$/m.exec(readFileSync(join(ROOT, file), 'utf8')) ?? [];
  expect(join(file, '..', named)).toBe('docs/route-file.schema.json');
});
