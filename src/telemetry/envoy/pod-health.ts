import { type Clock, sleep } from '../../base/clock.ts';
import type { EnvoyAdmin, HostStatus } from '../../envoy/admin.ts';

/** By cluster the hosts that Envoy gives no request for the moment, because of how they answer or of health checks. */
export type OutHosts = ReadonlyMap<string, readonly HostStatus[]>;

/** What two of Envoy's gauges say about the pods of a service. */
export interface PodGauges {
  /** Pods that are ejected. */
  readonly ejected: number;
  /** Pods that get requests. */
  readonly healthy: number;
}

/** How the health of pods is followed. */
export interface PodHealthOptions {
  readonly admin: Pick<EnvoyAdmin, 'hosts'>;
  readonly clock: Clock;
  /** Called when what is out has changed; nothing is out while Envoy does not answer for long. */
  readonly onChange: (out: OutHosts) => void;
}

/** While something is out, or may just have come to be, its hosts are asked about this often. */
const WATCH_MS = 200;

/** After a hint Envoy is asked at once, but never more often than this. */
const SHORTEST_MS = 50;

/** Questions may take this share of the time: where an answer costs Envoy much, it is asked less often. */
const SHARE = 0.05;

/** After a try that has failed a pod is out by then, or not because of it. */
const SUSPECTED_MS = 600;

/** After this long without an answer nothing is known any more: no slots are kept back for ever. */
const FORGET_MS = 5000;

/**
 * Which pods Envoy has taken out. It tells of ejections in a file only, of health checks in a file or not at all, and
 * `/clusters` is 9 MB for 1,000 services of 10 pods. So nothing is asked before there is a hint: a try at a pod has
 * failed, or gauges have moved. Then, and for as long as something is out, the hosts of those services alone.
 */
export class PodHealth {
  readonly #options: PodHealthOptions;
  /** Services to be asked about, and up to when (monotonic) again and again. */
  readonly #suspected = new Map<string, number>();
  readonly #gauges = new Map<string, PodGauges>();
  #out: OutHosts = new Map();
  #hinted = false;
  #answeredAt: number;
  #wake = () => {};

  constructor(options: PodHealthOptions) {
    this.#options = options;
    this.#answeredAt = options.clock.monotonic();
  }

  /** Whether a pod of any service is out. */
  get isAnyOut(): boolean {
    return this.#out.size > 0;
  }

  /** A try at a pod of this service has failed: the pod may be out now, or in a moment. */
  suspect(service: string): void {
    this.#askAbout(service, this.#options.clock.monotonic() + SUSPECTED_MS);
  }

  /** Takes the gauges of all services: what nobody has given a hint of, shows here. */
  compare(gauges: ReadonlyMap<string, PodGauges>): void {
    for (const [service, { ejected, healthy }] of gauges) {
      const before = this.#gauges.get(service);
      // One that has moved may be a pod that came or went as well; the hosts tell.
      if (before?.healthy !== healthy || before.ejected !== ejected) this.#askAbout(service, 0);
    }
    this.#gauges.clear();
    for (const [service, both] of gauges) this.#gauges.set(service, both);
  }

  #askAbout(service: string, until: number): void {
    this.#suspected.set(service, Math.max(until, this.#suspected.get(service) ?? 0));
    this.#hinted = true;
    this.#wake();
  }

  /** Asks when there is something to ask, until `signal` is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const asked = clock.monotonic();
      this.#hinted = false;
      const services = this.#watched(asked);
      if (services.length === 0) {
        await this.#hint(undefined, signal);
        continue;
      }
      const found = await this.#ask(services, signal);
      if (signal.aborted) return;
      this.#take(found);
      const took = (clock.monotonic() - asked) / SHARE;
      await sleep(clock, Math.max(SHORTEST_MS, took), signal);
      await this.#hint(Math.max(0, asked + WATCH_MS - clock.monotonic()), signal);
    }
  }

  /** Services that something is out of, or may be. */
  #watched(now: number): readonly string[] {
    const services = new Set([...this.#suspected.keys(), ...[...this.#out.keys()].map(serviceOf)]);
    for (const [service, until] of this.#suspected) if (until <= now) this.#suspected.delete(service);
    return [...services];
  }

  /** Undefined: no answer. */
  async #ask(services: readonly string[], signal: AbortSignal): Promise<OutHosts | undefined> {
    const names = services.map((name) => name.replaceAll(/[^\w-]/g, '\\$&')).join('|');
    // All clusters of a service: `pods/codec@4f1c2d` is one of `codec`.
    const hosts = await this.#options.admin.hosts(`^pods/(${names})(@.*)?$`, signal);
    if (!hosts.ok) return undefined;
    const out = [...hosts.value].map(([cluster, all]) => [cluster, all.filter(({ isOut }) => isOut)] as const);
    return new Map(out.filter(([, all]) => all.length > 0));
  }

  #take(found: OutHosts | undefined): void {
    const now = this.#options.clock.monotonic();
    if (found !== undefined) this.#answeredAt = now;
    else if (now - this.#answeredAt <= FORGET_MS) return;
    const out: OutHosts = found ?? new Map();
    const changed = signature(out) !== signature(this.#out);
    this.#out = out;
    if (changed) this.#options.onChange(out);
  }

  /** Waits for a hint that came after the last question, for so many milliseconds at most. */
  async #hint(ms: number | undefined, signal: AbortSignal): Promise<void> {
    if (this.#hinted || signal.aborted || ms === 0) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        this.#wake = () => {};
        cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = ms === undefined ? () => {} : this.#options.clock.after(ms, wake);
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

/** The service of a cluster of pods, as Envoy's statistics call it. */
function serviceOf(cluster: string): string {
  return cluster.replace(/^pods\//, '').split('@')[0] ?? '';
}

function signature(out: OutHosts): string {
  const hosts = [...out].flatMap(([cluster, all]) => all.map(({ address, port }) => `${cluster} ${address} ${port}`));
  return hosts.sort().join();
}
