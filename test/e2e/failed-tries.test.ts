import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { snapshotOf } from '../../src/commands/render.ts';
import { REQUEST_LOG } from '../../src/dataplane/contract.ts';
import { envoyBootstrap } from '../../src/envoy/bootstrap.ts';
import { readRouteFile } from '../../src/routes/file/read.ts';
import { SnapshotCache } from '../../src/snapshot/cache.ts';
import { PUSH_ORDER } from '../../src/snapshot/resource.ts';
import { makeSnapshot } from '../../src/snapshot/snapshot.ts';
import { AccessLogs } from '../../src/telemetry/envoy/access-logs.ts';
import { XdsServer } from '../../src/xds/server/server.ts';
import { startEnvoy } from './kit/envoy.ts';
import { until } from './kit/instant.ts';
import { Pods } from './kit/pods.ts';
import { freePorts } from './kit/ports.ts';

/** What Sluice gives Envoy for two pods, and the services of the tries that Envoy says have failed. */
async function start() {
  const pods = await Pods.start({ count: 2, protocol: 'http1' });
  onTestFinished(() => pods.stop());
  const [port = 0, kickPort = 0] = await freePorts(2);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'routes.yaml');
  const services = { codec: { static: pods.addresses, limit: 1, outlier: { eject: '60s' } } };
  const routes = [{ match: { prefix: '/' }, service: 'codec' }];
  writeFileSync(file, JSON.stringify({ version: 1, listen: { address: '127.0.0.1', port }, services, routes }));
  const read = await readRouteFile(file, {});
  if (!read.ok) throw new Error('a bad route file');
  const { types } = snapshotOf(read.value.routing, kickPort);
  const cache = new SnapshotCache();
  cache.set(makeSnapshot(PUSH_ORDER.flatMap((type) => [...types[type].resources.values()])));
  const failed: string[] = [];
  const logs = new AccessLogs({
    onEntries: (entries, { logName }) => {
      if (logName === REQUEST_LOG.failures) failed.push(...entries.map(({ kind, service }) => `${kind} ${service}`));
    },
  });
  const server = new XdsServer({
    addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    cache,
    extraServices: [logs],
  });
  const bound = await server.start();
  const xds = bound.ok ? bound.value[0] : undefined;
  if (xds?.kind !== 'tcp') throw new Error('not bound');
  onTestFinished(() => server.stop());
  const admin = { host: '127.0.0.1', port: 0 };
  const envoy = await startEnvoy(envoyBootstrap({ nodeId: 'edge', nodeCluster: 'test', xds, admin }));
  onTestFinished(async () => void (await envoy.stop()));
  const send = (headers: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${port}/`, { headers, signal: signal ?? null }).then(
      ({ status }) => status,
      () => 0,
    );
  await until(async () => (await send()) === 200, { what: 'Envoy to answer', within: 30_000 });
  return { pods, send, failed };
}

test('each try at a pod that fails is told, whatever becomes of its request, and nothing else is', async () => {
  const { pods, send, failed } = await start();
  // Before it was in force Envoy had no pods to try.
  const leaving = new AbortController();
  const left = send({ 'x-work-ms': '600000' }, leaving.signal);
  await until(async () => (await pods.held()) === 1, { what: 'a request at work' });
  leaving.abort();
  expect(await left).toBe(0);
  expect(await send()).toBe(200);

  for (const pod of pods.addresses) await pods.setMode(pod, { kind: 'status', status: 500 });
  expect(await send()).toBe(500);
  await until(() => failed.length > 0, { what: 'the answer 500' });
  expect(failed).toEqual(['failed codec']);

  for (const pod of pods.addresses) await pods.setMode(pod, { kind: 'dead' });
  // Both are tried, and then it waits for one that is there.
  const waits = new AbortController();
  const waiting = send({}, waits.signal);
  await until(() => failed.length >= 3, { what: 'two connections that fail' });
  waits.abort();
  expect(await waiting).toBe(0);
  // Until the ejection is in force a pod may be tried once more.
  expect(new Set(failed)).toEqual(new Set(['failed codec']));
});
