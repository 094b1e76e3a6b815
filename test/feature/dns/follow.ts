import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { DnsSource, type DnsSourceOptions } from '../../../src/endpoints/dns/source.ts';
import type { Locator } from '../../../src/model/locator.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { SourceState } from '../../../src/model/source.ts';
import { DnsServer, type DnsServerOptions, DOMAIN, findDnsmasq } from './dns-server.ts';
import { FaultyRelay } from './faulty-relay.ts';

/** Where dnsmasq is; without it the tests are skipped. */
export const dnsmasq = findDnsmasq();

/** The tests' title; says so where they cannot run. */
export const title = (what: string) =>
  dnsmasq === undefined ? `${what}: SKIPPED, there is no dnsmasq (apt-get install dnsmasq-base)` : what;

/** The name that the tests follow. */
export const NAME = `codec.${DOMAIN}`;

/** The source's own rules, ten times faster. */
const FAST = { pollMs: 200, confirmMs: 50, timeoutMs: 300, tries: 2 };

const ending: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** Does `end` after the test, before what was begun earlier is ended. */
export function atEnd(end: () => Promise<void> | void): void {
  ending.push(end);
}

/** A DNS server for one test. */
export async function startServer(options: DnsServerOptions = {}): Promise<DnsServer> {
  const server = await DnsServer.start(dnsmasq ?? 'dnsmasq', options);
  atEnd(() => server.close());
  return server;
}

/** A relay in front of DNS servers for one test. */
export async function startRelay(...servers: readonly DnsServer[]): Promise<FaultyRelay> {
  const relay = await FaultyRelay.start(servers.map(({ address }) => address));
  atEnd(() => relay.close());
  return relay;
}

/** A source at work on one host. */
export interface Follower {
  state(): SourceState<readonly Pod[]>;
  /** Every state it had, as `ready 10.0.0.1 10.0.0.2`. */
  readonly seen: readonly string[];
  /** Waits until it is in this state. */
  becomes(text: string): Promise<void>;
}

/** Follows one host for one test. */
export function follow(options: Partial<DnsSourceOptions>, host = NAME): Follower {
  const source = new DnsSource({ ...FAST, ...options, clock: systemClock });
  const locator: Locator = { kind: 'dns', host, port: 80 };
  const seen: string[] = [];
  const shown = () => {
    const state = source.pods(locator);
    return state.kind === 'pending' ? 'pending' : [state.kind, ...state.value.map(({ ip }) => ip)].join(' ');
  };
  source.want([locator]);
  const end = new AbortController();
  const running = source.run(end.signal, () => seen.push(shown()));
  atEnd(async () => {
    end.abort();
    await running;
  });
  const becomes = async (text: string) => {
    await waitFor(() => shown() === text);
    expect(shown()).toBe(text);
  };
  return { state: () => source.pods(locator), seen, becomes };
}

/** Waits until `holds`, or for 20 s. */
export async function waitFor(holds: () => boolean): Promise<void> {
  const until = Date.now() + 20_000;
  while (!holds() && Date.now() < until) await sleep(10);
}
