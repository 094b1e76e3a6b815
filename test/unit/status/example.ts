import { FakeClock } from '../../../src/base/clock.ts';
import { fail, type Result } from '../../../src/base/result.ts';
import type { Locator } from '../../../src/model/locator.ts';
import type { Model } from '../../../src/model/model.ts';
import { NO_OVERRIDES } from '../../../src/model/overrides.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { Routing } from '../../../src/model/routing.ts';
import type { ServiceName } from '../../../src/model/service.ts';
import type { SourceState } from '../../../src/model/source.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';
import { NOT_SHARED } from '../../../src/slots/sharing.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import type { StatusInput } from '../../../src/status/describe.ts';
import type { ConnectedNode } from '../../../src/status/describe-node.ts';
import { Telemetry } from '../../../src/telemetry/telemetry.ts';
import { durations, hello, memberAt, podReport, report, serviceReport } from '../telemetry/reports.ts';

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
  const services = routing.services.map((service) => {
    const pods = service.name === 'codec' ? CODEC_PODS : WEB_PODS;
    return { service, pods, isKnown: true };
  });
  return { routing, services };
}

const MEMBER = memberAt(NOW + 1);

/** No queue filter is connected. */
export function noTelemetry(): Telemetry {
  return new Telemetry(new FakeClock(NOW));
}

/** The filter of `edge-1` is connected, and tells this of `codec`. */
export function exampleTelemetry(codec: Parameters<typeof serviceReport>[1] = {}): Telemetry {
  const telemetry = noTelemetry();
  telemetry.record(hello(MEMBER));
  telemetry.record(report(MEMBER, serviceReport('codec', codec)));
  return telemetry;
}

/** Two are in use, three wait for `codec`, one was refused, a pod is ejected. */
export function busyTelemetry(): Telemetry {
  const telemetry = exampleTelemetry({
    waiting: 3,
    oldestWaitMs: 1500,
    inUse: 2,
    mostWaiting: 9,
    mostInUse: 4,
    counts: { arrived: 13, started: 9, answered: 7, refused: 1 },
    wait: durations(250, 250, 250, 250, 250, 250, 250, 250, 250),
    work: durations(2500, 2500, 2500, 2500, 2500, 2500, 2500),
    pods: [podReport('10.0.0.1:80', { inUse: 2 }), podReport('[fd00::1]:80')],
  });
  const event = {
    service: codec,
    address: '[fd00::1]:80',
    kind: 'ejected',
    reason: 'unreachable',
    forMs: 2500,
  } as const;
  telemetry.record({ ...MEMBER, kind: 'pod', event });
  return telemetry;
}

// The brand is the parser's; the example's names are good.
const codec = 'codec' as ServiceName;

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
    overrides: NO_OVERRIDES,
    sharing: NOT_SHARED,
    nodes: [exampleNode()],
    configuration: { version: 'abc123', publishedAt: NOW - 12_000 },
    telemetry: exampleTelemetry(),
    isFilterOff: () => false,
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

/** Explains nothing. */
export function noRoutes(): Result<never, string> {
  return fail('There are no routes yet.');
}
