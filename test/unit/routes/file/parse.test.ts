import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../../../src/model/problem.ts';
import { parseRouteFile } from '../../../../src/routes/file/parse.ts';
import { parsed, told } from './kit.ts';

const file = (name: string) => readFileSync(new URL(`files/${name}`, import.meta.url), 'utf8');
const options = { path: 'routes.yaml', env: {}, baseDir: '/etc/sluice' };

describe('parseRouteFile', () => {
  it('reads every key of version 1', async () => {
    const { routing, warnings, lbagent } = parsed(file('version1.yaml'));
    expect(warnings).toEqual([]);
    expect(lbagent).toBeUndefined();
    await expect(`${JSON.stringify(routing, null, 2)}\n`).toMatchFileSnapshot('./files/version1.expected.txt');
  });

  it('reads the lbagent form as it is', async () => {
    const { routing, lbagent } = parsed(file('lbagent.yaml'));
    expect(lbagent).toEqual({ kubeConfigFile: '/root/kube/config', logFile: './logs/agent.log' });
    await expect(`${JSON.stringify(routing, null, 2)}\n`).toMatchFileSnapshot('./files/lbagent.expected.txt');
  });

  it('tells all mistakes of a file at once, each with its place and what to write instead', async () => {
    const result = parseRouteFile(file('broken.yaml'), { ...options, path: 'broken.yaml' });
    if (result.ok) throw new Error('a broken file was accepted');
    for (const { position, path, fix } of result.errors) expect([position, path, fix]).not.toContain(undefined);
    await expect(`${result.errors.map(formatProblem).join('\n')}\n`).toMatchFileSnapshot('./files/broken.expected.txt');
  });

  it('tells five errors for five mistakes', () => {
    const five = file('version1.yaml')
      .replace('limit: 2', 'limit: 0')
      .replace('port: 8080', 'port: 0')
      .replace('protocol: h2c', 'protocl: h2c')
      .replace('service: codec', 'service: kodec')
      .replace('timeout: {request: 10m}', 'timeout: {request: 10}');
    expect(told(five)).toEqual([
      '3:9: listen.port: must be a whole number from 1 to 65,535, not 0; write one such as 8080',
      '8:12: services.codec.limit: must be a whole number from 1 to 10,000, not 0; remove the route to switch it off',
      '16:5: services.llm.protocl: unknown key "protocl"; write protocol',
      '36:24: routes[2].timeout.request: not a duration: "10"; write 10s',
      '43:14: routes[4].service: there is no service "kodec"; write codec',
    ]);
  });

  it('counts a misspelt key that must be there as one mistake', () => {
    const wrong = file('version1.yaml').replace('service: codec', 'servce: codec').replace('dns:', 'dsn:');
    expect(told(wrong)).toEqual([
      '15:5: services.llm.dsn: unknown key "dsn"; write dns',
      '43:5: routes[4].servce: unknown key "servce"; write service',
    ]);
  });

  it.each([
    ['', '1:1: the file is empty; write "version: 1", services and routes'],
    ['# nothing yet\n', '1:1: the file is empty; write "version: 1", services and routes'],
    ['[1, 2]', '1:1: a route file is a map of keys; begin with "version: 1", and write services and routes'],
    [
      'version: 2\nfoo: 1',
      '1:10: version: this Sluice understands version 1, not 2; write version: 1, or use a newer Sluice',
    ],
    ['version: "1"\nroutes: []', '1:10: version: must be a number, and "1" is text; remove the quotes: 1'],
    ['services: {}\nroutes: []', '1:1: version: is missing; write version: 1 on the first line'],
    [
      'routes:\n- match: {path: /}\n  service: x\nservices: {x: {static: []}}',
      '1:1: version: is missing; write version: 1 on the first line',
    ],
    [
      'version: 1',
      '1:1: routes: is missing; write routes: and below it one item for each route: "- {match: {prefix: /}, service: codec}"',
    ],
    [
      'version: 1\nroutes:',
      '2:8: routes: has no value; write routes: and below it one item for each route: "- {match: {prefix: /}, service: codec}"',
    ],
    [
      'version: 1\nroutes: {}',
      '2:9: routes: must be a list of routes, not a map of keys; write routes: and below it one item for each route: "- {match: {prefix: /}, service: codec}"',
    ],
    ['version: 1\nport: 80\nroutes: []', '2:1: port: unknown key "port"; write listen: {port: ...}'],
  ])('explains %j', (text, ...lines) => {
    expect(told(text)).toEqual(lines);
  });

  it('takes a file without routes, and says what it means', () => {
    expect(told('version: 1\nroutes: []')).toEqual([
      '2:9: warning: routes: there are no routes: every request is answered with 404; add one',
    ]);
    expect(parsed('version: 1\nroutes: []').routing).toEqual({
      listeners: [{ name: 'public', address: '0.0.0.0', port: 8080 }],
      services: [],
      routes: [],
    });
  });

  it('never throws, whatever bytes are changed', () => {
    const names = ['version1.yaml', 'lbagent.yaml', 'broken.yaml'];
    const snippets = [
      '{',
      '}',
      '[',
      ']',
      ':',
      '- ',
      '\n',
      '\t',
      '"',
      "'",
      '&a ',
      '*a',
      `\${X}`,
      '!!x ',
      '|',
      '\0',
      '<<: ',
      '%',
      '---\n',
    ];
    const edit = fc.record({
      at: fc.nat(),
      remove: fc.nat(12),
      insert: fc.oneof(fc.constantFrom(...snippets), fc.string({ unit: 'binary', maxLength: 3 })),
    });
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(edit, { minLength: 1, maxLength: 6 }), (name, edits) => {
        const text = edits.reduce((before, { at, remove, insert }) => {
          const start = at % (before.length + 1);
          return before.slice(0, start) + insert + before.slice(start + remove);
        }, file(name));
        const result = parseRouteFile(text, options);
        const problems = result.ok ? result.value.warnings : result.errors;
        const lines = text.split('\n').length;
        for (const { position } of problems) {
          expect(position?.line).toBeGreaterThanOrEqual(1);
          expect(position?.line).toBeLessThanOrEqual(lines + 1);
          expect(position?.column).toBeGreaterThanOrEqual(1);
        }
        expect(problems.some(({ severity }) => severity === 'error')).toBe(!result.ok);
        expect(parseRouteFile(text, options)).toEqual(result);
      }),
      { numRuns: 500 },
    );
  });
});
