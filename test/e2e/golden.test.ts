import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { snapshotOf } from '../../src/commands/render.ts';
import type { FilterOptions } from '../../src/dataplane/options.ts';
import { envoyBootstrap } from '../../src/envoy/bootstrap.ts';
import { SnapshotCache } from '../../src/snapshot/cache.ts';
import { PUSH_ORDER } from '../../src/snapshot/resource.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import type { XdsEvent } from '../../src/xds/protocol/event.ts';
import { XdsServer } from '../../src/xds/server/server.ts';
import { CASES, readCase } from '../golden/read-case.ts';
import { wasmFilter } from './http/stage.ts';
import { startEnvoy, type TestEnvoy } from './kit/envoy.ts';
import { until } from './kit/instant.ts';

/** The only field there is for the collector of access logs in the protos that Sluice is made from; Envoy 1.40 knows a newer one. */
const ONLY_FIELD = 'OpenTelemetryAccessLogConfig.common_config';

const cache = new SnapshotCache();
const nacks: XdsEvent[] = [];
const server = new XdsServer({
  addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
  cache,
  onEvent: (event) => {
    if (event.kind === 'nacked') nacks.push(event);
  },
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

/**
 * The case's resources, with ports that the system picks, since the file's may be in use on this machine, and without the file of
 * an access log, which Envoy would make beside the case.
 */
function snapshotOfCase(name: string, filter: FilterOptions): Snapshot {
  const routing = readCase(name);
  const listeners = routing.listeners.map((listener, at) => {
    // Two of one address would be one socket.
    return { ...listener, port: 0, ...(at === 0 ? {} : { address: `127.0.0.${at + 1}` }) };
  });
  const { accessLog } = routing;
  const log = accessLog?.file && { accessLog: { ...accessLog, file: { ...accessLog.file, path: '/dev/null' } } };
  return snapshotOf({ ...routing, listeners, ...log }, { filter });
}

describe.each([wasmFilter(), { kind: 'off' } as const])('a real Envoy accepts, filter $kind', (filter) => {
  test.each(CASES)('%s', async (name) => {
    cache.set(snapshotOfCase(name, filter));
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
    expect(envoy.logs.filter(({ message }) => message.includes('deprecated') && !message.includes(ONLY_FIELD))).toEqual(
      [],
    );
  });
});
