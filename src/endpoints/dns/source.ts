import type { Clock } from '../../base/clock.ts';
import { type Locator, locatorKey } from '../../model/locator.ts';
import { normalizePods, type Pod } from '../../model/pod.ts';
import type { CountSourceEvent, SourceState } from '../../model/source.ts';
import type { PodSource } from '../pod-source.ts';
import { type FollowOptions, HostSource } from './host.ts';
import { createHostResolver, type HostResolver, type ResolveOptions } from './resolve.ts';

/** Everything about the DNS source that can be set. */
export interface DnsOptions extends FollowOptions, ResolveOptions {}

/** What holds when nothing is set. */
export const DNS_DEFAULTS: DnsOptions = {
  resolvConf: '/etc/resolv.conf',
  pollMs: 2000,
  confirm: 5,
  confirmMs: 500,
  timeoutMs: 2000,
  tries: 2,
};

/** What the source works with. */
export interface DnsSourceOptions extends Partial<DnsOptions> {
  readonly clock: Clock;
  /** Makes what asks about one host; the real DNS when left out. */
  readonly resolverFor?: (host: string) => HostResolver;
  readonly count?: CountSourceEvent;
}

interface Followed {
  readonly source: HostSource;
  readonly end: AbortController;
}

const PENDING: SourceState<readonly Pod[]> = { kind: 'pending', problems: [] };

/** Finds pods by the A and AAAA records of their host, such as a headless Kubernetes Service's. */
export class DnsSource implements PodSource {
  readonly name = 'dns';
  readonly #makeHost: (host: string) => HostSource;
  readonly #hosts = new Map<string, Followed>();
  readonly #pods = new Map<string, { readonly ips: readonly string[]; readonly pods: readonly Pod[] }>();
  #start: ((followed: Followed) => void) | undefined;

  constructor({ clock, resolverFor, count = () => {}, ...settings }: DnsSourceOptions) {
    const options: DnsOptions = { ...DNS_DEFAULTS, ...settings };
    const makeResolver = resolverFor ?? ((host) => createHostResolver(host, options));
    this.#makeHost = (host) => new HostSource(host, { ...options, resolver: makeResolver(host), clock, count });
  }

  want(locators: readonly Locator[]): void {
    const wanted = locators.filter((locator) => locator.kind === 'dns');
    const hosts = new Set(wanted.map(({ host }) => host.toLowerCase()));
    for (const [host, { end }] of this.#hosts) {
      if (hosts.has(host)) continue;
      end.abort();
      this.#hosts.delete(host);
    }
    for (const host of hosts) {
      if (this.#hosts.has(host)) continue;
      const followed = { source: this.#makeHost(host), end: new AbortController() };
      this.#hosts.set(host, followed);
      this.#start?.(followed);
    }
    const keys = new Set(wanted.map(locatorKey));
    for (const key of this.#pods.keys()) if (!keys.has(key)) this.#pods.delete(key);
  }

  pods(locator: Locator): SourceState<readonly Pod[]> {
    if (locator.kind !== 'dns') return PENDING;
    const state = this.#hosts.get(locator.host.toLowerCase())?.source.state();
    if (state === undefined || state.kind === 'pending') return state ?? PENDING;
    return { ...state, value: this.#podsAt(locator, state.value) };
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    const running = new Set<Promise<void>>();
    this.#start = ({ source, end }) => {
      const ended: Promise<void> = source
        .run(AbortSignal.any([signal, end.signal]), changed)
        .finally(() => running.delete(ended));
      running.add(ended);
    };
    for (const followed of this.#hosts.values()) this.#start(followed);
    await aborted(signal);
    this.#start = undefined;
    await Promise.all(running);
  }

  /** The same array as long as the addresses are the same. */
  #podsAt(locator: Extract<Locator, { kind: 'dns' }>, ips: readonly string[]): readonly Pod[] {
    const key = locatorKey(locator);
    const known = this.#pods.get(key);
    if (known?.ips === ips) return known.pods;
    const pods = normalizePods(ips.map((ip) => ({ ip, port: locator.port, state: 'ready' })));
    this.#pods.set(key, { ips, pods });
    return pods;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
