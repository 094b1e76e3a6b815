import { expect, test } from 'vitest';
import { envoyLevel, logLineParser } from '../../../../src/envoy/process/log-lines.ts';

test('reads the head of each line', () => {
  const parse = logLineParser();
  expect(parse('[info][upstream] cds: add 3 cluster(s), remove 0 cluster(s)')).toEqual({
    level: 'info',
    component: 'upstream',
    message: 'cds: add 3 cluster(s), remove 0 cluster(s)',
  });
  expect(parse('[warning][config] gRPC stream [1] closed').level).toBe('warn');
  expect(parse('[critical][main] [Tags: "x"] boom')).toEqual({
    level: 'fatal',
    component: 'main',
    message: '[Tags: "x"] boom',
  });
});

test('a line without a head belongs to the one before', () => {
  const parse = logLineParser();
  parse('[debug][http] request headers:');
  expect(parse("':path', '/'")).toEqual({ level: 'debug', component: 'http', message: "':path', '/'" });
  expect(parse('[2026] [x] no head')).toEqual({ level: 'debug', component: 'http', message: '[2026] [x] no head' });
});

test('what comes before the first head is an error', () => {
  expect(logLineParser()('PARSE ERROR: Argument: --foo')).toEqual({
    level: 'error',
    component: '',
    message: 'PARSE ERROR: Argument: --foo',
  });
});

test.each([
  ['trace', 'trace'],
  ['warn', 'warning'],
  ['fatal', 'critical'],
] as const)('%s is called %s by Envoy', (ours, envoys) => {
  expect(envoyLevel(ours)).toBe(envoys);
});
