import { describe, expect, it } from 'vitest';
import { parseRouteFile } from '../../../../src/routes/file/parse.ts';
import { parseApart } from '../../../../src/routes/file/parse-apart.ts';
import { keepSame } from '../../../../src/routes/keep-same.ts';
import { parsed } from './kit.ts';

const options = { path: 'routes.yaml', env: { LIMIT: '3' }, baseDir: '/etc/sluice' };

/** A file of so many services, with a route to each. */
function many(count: number, limit = '2'): string {
  const names = Array.from({ length: count }, (_, index) => `s${index}`);
  const services = names.map(
    (name, index) => `  ${name}: {static: ["10.0.${index >> 8}.${index & 255}:80"], limit: 2}`,
  );
  const routes = names.map((name) => `  - {match: {path: /${name}}, service: ${name}}`);
  return ['version: 1', 'services:', ...services, 'routes:', ...routes, '']
    .join('\n')
    .replace('limit: 2', `limit: ${limit}`);
}

describe('parseApart', () => {
  it('parses a large file as it is parsed here, while everything else goes on', async () => {
    const text = many(2000, `"\${LIMIT}"`);
    let others = 0;
    const timer = setInterval(() => others++, 1);
    const result = await parseApart(text, options);
    clearInterval(timer);
    expect(others).toBeGreaterThan(0);
    expect(result).toEqual(parseRouteFile(text, options));
    expect(result.ok && result.value.routing.services[0]).toMatchObject({ name: 's0', discipline: { limit: 3 } });
  });

  it('tells what is wrong with one as well', async () => {
    const text = many(2000, '0');
    const result = await parseApart(text, options);
    expect(result).toEqual(parseRouteFile(text, options));
    expect(result.ok).toBe(false);
  });
});

describe('keepSame', () => {
  it('keeps the very services and routes that are as they were, and all of it when nothing changed', () => {
    const before = parsed(many(3)).routing;
    expect(keepSame(before, parsed(many(3)).routing)).toBe(before);
    const after = keepSame(before, parsed(many(3, '5')).routing);
    expect(after.services.map((service, at) => service === before.services[at])).toEqual([false, true, true]);
    expect(after.services[0]).toMatchObject({ discipline: { limit: 5 } });
    expect(after.routes).toBe(before.routes);
    const fewer = keepSame(before, parsed(many(2)).routing);
    expect(fewer.services).toHaveLength(2);
    expect(fewer.services[1]).toBe(before.services[1]);
  });
});
