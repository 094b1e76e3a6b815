import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { describeStatus } from '../../../src/status/describe.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import { busyTelemetry, exampleInput } from '../status/example.ts';
import { K8S } from './kustomize.ts';

const FOLDER = join(K8S, 'observability');
const text = (file: string) => readFileSync(join(FOLDER, file), 'utf8');

const panelSchema = z.object({
  id: z.number(),
  type: z.string(),
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(z.object({ expr: z.string() })).default([]),
});
const dashboardSchema = z.object({ title: z.string(), panels: z.array(panelSchema) });

/** What Sluice tells Prometheus, histograms' series included. */
async function seriesNames(): Promise<ReadonlySet<string>> {
  const exposition = await new Metrics({ version: '1', telemetry: busyTelemetry() }).text(
    describeStatus(exampleInput({ telemetry: busyTelemetry() })),
  );
  return new Set(
    [...exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => `${name}${end}`) : [name],
    ),
  );
}

test.each(['grafana-dashboard.json', 'alerts.yaml', 'alerts-test.yaml', 'keda-scaled-object.yaml', 'hpa.yaml'])(
  'every metric in %s is one that Sluice has',
  async (file) => {
    const known = await seriesNames();
    const used = [...text(file).matchAll(/\bsluice_\w+/g)].map(([name]) => name);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((name) => !known.has(name))).toEqual([]);
  },
);

test('the operator gets the same rules', () => {
  expect(parse(text('prometheus-rule.yaml')).spec).toEqual(parse(text('alerts.yaml')));
});

test('each alert is tried', () => {
  const names = [...text('alerts.yaml').matchAll(/alert: (\w+)/g)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThanOrEqual(8);
  // Once for silence, once for the alarm.
  for (const name of names) expect(text('alerts-test.yaml').split(name).length, name).toBeGreaterThan(2);
});

test('the dashboard: panels of its own ids that do not overlap, each with something to show', () => {
  const { title, panels } = dashboardSchema.parse(JSON.parse(text('grafana-dashboard.json')));
  expect(title).toBe('Sluice');
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { type, title: name, targets } of panels) expect(type === 'row' || targets.length > 0, name).toBe(true);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(cells.every((cell) => Number(cell.split(',')[0]) < 24)).toBe(true);
});

const promtool = spawnSync('promtool', ['--version']).status === 0;
const skipped = promtool ? '' : ' (skipped: there is no promtool; Debian has it in the package prometheus)';

describe.skipIf(!promtool)(`promtool${skipped}`, () => {
  test('the alerts do what they say', () => {
    const output = execFileSync('promtool', ['test', 'rules', 'alerts-test.yaml'], { cwd: FOLDER, encoding: 'utf8' });
    expect(output).toContain('SUCCESS');
  });

  test('Prometheus can read how it finds Sluice', () => {
    const { scrape_configs: jobs } = parse(text('scrape-config.yaml'));
    expect(jobs).toMatchObject([{ honor_labels: true, kubernetes_sd_configs: [{ role: 'pod' }] }]);
    // Debian's promtool is built without Kubernetes.
    const known = jobs.map(({ kubernetes_sd_configs: _, ...job }: Record<string, unknown>) => job);
    const folder = mkdtempSync(join(tmpdir(), 'sluice-scrape-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'prometheus.yaml'), JSON.stringify({ scrape_configs: known }));
    const args = ['check', 'config', '--syntax-only', 'prometheus.yaml'];
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8' });
    expect([status, stdout, stderr]).toEqual([0, expect.stringContaining('SUCCESS'), '']);
  });

  test('the metrics are named as they should be', async () => {
    const input = await new Metrics({ version: '1', telemetry: busyTelemetry() }).text(
      describeStatus(exampleInput({ telemetry: busyTelemetry() })),
    );
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  });

  test('every query of the dashboard can be read', () => {
    const { panels } = dashboardSchema.parse(JSON.parse(text('grafana-dashboard.json')));
    const rules = panels
      .flatMap(({ targets }) => targets)
      .map(({ expr }, index) => ({
        record: `query_${index}`,
        expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$service', '.*'),
      }));
    expect(rules.length).toBeGreaterThan(20);
    const folder = mkdtempSync(join(tmpdir(), 'sluice-rules-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'rules.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { status, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });
});
