import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reconcile } from '../../src/control-plane/reconcile.ts';
import { translate } from '../../src/dataplane/translate.ts';
import { StaticSource } from '../../src/endpoints/static.ts';
import { envoyBootstrap } from '../../src/envoy/bootstrap.ts';
import { SnapshotCache } from '../../src/snapshot/cache.ts';
import { PUSH_ORDER } from '../../src/snapshot/resource.ts';
import { type Snapshot, snapshotOfTypes } from '../../src/snapshot/snapshot.ts';
import { LoadReports } from '../../src/telemetry/envoy/load-reports.ts';
import type { XdsEvent } from '../../src/xds/protocol/event.ts';
import { XdsServer } from '../../src/xds/server/server.ts';
import { CASES, readCase } from '../golden/read-case.ts';
import { startEnvoy, type TestEnvoy } from './kit/envoy.ts';
import { until } from './kit/instant.ts';

const cache = new SnapshotCache();
const nacks: XdsEvent[] = [];
const server = new XdsServer({
  addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
  cache,
  onEvent: (event) => {
    if (event.kind === 'nacked') nacks.push(event);
  },
  extraServices: [new LoadReports({ onReport: () => {} })],
});
let envoy: TestEnvoy;

beforeAll(async () => {
  const bound = await server.start();
  const xds = bound.ok ? bound.value[0] : undefined;
  if (xds === undefined) throw new Error('the xDS server does not start');
  envoy = await startEnvoy(
    envoyBootstrap({ nodeId: 'golden', nodeCluster: 'test', xds, admin: { host: '127.0.0.1', port: 0 } }),
  );
  await until(() => server.nodes().length > 0, { what: 'Envoy is connected' });
});

afterAll(async () => {
  await envoy?.stop();
  await server.stop();
});

/** The case's resources, with ports that the system picks: the file's may be in use on this machine. */
function snapshotOf(name: string): Snapshot {
  const read = readCase(name);
  const routing = { ...read, listeners: read.listeners.map((listener) => ({ ...listener, port: 0 })) };
  const pods = new StaticSource();
  pods.want(routing.services.map(({ locator }) => locator));
  const { model } = reconcile({
    routing,
    podsOf: (locator) => pods.pods(locator),
    loads: new Map(),
    before: undefined,
    draining: new Map(),
    ejected: new Map(),
    meanWork: new Map(),
    now: 0,
  });
  return snapshotOfTypes(translate(model, { kickPort: 0 }));
}

describe('a real Envoy accepts', () => {
  test.each(CASES)('%s', async (name) => {
    cache.set(snapshotOf(name));
    expect(await server.waitForAck(PUSH_ORDER, 20_000)).toBe('acked');
    expect(nacks).toEqual([]);
    await until(
      async () => {
        const state = await envoy.admin.state();
        return state.ok && state.value === 'LIVE';
      },
      { what: 'Envoy takes requests' },
    );
    // A deprecated field works today and not with the Envoy after the next.
    expect(envoy.logs.filter(({ message }) => message.includes('deprecated'))).toEqual([]);
  });
});
