import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Certificates } from '../kit/certificates.ts';
import { runSluice } from '../kit/sluice-process.ts';
import { ControlPlane } from './control-plane.ts';
import { CODEC } from './routes.ts';

const patience = { timeout: 40_000, interval: 100 };
let certificates: Certificates;
const at = (name: string) => certificates.at(name);

beforeAll(async () => {
  certificates = await Certificates.make('ca');
  await certificates.sign('coordinator', 'DNS:sluice-1.example');
  await certificates.sign('follower', 'DNS:sluice-2.example');
  await certificates.sign('envoy', 'URI:spiffe://cluster.local/ns/edge/sa/envoy');
});
afterAll(async () => certificates.remove());

test('over mTLS a Sluice speaks for the Envoys that its certificate is good for, and for no others', async () => {
  const coordinator = await ControlPlane.start(CODEC, [
    ...['--xds-cert', at('coordinator.crt'), '--xds-key', at('coordinator.key'), '--xds-client-ca', at('ca.crt')],
    ...['--xds-allow', 'spiffe://cluster.local/ns/edge/*=first', '--xds-allow', 'sluice-2.example=second'],
  ]);
  const tls = { ca: at('ca.crt'), client: { certificate: at('envoy.crt'), key: at('envoy.key') } };
  await coordinator.envoy('first', { tls: { ...tls, serverName: 'sluice-1.example' } });
  const address = ['--coordinator', `127.0.0.1:${coordinator.xds.port}`, '--coordinator-ca', at('ca.crt')];
  const own = ['--coordinator-client-cert', at('follower.crt'), '--coordinator-client-key', at('follower.key')];
  const follower = await ControlPlane.start(CODEC, [...address, ...own, '--coordinator-sni', 'sluice-1.example']);
  await follower.envoy('second');
  await follower.envoy('third');
  const members = async () => ((await coordinator.status()).sharing?.members ?? []).map(({ node }) => node).sort();
  await expect.poll(members, patience).toEqual(['first', 'second']);
  await expect
    .poll(() => follower.problems(), patience)
    .toEqual([
      expect.stringMatching(/^Envoy third the coordinator 127\.0\.0\.1:\d+ does not share slots with it: .*third/),
    ]);
  // One that takes another name for the coordinator's does not get there, and neither does one without a certificate.
  const astray = await ControlPlane.start(CODEC, [...address, ...own]);
  const bare = await ControlPlane.start(CODEC, [...address, '--coordinator-sni', 'sluice-1.example']);
  for (const [plane, node] of [
    [astray, 'second-astray'],
    [bare, 'second-bare'],
  ] as const) {
    await plane.envoy(node);
    const away = async () => (await plane.status()).problems.map(({ message }) => message);
    await expect.poll(away, patience).toEqual([expect.stringMatching(/^does not answer since /)]);
  }
  expect(await members()).toEqual(['first', 'second']);
  // The coordinator tells of them as well, once each.
  const told = (pattern: RegExp) =>
    coordinator.process.log.filter(({ msg, fields }) => pattern.test(`${msg} ${fields['reason']}`));
  const bareCause =
    /^a connection of an Envoy or another Sluice is refused: it shows no certificate; write --xds-client-cert .* or --coordinator-client-cert/;
  expect(told(bareCause)).toHaveLength(1);
  expect(told(/^a stream is refused: --xds-allow .* sluice-2\.example may not speak for node "third"$/)).toHaveLength(
    1,
  );
  expect((await follower.status()).follows).toMatchObject({
    name: expect.stringContaining(`:${coordinator.xds.port}`),
  });
}, 120_000);

describe('options that make no sense end with 2 and say what to write', () => {
  const serve = ['serve', '--routes', 'routes.yaml'];
  const local = [...serve, '--coordinator', '127.0.0.1:1'];
  test.each([
    [[...serve, '--coordinator', '10.0.0.1:18000'], 'write --coordinator-ca (the authorities of its --xds-cert)'],
    [[...serve, '--coordinator-insecure'], 'write --coordinator ADDRESS as well'],
    [[...serve, '--coordinator-ca', 'ca.crt'], 'write --coordinator ADDRESS as well'],
    [[...local, '--filter', 'off'], 'leave one of them out'],
    [
      [...local, '--coordinator-client-cert', 'a.crt'],
      '--coordinator-client-cert and --coordinator-client-key go together',
    ],
    [[...local, '--coordinator-sni', 'a'], 'without --coordinator-ca'],
    [[...local, '--coordinator-ca', '/missing.crt'], '/missing.crt: cannot be read'],
    [[...local, '--coordinator-ca', 'package.json'], '--coordinator-ca package.json: holds nothing in PEM form'],
  ])('sluice %s', async (args, message) => {
    const { code, errors } = await runSluice(args);
    expect([code, errors]).toEqual([2, expect.stringContaining(message)]);
  });
});
