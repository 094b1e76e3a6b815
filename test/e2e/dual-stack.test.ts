import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startDemoPod } from '../../src/demo/pods.ts';
import { until } from './kit/instant.ts';
import { freePorts } from './kit/ports.ts';
import { SluiceProcess } from './kit/sluice-process.ts';

const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
const why = addresses.some(({ address }) => address === '::1') ? '' : ' (skipped: no IPv6 on this machine)';

test.skipIf(why !== '')(`listen.address "::" takes IPv4 and IPv6, and pods may be of either${why}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-dual-stack-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const pods = await Promise.all(
    ['127.0.0.1', '::1'].map((host) => startDemoPod({ name: host, host, port: 0, workMs: 300 })),
  );
  onTestFinished(async () => {
    await Promise.all(pods.map((pod) => pod.stop(0)));
  });
  const [port = 0, admin = 0] = await freePorts(2);
  const [v4, v6] = pods.map((pod) => pod.port);
  const routes = join(folder, 'routes.yaml');
  writeFileSync(
    routes,
    `version: 1
listen: {address: "::", port: ${port}}
services: {both: {static: ["127.0.0.1:${v4}", "[::1]:${v6}"], limit: 1}}
routes: [{match: {prefix: /}, service: both}]
`,
  );
  const args = ['run', '--routes', routes, '--envoy-admin-port', '0', '--admin', `127.0.0.1:${admin}`];
  const sluice = new SluiceProcess([...args, '--state-dir', join(folder, 'state')]);
  onTestFinished(async () => {
    await sluice.end();
  });
  await sluice.logged('Envoy to take requests', ({ msg }) => msg === 'Envoy takes requests');
  const ask = (host: string) => fetch(`http://${host}:${port}/`).then((answer) => answer.text());
  await until(() => ask('127.0.0.1').catch(() => undefined), { what: 'an answer' });
  // Two at once: each pod has room for one.
  const answers = await Promise.all([ask('127.0.0.1'), ask('[::1]')]);
  expect(answers.map((text) => text.replace(/: my .*\n/, '')).sort()).toEqual(['127.0.0.1', '::1']);
});
