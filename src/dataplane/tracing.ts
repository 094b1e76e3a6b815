import { envoy } from '#xds';
import type { Tracing } from '../model/tracing.ts';
import { collectorService } from './collector.ts';
import type { ConnectionManager } from './connection-manager.ts';
import { extension, wrap } from './encode.ts';

const { OpenTelemetryConfig } = envoy.config.trace.v3;
const { UuidRequestIdConfig } = envoy.extensions.request_id.uuid.v3;
const { ParentBasedSamplerConfig, TraceIdRatioBasedSamplerConfig } = envoy.extensions.tracers.opentelemetry.samplers.v3;

/** What has a connection manager trace its requests. The wait is a span of its own, which the queue filter writes. */
export function tracedRequests(tracing: Tracing | undefined): ConnectionManager {
  if (tracing === undefined) return {};
  return {
    tracing: {
      provider: extension('envoy.tracers.opentelemetry', OpenTelemetryConfig, {
        grpcService: collectorService(tracing.otlp),
        serviceName: tracing.name,
        sampler: sampler(tracing.sample),
      }),
    },
    // By default whether a request is traced is noted in its name, which has to be a UUID then: a client's is not touched.
    requestIdExtension: {
      typedConfig: extension('envoy.request_id.uuid', UuidRequestIdConfig, {
        packTraceReason: wrap(false),
        useRequestIdForTraceSampling: wrap(false),
      }).typedConfig,
    },
  };
}

/** As the client's trace has it; of new ones so many in a hundred. */
function sampler(percent: number) {
  return extension('envoy.tracers.opentelemetry.samplers.parent_based', ParentBasedSamplerConfig, {
    wrappedSampler: extension(
      'envoy.tracers.opentelemetry.samplers.trace_id_ratio_based',
      TraceIdRatioBasedSamplerConfig,
      { samplingPercentage: { numerator: percent } },
    ),
  });
}
