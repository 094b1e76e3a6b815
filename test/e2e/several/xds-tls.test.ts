import { copyFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Certificates } from '../kit/certificates.ts';
import { runSluice } from '../kit/sluice-process.ts';
import { ControlPlane, clustersOf } from './control-plane.ts';
import { CODEC } from './routes.ts';

const patience = { timeout: 40_000, interval: 100 };
let certificates: Certificates;
const at = (name: string) => certificates.at(name);

beforeAll(async () => {
  certificates = await Certificates.make('ca');
  await certificates.sign('first', 'IP:127.0.0.1');
  await certificates.sign('second', 'IP:127.0.0.1');
  await certificates.sign('elsewhere', 'DNS:elsewhere.example');
  await certificates.sign('envoy', 'URI:spiffe://cluster.local/ns/edge/sa/envoy');
});
afterAll(async () => certificates.remove());

describe('mTLS between real Envoys and sluice serve', () => {
  test('serves the Envoys that are allowed, and takes a new certificate without a restart', async () => {
    await copyFile(at('first.crt'), at('server.crt'));
    await copyFile(at('first.key'), at('server.key'));
    const plane = await ControlPlane.start(CODEC, [
      ...['--xds-cert', at('server.crt'), '--xds-key', at('server.key'), '--xds-client-ca', at('ca.crt')],
      ...['--xds-allow', 'spiffe://cluster.local/ns/edge/*=edge-*'],
    ]);
    const tls = { ca: at('ca.crt'), client: { certificate: at('envoy.crt'), key: at('envoy.key') } };
    const envoy = await plane.envoy('edge-1', { tls });
    await expect.poll(() => clustersOf(envoy), patience).toEqual(['codec']);
    // One with another node id than its certificate is good for gets nothing, nor does one without a certificate.
    const [other, bare] = [await plane.envoy('other', { tls }), await plane.envoy('edge-2', { tls: { ca: tls.ca } })];
    await copyFile(at('second.crt'), at('server.crt'));
    await copyFile(at('second.key'), at('server.key'));
    await plane.process.logged('the rotation', ({ msg }) => msg.endsWith('has a new certificate'));
    await envoy.stop();
    const again = await plane.envoy('edge-1', { tls });
    await expect.poll(() => clustersOf(again), patience).toEqual(['codec']);
    expect(await clustersOf(other)).toEqual([]);
    expect(await clustersOf(bare)).toEqual([]);
    expect((await plane.status()).nodes.map(({ id }) => id)).toEqual(['edge-1']);
  }, 120_000);

  test('an Envoy refuses a control plane whose certificate has another name', async () => {
    const pair = ['--xds-cert', at('elsewhere.crt'), '--xds-key', at('elsewhere.key')];
    const plane = await ControlPlane.start(CODEC, pair);
    const wrong = await plane.envoy('wrong', { tls: { ca: at('ca.crt') } });
    const right = await plane.envoy('right', { tls: { ca: at('ca.crt'), serverName: 'elsewhere.example' } });
    await expect.poll(() => clustersOf(right), patience).toEqual(['codec']);
    expect(await clustersOf(wrong)).toEqual([]);
  }, 120_000);
});

describe('options that make no sense end with 2 and say what to write', () => {
  const serve = ['serve', '--routes', 'routes.yaml'];
  test.each([
    [[...serve, '--xds', '0.0.0.0:0'], '--xds-insecure'],
    [[...serve, '--xds', '[::]:0', '--xds-max-age', '1h'], '--xds-insecure'],
    [[...serve, '--xds-cert', 'a.crt'], '--xds-cert and --xds-key go together'],
    [[...serve, '--xds-client-ca', 'ca.crt'], '--xds-client-ca needs TLS'],
    [[...serve, '--xds-allow', 'a=b'], '--xds-allow goes by'],
    [[...serve, '--xds-allow', 'a'], 'Write one like spiffe://'],
    [[...serve, '--xds-max-age', '1s'], 'Write 10s or more'],
    [[...serve, '--xds-cert', '/missing.crt', '--xds-key', '/missing.key'], '/missing.crt: cannot be read'],
    [['bootstrap', '--xds-client-cert', 'a.crt'], '--xds-client-cert and --xds-client-key go together'],
    [['bootstrap', '--xds-sni', 'a'], 'without --xds-ca'],
    [['bootstrap', '--xds-secrets', 'a'], 'without --xds-ca'],
  ])('sluice %s', async (args, message) => {
    const { code, errors } = await runSluice(args);
    expect([code, errors]).toEqual([2, expect.stringContaining(message)]);
  });
});
