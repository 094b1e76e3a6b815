import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderResources } from '../../src/commands/render.ts';
import { CASES, CASES_FOLDER, readCase } from './read-case.ts';

const WRITE = process.env['SLUICE_GOLDEN'] === 'write';

describe('route file in, Envoy resources out (rewrite: npm run test:golden)', () => {
  test.each(CASES)('%s', (name) => {
    const golden = join(CASES_FOLDER, name, 'resources.yaml');
    // Free of where this checkout is.
    const rendered = renderResources(readCase(name), 18_002).replaceAll(join(CASES_FOLDER, name), '/case');
    if (WRITE) writeFileSync(golden, rendered);
    expect(existsSync(golden), `${golden} is missing: run npm run test:golden`).toBe(true);
    expect(rendered).toBe(readFileSync(golden, 'utf8'));
  });
});
