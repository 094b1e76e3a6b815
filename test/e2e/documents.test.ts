import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { startDemoPod } from '../../src/demo/pods.ts';
import { envoyPath } from './kit/envoy.ts';
import { until } from './kit/instant.ts';
import { Sluice } from './kit/sluice.ts';

const read = (file: string) => readFileSync(join(import.meta.dirname, '../../docs', file), 'utf8');

test('docs/moving.md: Envoy takes the configuration that people move from', async () => {
  const config = /^```yaml\n(static_resources:.*?)^```/ms.exec(read('moving.md'))?.[1];
  if (config === undefined) throw new Error('there is no such example');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-documents-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'envoy.yaml');
  writeFileSync(file, config);
  const options = { encoding: 'utf8', timeout: 30_000 } as const;
  const { status, stderr } = spawnSync(await envoyPath(), ['--mode', 'validate', '-c', file], options);
  expect([status, stderr]).toEqual([0, expect.not.stringMatching(/\[(warning|error|critical)\]/)]);
});

test('docs/quick-start.md: of eight requests two begin, four wait, two are refused', async () => {
  const own = /^```yaml\n(version: 1\n.*?)^```/ms.exec(read('quick-start.md'))?.[1];
  if (own === undefined) throw new Error('there is no route file');
  const { services, routes } = parse(own);
  const pods = await Promise.all(
    [1, 2].map((each) => startDemoPod({ name: `pod ${each}`, host: '127.0.0.1', port: 0, workMs: 2000 })),
  );
  onTestFinished(async () => {
    await Promise.all(pods.map((pod) => pod.stop(0)));
  });
  services.codec.static = pods.map(({ port }) => `127.0.0.1:${port}`);
  const sluice = await Sluice.start({ routes: { services, routes } });
  onTestFinished(async () => {
    await sluice.stop();
  });
  const ask = async () => {
    const { status, headers } = await fetch(`http://127.0.0.1:${sluice.port}/codec`);
    return { status, waited: Number(/queue;dur=(\d+)/.exec(headers.get('server-timing') ?? '')?.[1]) };
  };
  const first = [ask(), ask()];
  const active = 'cluster.gate/codec.upstream_rq_active';
  await until(async () => (await sluice.stats(`^${active}$`)).get(active) === 2, { what: 'two to have their slots' });
  const rest = Array.from({ length: 6 }, ask);
  const answers = await Promise.all([...first, ...rest]);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(2);
  const served = answers.filter(({ status }) => status === 200);
  expect(served).toHaveLength(6);
  // The four that waited came while both pods worked.
  expect(served.filter(({ waited }) => waited > 100)).toHaveLength(4);
});
