import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { rawMethod } from '../../../src/base/raw-method.ts';
import { until } from './instant.ts';

/** What is read here of the OpenTelemetry protocol: names and numbers are its own. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Value {
    oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; }
  }
  message KeyValue { string key = 1; Value value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message LogRecord {
    fixed64 time_unix_nano = 1; Value body = 5; repeated KeyValue attributes = 6; bytes trace_id = 9; bytes span_id = 10;
  }
  message ScopeLogs { repeated LogRecord log_records = 2; }
  message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
  message Logs { repeated ResourceLogs resource_logs = 1; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  }
  message ScopeSpans { repeated Span spans = 2; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Traces { repeated ResourceSpans resource_spans = 1; }
`);

const attributes = z
  .array(
    z.object({
      key: z.string(),
      value: z.object({
        stringValue: z.string().optional(),
        boolValue: z.boolean().optional(),
        intValue: z.string().optional(),
        doubleValue: z.number().optional(),
      }),
    }),
  )
  .default([])
  .transform((all) =>
    Object.fromEntries(
      all.map(({ key, value }) => [
        key,
        value.stringValue ?? value.boolValue ?? value.doubleValue ?? (value.intValue && Number(value.intValue)),
      ]),
    ),
  );
const resource = z.object({ attributes }).default({ attributes: {} });
const bytes = z.string().default('');

const logs = z.object({
  resourceLogs: z.array(
    z.object({
      resource,
      scopeLogs: z.array(
        z.object({
          logRecords: z.array(z.object({ body: z.object({ stringValue: z.string() }), attributes, traceId: bytes })),
        }),
      ),
    }),
  ),
});

const traces = z.object({
  resourceSpans: z.array(
    z.object({
      resource,
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: bytes,
              spanId: bytes,
              parentSpanId: bytes,
              name: z.string(),
              kind: z.number().default(0),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes,
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A log record, with the attributes of its resource beside its own. */
export type CollectedLog = z.infer<typeof logs>['resourceLogs'][number]['scopeLogs'][number]['logRecords'][number] & {
  readonly resource: Readonly<Record<string, unknown>>;
};

/** A span; ids are hexadecimal. */
export type CollectedSpan = z.infer<typeof traces>['resourceSpans'][number]['scopeSpans'][number]['spans'][number] & {
  readonly resource: Readonly<Record<string, unknown>>;
};

type Call = ServerUnaryCall<Buffer, Buffer>;

/** Takes OTLP over gRPC, as an OpenTelemetry collector does. */
export class Collector {
  readonly logs: CollectedLog[] = [];
  readonly spans: CollectedSpan[] = [];
  address = '';

  /** Starts one that ends with the test that runs now. */
  static async start(): Promise<Collector> {
    const collector = new Collector();
    const server = new Server();
    server.addService(
      {
        logs: rawMethod('/opentelemetry.proto.collector.logs.v1.LogsService/Export', 'neither'),
        traces: rawMethod('/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'neither'),
      },
      {
        logs: (call: Call, reply: sendUnaryData<Buffer>) => {
          for (const { resource, scopeLogs } of logs.parse(decode('Logs', call.request)).resourceLogs) {
            const records = scopeLogs.flatMap(({ logRecords }) => logRecords);
            collector.logs.push(...records.map((one) => ({ ...one, resource: resource.attributes })));
          }
          reply(null, Buffer.alloc(0));
        },
        traces: (call: Call, reply: sendUnaryData<Buffer>) => {
          for (const { resource, scopeSpans } of traces.parse(decode('Traces', call.request)).resourceSpans) {
            const spans = scopeSpans.flatMap((scope) => scope.spans);
            collector.spans.push(
              ...spans.map((one) => ({
                ...one,
                traceId: hex(one.traceId),
                spanId: hex(one.spanId),
                parentSpanId: hex(one.parentSpanId),
                resource: resource.attributes,
              })),
            );
          }
          reply(null, Buffer.alloc(0));
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    onTestFinished(() => server.forceShutdown());
    collector.address = `127.0.0.1:${port}`;
    return collector;
  }

  /** Waits for a log record that passes. */
  log(what: string, passes: (log: CollectedLog) => boolean): Promise<CollectedLog> {
    return until(() => this.logs.find(passes), { what, within: 20_000 });
  }

  /** Waits for a span that passes. */
  span(what: string, passes: (span: CollectedSpan) => boolean): Promise<CollectedSpan> {
    return until(() => this.spans.find(passes), { what, within: 20_000 }).catch((error: Error) => {
      throw new Error(`${error.message}; there are ${JSON.stringify(this.spans, undefined, 1)}`);
    });
  }
}

function decode(type: string, message: Buffer): object {
  const found = root.lookupType(type);
  return found.toObject(found.decode(message), { longs: String, bytes: String });
}

function hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
