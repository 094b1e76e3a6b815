import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type EnvoyBootstrap, envoyBootstrap } from '../../../src/envoy/bootstrap.ts';
import { DnsServer, DOMAIN, findDnsmasq } from '../../feature/dns/dns-server.ts';
import { startEnvoy } from '../kit/envoy.ts';
import { until } from '../kit/instant.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { freePorts } from '../kit/ports.ts';
import { routeFileText } from '../kit/sluice.ts';
import { SluiceProcess } from '../kit/sluice-process.ts';
import { clustersOf } from './control-plane.ts';

const dnsmasq = findDnsmasq();
const NAME = `codec.${DOMAIN}`;

/** The same Envoy, but one that has its whole configuration sent with each change. */
function stateOfTheWorld(bootstrap: EnvoyBootstrap): EnvoyBootstrap {
  const text = JSON.stringify(bootstrap);
  expect(text).toContain('DELTA_GRPC');
  return JSON.parse(text.replace('DELTA_GRPC', 'GRPC'));
}

async function answer(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5000) });
  return `${response.status} ${await response.text()}`;
}

test.skipIf(dnsmasq === undefined)(
  'an Envoy by state of the world keeps what it has when Sluice is back and knows no pods, and gets what is known then',
  async () => {
    const pod = createServer((_, response) => void response.end('pod'));
    await listenUntilTestEnds(pod);
    // It listens by then.
    const { port: podPort } = pod.address() as AddressInfo;
    const dns = await DnsServer.start(dnsmasq ?? 'dnsmasq', { hosts: { [NAME]: ['127.0.0.1'] } });
    onTestFinished(() => dns.close());
    const folder = await mkdtemp(join(tmpdir(), 'sluice-sotw-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const [traffic = 0, xds = 0] = await freePorts(2);
    const file = join(folder, 'routes.yaml');
    const write = (...more: readonly string[]) => {
      const others = more.map((name, at) => [name, { static: [`127.0.1.${at + 1}:9`], limit: 1 }]);
      const services = { codec: { dns: { host: NAME, port: podPort }, limit: 1 }, ...Object.fromEntries(others) };
      const routes = [
        ...more.map((name) => ({ match: { prefix: `/${name}` }, service: name })),
        { match: { prefix: '/' }, service: 'codec' },
      ];
      return writeFile(file, routeFileText({ services, routes }, traffic));
    };
    await write();
    const args = ['serve', '--routes', file, '--xds', `127.0.0.1:${xds}`, '--admin', '127.0.0.1:0'];
    const start = () => new SluiceProcess([...args, '--log-level', 'debug'], { SLUICE_DNS_SERVER: dns.address });
    let sluice = start();
    onTestFinished(async () => void (await sluice.end()));
    const envoy = await startEnvoy(
      stateOfTheWorld(
        envoyBootstrap({
          nodeId: 'sotw',
          nodeCluster: 'test',
          xds: { kind: 'tcp', host: '127.0.0.1', port: xds },
          admin: { host: '127.0.0.1', port: 0 },
        }),
      ),
    );
    onTestFinished(async () => void (await envoy.stop()));
    await until(async () => (await answer(traffic)) === '200 pod', { what: 'the first answer', within: 30_000 });

    await dns.stop();
    await sluice.end('SIGKILL');
    await write('other');
    sluice = start();
    await until(async () => (await clustersOf(envoy)).includes('other'), { what: 'the other service' });
    expect(await clustersOf(envoy)).toEqual(['codec', 'other']);
    expect(await answer(traffic)).toBe('200 pod');

    await dns.restart();
    await write('other', 'third');
    await until(async () => (await clustersOf(envoy)).includes('third'), { what: 'the third service' });
    expect([await clustersOf(envoy), await answer(traffic)]).toEqual([['codec', 'other', 'third'], '200 pod']);
  },
  120_000,
);
