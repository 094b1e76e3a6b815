import { resolve } from 'node:path';
import type { HostPort } from '../../base/host-port.ts';
import { fail } from '../../base/result.ts';
import { type AccessLog, LOG_FORMATS, LOGGED_REQUESTS } from '../../model/access-log.ts';
import { values } from './collection.ts';
import { collector } from './collector.ts';
import { checkHeaderName } from './conditions.ts';
import { map } from './map.ts';
import { quote, type Report } from './report.ts';
import { oneOf, text } from './scalar.ts';
import { defaulted, type Got, need, optional, type ReadOf } from './shape.ts';
import { fileName } from './values.ts';

const headerName = text({ says: 'the name of a header', example: 'x-tenant', pattern: '^[^%]+$' }, (name) => {
  // A percent sign begins an operator of Envoy's.
  if (!name.includes('%')) return checkHeaderName(name);
  return fail({ message: `not the name of a header: ${quote(name)}`, fix: 'write one such as x-tenant' });
});

/** `access_log` */
export const accessLog = map(
  {
    path: optional(
      fileName('/dev/stdout'),
      "File that Envoy writes a line to for each request, on Envoy's machine; /dev/stdout for its output. A relative name starts from the route file's folder.",
      'no file',
    ),
    format: optional(
      oneOf(LOG_FORMATS, { plain: 'text', ndjson: 'json' }),
      'Form of a line in the file: json, or text for people.',
      'json',
    ),
    otlp: optional(
      collector,
      'Host and port of a collector that takes each request as a log record, by OTLP over gRPC without TLS.',
      'no collector',
    ),
    requests: defaulted(
      oneOf(LOGGED_REQUESTS, { failures: 'failed', errors: 'failed' }),
      'all',
      'all, or failed: without those that a pod answered with a status below 500 and those that a redirect answered.',
    ),
    headers: optional(
      values(headerName, { says: 'a list of header names', example: '[x-tenant]', same: String }),
      'Request headers whose values are written down too.',
      'none',
    ),
  },
  {
    example: '{path: /dev/stdout, format: json}',
    elsewhere: {
      file: 'write path',
      opentelemetry: 'write otlp',
      grpc: 'write otlp',
      fields: 'remove it: each line has all fields; headers adds request headers',
    },
  },
);

type ReadAccessLog = ReadOf<typeof accessLog>;

/** Reports a log that goes nowhere, or a form for no file. */
export function checkAccessLog(got: Got<ReadAccessLog>, report: Report): void {
  const read = got.value;
  if (read === undefined || read.path !== undefined) return;
  if (read.otlp === undefined) {
    report.error(got, { message: 'says not where to', fix: 'write path: /dev/stdout, or otlp: 127.0.0.1:4317' });
  } else if (read.format !== undefined) {
    report.error(read.format, {
      message: 'is for a file, and there is no path',
      fix: 'write path as well, or remove it',
    });
  }
}

/** As the model has it; checked before. */
export function toAccessLog(got: Got<ReadAccessLog>, baseDir: string): AccessLog {
  const { path, format, otlp, requests, headers } = need(got);
  const address: HostPort | undefined = otlp === undefined ? undefined : need(otlp);
  return {
    ...(path === undefined
      ? {}
      : { file: { path: resolve(baseDir, need(path)), format: format === undefined ? 'json' : need(format) } }),
    ...(address === undefined ? {} : { otlp: address }),
    requests: need(requests),
    headers: headers === undefined ? [] : need(headers),
  };
}
