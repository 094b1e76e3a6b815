import { describe, expect, it } from 'vitest';
import { lbagent, version1 } from '../../../../src/routes/file/keys.ts';
import { describeKeys } from '../../../../src/routes/file/reference.ts';
import { Report } from '../../../../src/routes/file/report.ts';
import type { Shape } from '../../../../src/routes/file/shape.ts';
import { readTree } from '../../../../src/routes/file/tree.ts';

const rows = [...describeKeys(version1), ...describeKeys(lbagent)];

/** Every shape of the table with the path of its key. */
function shapes(shape: Shape<unknown>, path: string): readonly (readonly [string, Shape<unknown>])[] {
  const fields = Object.entries(shape.fields ?? {}).flatMap(([key, field]) => shapes(field.shape, `${path}.${key}`));
  const items = shape.item === undefined ? [] : shapes(shape.item, `${path}[]`);
  return [[path, shape], ...fields, ...items];
}

describe('the table of keys', () => {
  it('is complete, and in an order to read', () => {
    expect(describeKeys(version1).map(({ path }) => path)).toMatchInlineSnapshot(`
      [
        "version",
        "listen",
        "listen.address",
        "listen.port",
        "listen.tls",
        "listen.tls.cert",
        "listen.tls.key",
        "listen.tls.more",
        "listen.tls.more[].cert",
        "listen.tls.more[].key",
        "listen.tls.redirect",
        "listen.tls.redirect.from",
        "listen.tls.redirect.to",
        "access_log",
        "access_log.path",
        "access_log.format",
        "access_log.otlp",
        "access_log.requests",
        "access_log.headers",
        "tracing",
        "tracing.otlp",
        "tracing.sample",
        "tracing.name",
        "header_bounds",
        "header_bounds.lines",
        "header_bounds.size",
        "services",
        "services.<name>.kubernetes",
        "services.<name>.kubernetes.namespace",
        "services.<name>.kubernetes.service",
        "services.<name>.kubernetes.port",
        "services.<name>.dns",
        "services.<name>.dns.host",
        "services.<name>.dns.port",
        "services.<name>.static",
        "services.<name>.limit",
        "services.<name>.pod_limits",
        "services.<name>.protocol",
        "services.<name>.tls",
        "services.<name>.tls.ca",
        "services.<name>.tls.name",
        "services.<name>.tls.verify",
        "services.<name>.balance",
        "services.<name>.max_requests",
        "services.<name>.cost",
        "services.<name>.cost.header",
        "services.<name>.cost.default",
        "services.<name>.queue",
        "services.<name>.queue.max",
        "services.<name>.queue.timeout",
        "services.<name>.queue.full_status",
        "services.<name>.queue.priority",
        "services.<name>.queue.priority.header",
        "services.<name>.queue.priority.classes",
        "services.<name>.queue.priority.default",
        "services.<name>.queue.priority.max_wait",
        "services.<name>.queue.fair",
        "services.<name>.queue.fair.header",
        "services.<name>.queue.fair.by",
        "services.<name>.queue.fair.metadata",
        "services.<name>.queue.fair.weights",
        "services.<name>.queue.fair.max_per_tenant",
        "services.<name>.queue.fair.slots_per_tenant",
        "services.<name>.queue.deadline",
        "services.<name>.queue.place",
        "services.<name>.queue.wait_for_body",
        "services.<name>.queue.slack",
        "services.<name>.async",
        "services.<name>.async.status",
        "services.<name>.async.id",
        "services.<name>.async.timeout",
        "services.<name>.async.poll",
        "services.<name>.idempotency",
        "services.<name>.idempotency.header",
        "services.<name>.idempotency.on_duplicate",
        "services.<name>.timeout",
        "services.<name>.timeout.request",
        "services.<name>.timeout.connect",
        "services.<name>.scale",
        "services.<name>.scale.down_after",
        "services.<name>.health",
        "services.<name>.health.path",
        "services.<name>.health.interval",
        "services.<name>.outlier",
        "services.<name>.outlier.consecutive_5xx",
        "services.<name>.outlier.eject",
        "routes",
        "routes[].match",
        "routes[].match.path",
        "routes[].match.prefix",
        "routes[].match.regex",
        "routes[].match.hosts",
        "routes[].match.methods",
        "routes[].match.headers",
        "routes[].match.query",
        "routes[].service",
        "routes[].redirect",
        "routes[].redirect.scheme",
        "routes[].redirect.host",
        "routes[].redirect.port",
        "routes[].redirect.path",
        "routes[].redirect.prefix",
        "routes[].redirect.status",
        "routes[].rewrite",
        "routes[].rewrite.prefix",
        "routes[].timeout",
        "routes[].timeout.request",
        "routes[].priority",
        "routes[].headers",
        "routes[].headers.request",
        "routes[].headers.request.set",
        "routes[].headers.request.add",
        "routes[].headers.request.remove",
        "routes[].headers.response",
        "routes[].headers.response.set",
        "routes[].headers.response.add",
        "routes[].headers.response.remove",
      ]
    `);
    expect(describeKeys(lbagent).map(({ path }) => path)).toMatchInlineSnapshot(`
      [
        "port",
        "log_file",
        "kube_config_file",
        "routes",
        "routes[].uri",
        "routes[].limit",
        "routes[].service_name",
        "routes[].namespace",
        "routes[].http_port",
      ]
    `);
  });

  it('describes every key in sentences', () => {
    for (const { path, description } of rows)
      expect([path, description]).toEqual([path, expect.stringMatching(/[.)_]$/)]);
  });

  it('says what stands when a key is left out', () => {
    const fallback = (wanted: string) => rows.find(({ path }) => path === wanted)?.fallback;
    expect(fallback('services.<name>.timeout.connect')).toEqual({ kind: 'value', text: '2s' });
    expect(fallback('services.<name>.queue.timeout')).toEqual({ kind: 'value', text: '0' });
    expect(fallback('services.<name>.max_requests')).toEqual({ kind: 'value', text: '1024' });
    expect(fallback('services.<name>.queue.max')).toEqual({ kind: 'words', text: '1000 with a limit, 1024 without' });
    expect(fallback('services.<name>.limit')?.kind).toBe('words');
    expect(fallback('routes')).toBeUndefined();
  });

  it.each([...shapes(version1, 'version1'), ...shapes(lbagent, 'lbagent')])(
    'has an example for %s that its own reader takes',
    (_, shape) => {
      const report = new Report('example');
      const tree = readTree(`key: ${shape.example}`, {}, report);
      const value = tree?.kind === 'map' ? tree.entries[0]?.value : undefined;
      if (value === undefined) throw new Error(`not YAML: ${shape.example}`);
      expect(shape.read(value, 'key', report)).toBeDefined();
      expect(report.problems).toEqual([]);
    },
  );
});
