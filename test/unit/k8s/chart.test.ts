import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { CHART_FILES, ROOT } from '../../../scripts/docs/files.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const values = parse(read('charts/sluice/values.yaml'));
const schema = JSON.parse(read('charts/sluice/values.schema.json'));
const validate = new Ajv({ allErrors: true, strict: false, validateSchema: false }).compile({
  ...schema,
  $schema: undefined,
});

test.each(Object.entries(CHART_FILES))('%s is a copy of %s (else: npm run docs)', (copy, original) => {
  expect(read(copy)).toBe(read(original));
});

test('the chart and the image have the version of the package', () => {
  const { version } = JSON.parse(read('package.json'));
  expect(parse(read('charts/sluice/Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

test('both run the same Envoy', () => {
  const { repository, tag } = values.envoyImage;
  expect(read('k8s/base/deployment.yaml')).toContain(`image: ${repository}:${tag}\n`);
});

test('the route file among the values is one without a fault', () => {
  const options = { path: 'routes.yaml', env: {}, baseDir: '/' };
  expect(parseRouteFile(stringify(values.routes), options)).toMatchObject({ ok: true, value: { warnings: [] } });
});

describe('values', () => {
  test('fit their schema, which has no others', () => {
    expect([validate(values), validate.errors]).toEqual([true, null]);
    const known = Object.keys(schema.properties).filter((key) => key !== 'global');
    expect(Object.keys(values).sort()).toEqual(known.sort());
  });

  test.each([
    ['a misspelt key', { replica: 2 }],
    ['a type of Service that is none', { service: { type: 'Public' } }],
    ['a port that is text', { service: { port: '80' } }],
    ['an unknown level', { logLevel: 'loud' }],
  ])('%s is refused', (_, wrong) => {
    expect(validate({ ...values, ...wrong })).toBe(false);
  });

  test('each is used, and each that is used exists', () => {
    const folder = join(ROOT, 'charts/sluice/templates');
    const text = readdirSync(folder)
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('\n');
    const used = new Set([...text.matchAll(/\.Values\.(\w+)/g)].map(([, name]) => name));
    expect([...used].sort()).toEqual(Object.keys(values).sort());
  });
});
