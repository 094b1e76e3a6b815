import { formatAddress, type Locator } from '../../../src/model/locator.ts';
import type { Model } from '../../../src/model/model.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { Routing } from '../../../src/model/routing.ts';
import type { SourceState } from '../../../src/model/source.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';
import { gateLimit } from '../../../src/slots/gate-limit.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import type { ConnectedNode, StatusInput } from '../../../src/status/describe.ts';

/** 2026-01-02T03:04:05Z. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
export const HOUR = 3_600_000;

const FILE = `version: 1
listen: { port: 8080 }
routes:
  - match: { prefix: /codec }
    service: codec
  - match: { prefix: /web }
    service: web
services:
  codec:
    kubernetes: { namespace: ai-media, service: codec, port: http }
    limit: 2
    queue: { max: 50 }
  web:
    static: ["127.0.0.1:9000"]
`;

/** A routing with the limited service `codec` from Kubernetes and the balanced service `web` with a static address. */
export function exampleRouting(): Routing {
  const parsed = parseRouteFile(FILE, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value.routing;
}

export const CODEC_PODS: readonly Pod[] = [
  { ip: '10.0.0.1', port: 80, state: 'ready' },
  { ip: '10.0.0.2', port: 80, state: 'draining' },
  { ip: 'fd00::1', port: 80, state: 'ready' },
];
const WEB_PODS: readonly Pod[] = [{ ip: '127.0.0.1', port: 9000, state: 'ready' }];

export function exampleModel(routing: Routing): Model {
  const running = (pod: Pod) => (formatAddress(pod) === '10.0.0.2:80' ? 1 : 0);
  const services = routing.services.map((service) => {
    const pods = service.name === 'codec' ? CODEC_PODS : WEB_PODS;
    return { service, pods, gate: gateLimit(service, pods, running) };
  });
  return { routing, services, retiring: [] };
}

/** Nothing is known of any request. */
export const NO_TRAFFIC: StatusInput['traffic'] = {
  read: () => undefined,
  line: () => undefined,
  statistics: () => ({ kind: 'unknown' }),
  oneIn: 1,
};

/** Everything is well. */
export function exampleInput(changes: Partial<StatusInput> = {}): StatusInput {
  const routing = exampleRouting();
  return {
    version: '1.2.3',
    startedAt: NOW - 5 * HOUR,
    now: NOW,
    routeFile: { path: 'routes.yaml', state: { kind: 'ready', value: routing, problems: [] } },
    model: exampleModel(routing),
    problems: [],
    podsOf: ({ kind }: Locator): SourceState<readonly Pod[]> => ({
      kind: 'ready',
      value: kind === 'static' ? WEB_PODS : CODEC_PODS,
      problems: [],
    }),
    loads: new Map(),
    nodes: [exampleNode()],
    configuration: { version: 'abc123', publishedAt: NOW - 12_000 },
    traffic: NO_TRAFFIC,
    statisticsFrom: undefined,
    ...changes,
  };
}

/** An Envoy that has everything. */
export function exampleNode(changes: Partial<ConnectedNode> = {}): ConnectedNode {
  return {
    node: { id: 'edge-1', cluster: 'edges', metadata: {} },
    userAgent: 'envoy 1.40.0',
    peer: '10.0.0.9:4711',
    connectedSince: NOW - HOUR,
    types: Object.values(TYPE_URLS).map((typeUrl) => ({ typeUrl, status: 'in sync', ackedVersion: 'v1' })),
    ...changes,
  };
}

/** Three wait for `codec`, one was refused; nobody has asked for anything else. */
export function exampleTraffic(): StatusInput['traffic'] {
  const none = { answered: 0, failed: 0, refused: 0, timedOut: 0, abandoned: 0 };
  const counts = { ...none, answered: 7, refused: 1 };
  const lastMinute = { ...counts, waitMs: { p50: 3, p99: 1200 }, workMs: { p50: 2000, p99: 240_000 } };
  const codec = { oldestWaitMs: 1499.6, total: counts, lastMinute };
  return {
    read: (name) => (name === 'codec' ? codec : { oldestWaitMs: undefined, total: none, lastMinute: none }),
    line: (name) => ({ waiting: name === 'codec' ? 3 : 0, ejected: 0, retried: 0 }),
    statistics: () => ({ kind: 'answers' }),
    oneIn: 1,
  };
}
