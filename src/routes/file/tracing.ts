import type { Tracing } from '../../model/tracing.ts';
import { collector } from './collector.ts';
import { map } from './map.ts';
import { text, whole } from './scalar.ts';
import { defaulted, type Got, need, type ReadOf, required } from './shape.ts';

/** `tracing` */
export const tracing = map(
  {
    otlp: required(collector, 'Host and port of a collector that takes spans, by OTLP over gRPC without TLS.'),
    sample: defaulted(
      whole({ min: 0, max: 100, example: '10' }),
      100,
      'Of a hundred requests without a `traceparent`, how many begin a trace. Whether those with one are kept is in it.',
    ),
    name: defaulted(
      text({ says: 'a name', example: 'sluice' }),
      'sluice',
      'What Sluice is called among the services of a trace.',
    ),
  },
  {
    example: '{otlp: otel-collector:4317, sample: 10}',
    elsewhere: {
      sampling: 'write sample',
      ratio: 'write sample: 0 to 100',
      service_name: 'write name',
      service: 'write name',
      endpoint: 'write otlp',
      zipkin: 'write otlp: spans go by OTLP only',
      jaeger: 'write otlp: Jaeger takes OTLP on port 4317',
    },
  },
);

/** As the model has it; checked before. */
export function toTracing(got: Got<ReadOf<typeof tracing>>): Tracing {
  const { otlp, sample, name } = need(got);
  return { otlp: need(otlp), sample: need(sample), name: need(name) };
}
