import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { snapshotOf } from '../../../src/commands/render.ts';
import type { FilterOptions } from '../../../src/dataplane/options.ts';
import { envoyBootstrap } from '../../../src/envoy/bootstrap.ts';
import { formatAddress } from '../../../src/model/locator.ts';
import type { Routing } from '../../../src/model/routing.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';
import type { SlotsEvent } from '../../../src/slots/events.ts';
import { SlotsServer } from '../../../src/slots/server.ts';
import { queueSettings, type WantedService } from '../../../src/slots/wanted.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { PUSH_ORDER } from '../../../src/snapshot/resource.ts';
import { XdsServer } from '../../../src/xds/server/server.ts';
import { startEnvoy, type TestEnvoy } from '../kit/envoy.ts';
import { until } from '../kit/instant.ts';

/** The compiled queue filter. */
export function wasmFilter(allowTrap = false): FilterOptions {
  const code = readFileSync(new URL('../../../gen/queue.wasm', import.meta.url));
  const guard = readFileSync(new URL('../../../gen/guard.wasm', import.meta.url));
  return { kind: 'wasm', code, version: 'test', guard, allowTrap };
}

/** An Envoy as Sluice configures it for a route file whose pods are all static. */
export interface Stage {
  /** Where it takes requests. */
  readonly port: number;
  readonly envoy: TestEnvoy;
  /** What the filter has told of its pods. */
  readonly podEvents: readonly string[];
  /** The code versions of the filters that have connected, in their order. */
  readonly hellos: readonly string[];
  /** Sends the same with another filter, and waits until Envoy has taken it. */
  update(filter: FilterOptions): Promise<void>;
}

/** One service `codec` for everything; `settings` in the form of the route file. */
export function codecRoutes(pods: readonly string[], settings = 'limit: 1'): string {
  return [
    'version: 1',
    'services:',
    `  codec: {static: [${pods.map((pod) => `"${pod}"`).join(', ')}], ${settings}}`,
    'routes:',
    '  - {match: {prefix: /}, service: codec}',
  ].join('\n');
}

/** Starts it, until the test that runs now has ended. */
export async function startStage(routes: string, filter: FilterOptions = wasmFilter()): Promise<Stage> {
  const routing = routingOf(routes);
  const cache = new SnapshotCache();
  const refused: string[] = [];
  const podEvents: string[] = [];
  const hellos: string[] = [];
  const slots: SlotsServer = new SlotsServer({ clock: systemClock, onEvent: (event) => onSlots(event) });
  let isKnown = false;
  const onSlots = (event: SlotsEvent): void => {
    if (event.kind === 'pod') podEvents.push(`${event.event.kind} ${event.event.address}`);
    if (event.kind === 'rejected') refused.push(event.reason);
    if (event.kind === 'synced') isKnown = true;
    if (event.kind !== 'hello') return;
    hellos.push(event.codeVersion);
    for (const member of slots.members(event.node)) {
      for (const wanted of wantedOf(routing)) member.want(wanted);
      member.setSynced();
      slots.flush(member);
    }
  };
  const server = new XdsServer({
    addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    cache,
    onEvent: (event) => {
      if (event.kind === 'nacked') refused.push(JSON.stringify(event));
    },
    extraServices: [slots],
  });
  const bound = await server.start();
  const xds = bound.ok ? bound.value[0] : undefined;
  if (xds === undefined) throw new Error('the xDS server does not start');
  onTestFinished(() => server.stop());
  const publish = (one: FilterOptions) => cache.set(snapshotOf(routing, { filter: one }));
  publish(filter);
  const admin = { host: '127.0.0.1', port: 0 };
  const envoy = await startEnvoy(
    envoyBootstrap({ nodeId: 'http', nodeCluster: 'test', xds, admin }),
    'warn',
    undefined,
    1,
  );
  onTestFinished(async () => {
    await envoy.stop();
  });
  await until(() => server.nodes().length > 0, { what: 'Envoy is connected' });
  const taken = async () => {
    const acked = await server.waitForAck(PUSH_ORDER, 20_000);
    if (acked !== 'acked' || refused.length > 0) throw new Error(`${acked}: ${refused.join('\n')}`);
  };
  await taken();
  await until(() => isKnown || filter.kind === 'off', { what: 'the filter knows the pods' });
  const update = (one: FilterOptions) => {
    publish(one);
    return taken();
  };
  return { port: await listeningPort(envoy), envoy, podEvents, hellos, update };
}

function routingOf(text: string): Routing {
  const parsed = parseRouteFile(text, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { routing } = parsed.value;
  const listeners = routing.listeners.map((listener) => ({ ...listener, address: '127.0.0.1', port: 0 }));
  return { ...routing, listeners };
}

function wantedOf({ services }: Routing): readonly WantedService[] {
  return services.flatMap((service): readonly WantedService[] => {
    const settings = queueSettings(service, []);
    const { discipline, locator } = service;
    if (settings === undefined || discipline.kind !== 'limited' || locator.kind !== 'static') return [];
    const slots = { limit: discipline.limit, unhealthy: false };
    const pods = new Map(locator.addresses.map((address) => [formatAddress(address), slots] as const));
    return [[service.name, { kind: 'service', settings, pods }]];
  });
}

async function listeningPort(envoy: TestEnvoy): Promise<number> {
  return until(
    async () => {
      const answer = await fetch(`http://${envoy.address.host}:${envoy.address.port}/listeners?format=json`);
      const text = await answer.text();
      const port = /"name":\s*"public"[\s\S]*?"port_value":\s*(\d+)/.exec(text)?.[1];
      return port === undefined ? undefined : Number(port);
    },
    { what: 'Envoy listens' },
  );
}
