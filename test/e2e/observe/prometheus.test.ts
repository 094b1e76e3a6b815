import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { until } from '../kit/instant.ts';
import { freePorts } from '../kit/ports.ts';
import { HeldPod, SluiceRun } from './sluice-run.ts';

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;
const skipped = hasPrometheus ? '' : ' (skipped: there is no prometheus; Debian has it in the package prometheus)';
const ROUTES = [{ match: { prefix: '/' }, service: 'codec' }];
const OBSERVABILITY = new URL('../../../k8s/observability/', import.meta.url);

const answerSchema = z.object({
  data: z.object({
    result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
  }),
});

/** A Prometheus that scrapes Sluice every second, with Sluice's own alerts, until the test ends. */
async function startPrometheus(run: SluiceRun): Promise<(query: string) => Promise<number | undefined>> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'alerts.yaml'), await readFile(new URL('alerts.yaml', OBSERVABILITY)));
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['alerts.yaml'],
    scrape_configs: [
      { job_name: 'sluice', honor_labels: true, static_configs: [{ targets: [new URL(run.admin).host] }] },
    ],
  };
  await writeFile(join(folder, 'prometheus.yaml'), JSON.stringify(config));
  const [port = 0] = await freePorts(1);
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
  });
  return async (query) => {
    const url = `http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query })}`;
    const response = await fetch(url).catch(() => undefined);
    if (!response?.ok) return undefined;
    const [first] = answerSchema.parse(await response.json()).data.result;
    return first === undefined ? undefined : Number(first.value[1]);
  };
}

async function untilIs(ask: () => Promise<number | undefined>, wanted: number, what: string): Promise<void> {
  let last: number | undefined;
  const look = async () => {
    last = await ask();
    return last === wanted;
  };
  await until(look, { what, within: 30_000, every: 200 }).catch((error: Error) => {
    throw new Error(`${error.message}; last: ${last}`);
  });
}

describe.skipIf(!hasPrometheus)(`a real Prometheus${skipped}`, () => {
  test("one request that waits without pods wants one: by the scaler's own query", async () => {
    const { spec } = parse(await readFile(new URL('keda-scaled-object.yaml', OBSERVABILITY), 'utf8'));
    const { query, threshold, activationThreshold } = spec.triggers[0].metadata;
    expect(spec.minReplicaCount).toBe(0);
    const run = await SluiceRun.start({ codec: { static: [], limit: 2 } }, ROUTES);
    const prometheus = await startPrometheus(run);
    await untilIs(() => prometheus(query), 0, 'nobody to be wanted');
    const leaving = new AbortController();
    const sent = [1, 2, 3].map(() => run.send('/', leaving.signal));
    await untilIs(() => prometheus(query), 2, 'two pods for three requests');
    // More than this starts the first pod; so many are wanted of each.
    expect(2).toBeGreaterThan(Number(activationThreshold));
    expect(Number(threshold)).toBe(1);
    await untilIs(() => prometheus('sum(sluice_requests_waiting{service="codec"})'), 3, 'all three to wait');
    expect(await prometheus('max(sluice_oldest_wait_seconds)')).toBeGreaterThan(0);
    await untilIs(() => prometheus('count(ALERTS{alertname="SluiceNobodyWorks"})'), 1, 'the alert to be on its way');
    leaving.abort();
    expect(await Promise.all(sent)).toEqual([0, 0, 0]);
    await untilIs(() => prometheus(query), 0, 'nobody to be wanted again');
  });

  test('quantiles: what Prometheus reckons is what sluice status says', async () => {
    const pod = await HeldPod.start();
    pod.open();
    const run = await SluiceRun.start({ codec: { static: [pod.address], limit: 1 } }, ROUTES);
    const prometheus = await startPrometheus(run);
    await untilIs(() => prometheus('up'), 1, 'the first scrape');
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 40 }, () => run.send()));
    await untilIs(() => prometheus('sluice_wait_seconds_count'), 400, 'all of them');
    const { p50 = 0, p99 = 0 } = (await run.service()).traffic?.lastMinute.waitMs ?? {};
    expect(await prometheus('sluice_wait_last_minute_seconds{quantile="0.5"}')).toBeCloseTo(p50 / 1000, 6);
    expect(await prometheus('sluice_wait_last_minute_seconds{quantile="0.99"}')).toBeCloseTo(p99 / 1000, 6);
    // Of the histogram it has every second bucket: never more than one of those apart.
    for (const [share, ms] of [
      [0.5, p50],
      [0.99, p99],
    ] as const) {
      const seconds = (await prometheus(`histogram_quantile(${share}, sluice_wait_seconds_bucket)`)) ?? 0;
      expect(seconds / (ms / 1000)).toBeGreaterThan(0.4);
      expect(seconds / (ms / 1000)).toBeLessThan(2.5);
    }
  });
});
