import { afterEach, describe, expect, test } from 'vitest';
import { DnsServer, DOMAIN, findDnsmasq, type Hosts } from '../feature/dns/dns-server.ts';
import { pause, until } from './kit/instant.ts';
import { keepBusy } from './kit/keep-busy.ts';
import { Pods } from './kit/pods.ts';
import { freePort } from './kit/ports.ts';
import { Sluice } from './kit/sluice.ts';
import { overLimit } from './kit/verdict.ts';

const dnsmasq = findDnsmasq();
const title =
  dnsmasq === undefined
    ? 'pods found by DNS: SKIPPED, there is no dnsmasq (apt-get install dnsmasq-base)'
    : 'pods found by DNS';
const NAME = `codec.${DOMAIN}`;

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

describe.skipIf(dnsmasq === undefined)(title, { timeout: 180_000 }, () => {
  test('2 → 4 → 1 → 0 → 3 pods under load, with a DNS server that fails in between', async () => {
    const pods = await Pods.start({ count: 4, first: 41, port: await freePort('127.0.1.41') });
    ending.push(() => pods.stop());
    const ips = pods.addresses.map((address) => address.split(':')[0] ?? '');
    const port = Number(pods.addresses[0]?.split(':')[1]);
    const hosts = (from: number, to: number): Hosts => (to > from ? { [NAME]: ips.slice(from, to) } : {});
    const server = await DnsServer.start(dnsmasq ?? 'dnsmasq', { hosts: hosts(0, 2) });
    ending.push(() => server.close());
    const services = { codec: { dns: { host: NAME, port }, limit: 1, queue: { max: 100 } } };
    const routes = { services, routes: [{ match: { prefix: '/' }, service: 'codec' }] };
    const sluice = await Sluice.start({ routes, env: { SLUICE_DNS_SERVER: server.address } });
    ending.push(() => sluice.stop());
    const load = keepBusy({ port: sluice.port, clients: 12 });

    /** Waits until exactly these pods get new requests. */
    const served = (from: number, to: number) =>
      until(
        async () => {
          await pods.forget();
          await pause(400);
          const asked = new Set((await pods.requests()).map(({ pod }) => pod));
          return asked.size === to - from && pods.addresses.slice(from, to).every((pod) => asked.has(pod));
        },
        { what: `pods ${from} to ${to} of ${ips.length} to be the ones that work`, within: 30_000 },
      );
    const neverOver = async () => expect(overLimit(await pods.requests(), 1).unexcused).toBe(0);

    for (const [from, to] of [
      [0, 2],
      [0, 4],
      [3, 4],
    ] as const) {
      await server.set(hosts(from, to));
      await served(from, to);
      await neverOver();
    }

    // No DNS for a while: the last pod stays.
    await server.stop();
    await pause(5000);
    await served(3, 4);
    await server.write(hosts(0, 0));
    await server.restart();

    await served(0, 0);
    await server.set(hosts(1, 4));
    await served(1, 4);
    await neverOver();

    const results = await load.stop();
    expect(results.filter(({ status }) => status !== 200)).toEqual([]);
    expect(await pods.peak()).toBe(1);
    expect(results.length).toBeGreaterThan(100);
  });
});
