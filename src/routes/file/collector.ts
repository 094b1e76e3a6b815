import { formatHostPort, type HostPort } from '../../base/host-port.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { checkDnsHost, normalizeIp } from './address.ts';
import { type Complaint, quote } from './report.ts';
import { scalar } from './scalar.ts';

/** The usual port of OTLP over gRPC. */
const OTLP_PORT = 4317;
/** That of OTLP over HTTP, which is not spoken. */
const OTLP_HTTP_PORT = 4318;

/** Who takes OTLP over gRPC: a host name or IP address, and a port. */
export const collector = scalar<HostPort>(
  {
    says: 'a host and port',
    example: 'otel-collector:4317',
    schema: { type: 'string', pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$' },
    write: formatHostPort,
  },
  ({ text }) => checkCollector(text),
);

function checkCollector(text: string): Result<HostPort, Complaint> {
  const [, v6, name = '', digits] = /^(?:\[([^\]]*)\]|([^:/]*)):(\d+)$/.exec(text) ?? [];
  const port = Number(digits);
  const host = hostOf(v6 ?? name);
  const message = `not a host and port: ${quote(text)}`;
  if (host !== undefined && port >= 1 && port <= 65_535) {
    if (port !== OTLP_HTTP_PORT) return ok({ host, port });
    return fail({
      message: `port ${OTLP_HTTP_PORT} is that of OTLP over HTTP, and Envoy speaks gRPC to it`,
      fix: `write ${formatHostPort({ host, port: OTLP_PORT })}`,
    });
  }
  if (/^https:\/\//i.test(text)) {
    return fail({ message, fix: 'name a collector that takes gRPC without TLS, such as one beside Envoy' });
  }
  const [, bare = ''] = /^(?:http|grpc):\/\/([^/]+)/i.exec(text) ?? [];
  if (bare !== '' && checkCollector(bare).ok) return fail({ message, fix: `write ${bare}, the host and port alone` });
  const alone = hostOf(text.replace(/^\[(.*)\]$/, '$1'));
  if (alone !== undefined) return fail({ message, fix: `write ${formatHostPort({ host: alone, port: OTLP_PORT })}` });
  return fail({ message, fix: 'write one such as otel-collector:4317, 10.0.0.1:4317 or "[fd00::1]:4317"' });
}

function hostOf(text: string): string | undefined {
  const ip = normalizeIp(text);
  if (ip !== undefined) return ip;
  const name = checkDnsHost(text);
  return name.ok && /[a-z]/.test(name.value) ? name.value : undefined;
}
