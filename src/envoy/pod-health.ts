import { type Clock, sleep } from '../base/clock.ts';
import type { EnvoyAdmin, HostStatus } from './admin.ts';

/** By cluster the hosts that Envoy gives no request for the moment, because of how they answer or of health checks. */
export type OutHosts = ReadonlyMap<string, readonly HostStatus[]>;

/** How the health of pods is followed. */
export interface PodHealthOptions {
  readonly admin: Pick<EnvoyAdmin, 'stats' | 'hosts'>;
  readonly clock: Clock;
  /** The time between two questions, in milliseconds; longer where an answer costs Envoy much. */
  readonly intervalMs: number;
  /** Called when what is out has changed; nothing is out while Envoy does not answer for long. */
  readonly onChange: (out: OutHosts) => void;
}

/**
 * Envoy tells of ejections in a file only, of health checks in a file or not at all, and `/clusters` is 9 MB for 1,000
 * services of 10 pods. So what is asked are these two gauges of each service, and the hosts of those alone where they
 * show that something is or was wrong.
 */
const FILTER = '^cluster\\.pods/.*\\.(outlier_detection\\.ejections_active|membership_healthy)$';
const PATTERN = /^cluster\.(pods\/.+?)\.(outlier_detection\.ejections_active|membership_healthy)$/;

/** After this long without an answer nothing is known any more: no slots are kept back for ever. */
const FORGET_MS = 5000;

/** A question may take this share of the time: the larger the configuration, the less often it is asked. */
const SHARE = 0.025;

/** Follows which hosts of `pods/…` clusters are out, until `signal` is aborted. Never rejects. */
export async function followPodHealth(options: PodHealthOptions, signal: AbortSignal): Promise<void> {
  const { clock, intervalMs, onChange } = options;
  let known: Known = { gauges: new Map(), out: new Map() };
  let answeredAt = clock.monotonic();
  while (!signal.aborted) {
    const asked = clock.monotonic();
    const found = await look(options, known, signal);
    if (signal.aborted) return;
    const now = clock.monotonic();
    if (found !== undefined) answeredAt = now;
    const next = found ?? (now - answeredAt > FORGET_MS ? { gauges: new Map(), out: new Map() } : known);
    const changed = signature(next.out) !== signature(known.out);
    known = next;
    if (changed) onChange(known.out);
    await sleep(clock, Math.max(intervalMs, (now - asked) / SHARE), signal);
  }
}

interface Known {
  /** What was last read of each service, by the name its clusters have in statistics. */
  readonly gauges: ReadonlyMap<string, string>;
  readonly out: OutHosts;
}

/** Undefined: no answer. */
async function look({ admin }: PodHealthOptions, known: Known, signal: AbortSignal): Promise<Known | undefined> {
  const stats = await admin.stats({ filter: FILTER, usedOnly: true, type: 'Gauges' }, signal);
  if (!stats.ok) return undefined;
  const { gauges, ejecting } = readGauges(stats.value);
  const before = new Set([...known.out.keys()].map(statName));
  // A gauge that moved may be a pod that came or went as well; the hosts tell.
  const odd = [...gauges].filter(([name, text]) => ejecting.has(name) || before.has(name) || moved(known, name, text));
  if (odd.length === 0) return { gauges, out: new Map() };
  const names = odd.map(([name]) => name.replaceAll(/[.]/g, '\\.')).join('|');
  const hosts = await admin.hosts(`^(${names})(@.*)?$`, signal);
  if (!hosts.ok) return undefined;
  const out = [...hosts.value].map(([cluster, all]) => [cluster, all.filter(({ isOut }) => isOut)] as const);
  return { gauges, out: new Map(out.filter(([, all]) => all.length > 0)) };
}

function moved({ gauges }: Known, name: string, text: string): boolean {
  return gauges.get(name) !== text;
}

function readGauges(stats: ReadonlyMap<string, number>) {
  const gauges = new Map<string, string>();
  const ejecting = new Set<string>();
  for (const [stat, value] of stats) {
    const [, name, what] = PATTERN.exec(stat) ?? [];
    if (name === undefined) continue;
    if (what === 'membership_healthy') gauges.set(name, String(value));
    else if (value > 0) ejecting.add(name);
  }
  return { gauges, ejecting };
}

/** All clusters of a service have one name in statistics: `pods/codec@4f1c2d` counts as `pods/codec`. */
function statName(cluster: string): string {
  return cluster.split('@')[0] ?? cluster;
}

function signature(out: OutHosts): string {
  const hosts = [...out].flatMap(([cluster, all]) => all.map(({ address, port }) => `${cluster} ${address} ${port}`));
  return hosts.sort().join();
}
