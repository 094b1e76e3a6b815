import { describe, expect, it } from 'vitest';
import { parsed, said } from './kit.ts';

const withTracing = (keys: string) =>
  `version: 1\ntracing: ${keys}\nservices: {s: {static: []}}\nroutes: [{match: {prefix: /}, service: s}]\n`;

describe('tracing', () => {
  it('needs a collector', () => {
    expect(parsed(withTracing('{otlp: otel:4317}')).routing.tracing).toEqual({
      otlp: { host: 'otel', port: 4317 },
      sample: 100,
      name: 'sluice',
    });
    expect(parsed(withTracing('{otlp: 10.0.0.1:4317, sample: 5, name: edge}')).routing.tracing).toEqual({
      otlp: { host: '10.0.0.1', port: 4317 },
      sample: 5,
      name: 'edge',
    });
  });

  it.each([
    ['{}', 'tracing.otlp: is missing; write otlp: otel-collector:4317'],
    [
      '{otlp: a:4317, sample: 0.1}',
      'tracing.sample: must be a whole number from 0 to 100, not a fraction such as 0.1; write 0',
    ],
    [
      '{otlp: a:4317, sample: 200}',
      'tracing.sample: must be a whole number from 0 to 100, not 200; write one such as 10',
    ],
    ['{zipkin: a:9411, otlp: a:4317}', 'tracing.zipkin: unknown key "zipkin"; write otlp: spans go by OTLP only'],
  ])('%s', (keys, problem) => {
    expect(said(withTracing(keys))).toEqual([problem]);
  });
});
