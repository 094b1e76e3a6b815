// A control plane that gives Envoy the same configuration as Sluice, but for the logs, and hears nothing from it: what
// `bench:observe` compares with. node bench/unobserved.ts FILE XDS_PORT
import { envoy } from '#xds';
import { snapshotOf } from '../src/commands/render.ts';
import { DEFAULT_HEADER_BOUNDS } from '../src/dataplane/options.ts';
import { readRouteFile } from '../src/routes/file/read.ts';
import { SnapshotCache } from '../src/snapshot/cache.ts';
import { type EncodedResource, PUSH_ORDER, TYPE_URLS } from '../src/snapshot/resource.ts';
import { makeSnapshot } from '../src/snapshot/snapshot.ts';
import { XdsServer } from '../src/xds/server/server.ts';

const { Listener } = envoy.config.listener.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { Router } = envoy.extensions.filters.http.router.v3;

const [file = '', xdsPort = 0] = process.argv.slice(2);

/** The listener without its logs. */
function silent(resource: EncodedResource): EncodedResource {
  if (resource.typeUrl !== TYPE_URLS.listener) return resource;
  const listener = Listener.decode(resource.body);
  for (const { typedConfig } of listener.filterChains.flatMap((chain) => chain?.filters ?? [])) {
    if (!typedConfig?.value || !typedConfig.typeUrl?.endsWith('.HttpConnectionManager')) continue;
    const manager = HttpConnectionManager.decode(typedConfig.value);
    manager.accessLog = [];
    manager.accessLogOptions = null;
    for (const filter of manager.httpFilters) {
      if (!filter.typedConfig?.value || !filter.typedConfig.typeUrl?.endsWith('.Router')) continue;
      const router = Router.decode(filter.typedConfig.value);
      filter.typedConfig.value = Router.encode({ ...router, upstreamLog: [], upstreamLogOptions: null }).finish();
    }
    typedConfig.value = HttpConnectionManager.encode(manager).finish();
  }
  return { ...resource, body: Listener.encode(listener).finish() };
}

const read = await readRouteFile(file, process.env);
if (!read.ok) throw new Error('a bad route file');
const { types } = snapshotOf(read.value.routing, { filter: { kind: 'off' }, headers: DEFAULT_HEADER_BOUNDS });
const cache = new SnapshotCache();
cache.set(makeSnapshot(PUSH_ORDER.flatMap((type) => [...types[type].resources.values()].map(silent))));
const server = new XdsServer({ addresses: [{ kind: 'tcp', host: '127.0.0.1', port: Number(xdsPort) }], cache });
const started = await server.start();
if (!started.ok) throw new Error(started.errors.join('; '));
process.once('SIGTERM', () => void server.stop(0));
