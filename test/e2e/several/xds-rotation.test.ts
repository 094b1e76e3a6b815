import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { XDS_CLUSTER } from '../../../src/dataplane/contract.ts';
import { Certificates } from '../kit/certificates.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { runSluice } from '../kit/sluice-process.ts';
import { ControlPlane, clustersOf } from './control-plane.ts';
import { CODEC } from './routes.ts';

const patience = { timeout: 40_000, interval: 100 };
let certificates: Certificates;
const at = (name: string) => certificates.at(name);

beforeAll(async () => {
  certificates = await Certificates.make('old-ca', 'new-ca');
  for (const age of ['old', 'new']) {
    await certificates.sign(`${age}-server`, 'IP:127.0.0.2', `${age}-ca`);
    await certificates.sign(`${age}-envoy`, 'URI:spiffe://cluster.local/ns/edge/sa/envoy', `${age}-ca`);
  }
  await mkdir(at('envoy'));
});
afterAll(async () => certificates.remove());

/** Puts a file in another's place in one step, as Envoy notices it. */
async function moveIn(from: string, to: string): Promise<void> {
  await copyFile(at(from), at('moving'));
  await rename(at('moving'), at(to));
}

async function server(age: string): Promise<void> {
  await copyFile(at(`${age}-ca.crt`), at('client-ca.crt'));
  await copyFile(at(`${age}-server.crt`), at('server.crt'));
  await copyFile(at(`${age}-server.key`), at('server.key'));
}

/** How often Envoy has taken new files for its connection to the control plane. */
async function taken(envoy: TestEnvoy): Promise<number> {
  const name = `cluster.${XDS_CLUSTER}.client_ssl_socket_factory.ssl_context_update_by_sds`;
  const stats = await envoy.admin.stats({ filter: name });
  return stats.ok ? (stats.value.get(name) ?? 0) : 0;
}

test('Envoy takes a new certificate and a new authority without a restart', async () => {
  await server('old');
  for (const file of ['ca.crt', 'envoy.crt', 'envoy.key']) await copyFile(at(`old-${file}`), at(`envoy/${file}`));
  const files = ['--xds-cert', at('server.crt'), '--xds-key', at('server.key'), '--xds-client-ca', at('client-ca.crt')];
  const allow = ['--xds-allow', 'spiffe://cluster.local/ns/edge/*=edge-*'];
  const plane = await ControlPlane.start(CODEC, [...files, ...allow], '127.0.0.2');
  const secrets = at('secrets');
  const [certificate, key, ca] = [at('envoy/envoy.crt'), at('envoy/envoy.key'), at('envoy/ca.crt')];
  const pair = ['--xds-client-cert', certificate, '--xds-client-key', key];
  const printed = await runSluice(['bootstrap', '--xds-ca', ca, ...pair, '--xds-secrets', secrets]);
  expect([printed.code, printed.errors]).toEqual([0, '']);
  const envoy = await plane.envoy('edge-1', { tls: { ca, client: { certificate, key }, secrets } });
  await expect.poll(() => clustersOf(envoy), patience).toEqual(['codec']);

  // A key that does not belong to the certificate, and a file that is none, leave the good ones active.
  const before = await taken(envoy);
  await moveIn('new-envoy.key', 'envoy/envoy.key');
  await writeFile(at('garbage'), 'garbage');
  await moveIn('garbage', 'envoy/ca.crt');
  await plane.restart();
  await expect.poll(async () => (await plane.status()).nodes.map(({ id }) => id), patience).toEqual(['edge-1']);

  expect(await taken(envoy)).toBe(before);
  await moveIn('new-envoy.crt', 'envoy/envoy.crt');
  await moveIn('new-ca.crt', 'envoy/ca.crt');
  await expect.poll(() => taken(envoy), patience).toBeGreaterThan(before);
  // From now on nothing of the old authority is good for anything.
  await server('new');
  await plane.restart();
  await expect.poll(async () => (await plane.status()).nodes.map(({ id }) => id), patience).toEqual(['edge-1']);
  expect(await clustersOf(envoy)).toEqual(['codec']);
  await rm(secrets, { recursive: true });
}, 180_000);
