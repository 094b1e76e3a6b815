import { describe, expect, it } from 'vitest';
import { parsed, said } from './kit.ts';

const withLog = (keys: string) =>
  `version: 1\naccess_log: ${keys}\nservices: {s: {static: []}}\nroutes: [{match: {prefix: /}, service: s}]\n`;

const logOf = (keys: string) => parsed(withLog(keys)).routing.accessLog;

const ALL = { requests: 'all', headers: [] };

describe('access_log', () => {
  it('is a file, a collector, or both', () => {
    expect(parsed('version: 1\nroutes: []\n').routing).not.toHaveProperty('accessLog');
    expect(logOf('{path: /dev/stdout}')).toEqual({ ...ALL, file: { path: '/dev/stdout', format: 'json' } });
    expect(logOf('{path: logs/access.log, format: text}')).toEqual({
      ...ALL,
      file: { path: '/etc/sluice/logs/access.log', format: 'text' },
    });
    expect(logOf('{otlp: otel-collector:4317}')).toEqual({
      ...ALL,
      otlp: { host: 'otel-collector', port: 4317 },
    });
    expect(logOf('{path: /a, otlp: "[fd00::1]:4317"}')).toEqual({
      ...ALL,
      file: { path: '/a', format: 'json' },
      otlp: { host: 'fd00::1', port: 4317 },
    });
  });

  it('may be of failed requests alone, and have headers', () => {
    expect(logOf('{path: /a, requests: failed, headers: [x-tenant, x-model]}')).toMatchObject({
      requests: 'failed',
      headers: ['x-tenant', 'x-model'],
    });
  });

  const noCollector = 'access_log.otlp: not a host and port:';
  it.each([
    ['{}', 'access_log: says not where to; write path: /dev/stdout, or otlp: 127.0.0.1:4317'],
    [
      'true',
      'access_log: must be a map of path, format, otlp, requests and headers, not "true"; write access_log: {path: /dev/stdout, format: json}',
    ],
    ['{file: /a}', 'access_log.file: unknown key "file"; write path'],
    ['{path: ""}', 'access_log.path: is empty; write /dev/stdout'],
    ['{path: /a, format: xml}', 'access_log.format: must be json or text, not "xml"; write one of them'],
    ['{path: /a, requests: some}', 'access_log.requests: must be all or failed, not "some"; write one of them'],
    [
      '{path: /a, headers: ["a%b"]}',
      'access_log.headers[0]: not the name of a header: "a%b"; write one such as x-tenant',
    ],
    [
      '{otlp: a:4317, format: json}',
      'access_log.format: is for a file, and there is no path; write path as well, or remove it',
    ],
    ['{otlp: otel-collector}', `${noCollector} "otel-collector"; write otel-collector:4317`],
    ['{otlp: "http://otel:4317"}', `${noCollector} "http://otel:4317"; write otel:4317, the host and port alone`],
    [
      '{otlp: "https://otel.example"}',
      `${noCollector} "https://otel.example"; name a collector that takes gRPC without TLS, such as one beside Envoy`,
    ],
    [
      '{otlp: otel:4318}',
      'access_log.otlp: port 4318 is that of OTLP over HTTP, and Envoy speaks gRPC to it; write otel:4317',
    ],
    ['{otlp: 10.0.0.1}', `${noCollector} "10.0.0.1"; write 10.0.0.1:4317`],
    [
      '{otlp: "otel:99999"}',
      `${noCollector} "otel:99999"; write one such as otel-collector:4317, 10.0.0.1:4317 or "[fd00::1]:4317"`,
    ],
  ])('%s', (keys, problem) => {
    expect(said(withLog(keys))).toEqual([problem]);
  });
});
