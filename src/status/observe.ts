import type { Clock } from '../base/clock.ts';
import type { Locator } from '../model/locator.ts';
import type { Model } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Problem } from '../model/problem.ts';
import type { Routing } from '../model/routing.ts';
import type { Source, SourceState } from '../model/source.ts';
import type { NodeIdentity, SnapshotCache } from '../snapshot/cache.ts';
import type { Sample } from '../telemetry/history.ts';
import { SLICE_MS } from '../telemetry/service-traffic.ts';
import type { Traffic } from '../telemetry/traffic.ts';
import { followConvergence } from './convergence.ts';
import { type ConnectedNode, describeForReadiness, describeStatus, type ReportedLoad } from './describe.ts';
import type { Metrics } from './metrics.ts';
import { type Readiness, readinessOf, readyForGood } from './readiness.ts';
import type { Status } from './status.ts';

/** The parts of a running control plane that are looked at, each as far as it is. */
export interface Observed {
  /** Of Sluice. */
  readonly version: string;
  readonly routeFile: { readonly path: string; readonly source: Pick<Source<Routing>, 'state'> };
  readonly pods: { pods(locator: Locator): SourceState<readonly Pod[]> };
  readonly controller: {
    state(): { readonly model: Model | undefined; readonly problems: readonly Problem[] };
    /** What each Envoy last reported, by node id. */
    loads(): ReadonlyMap<string, ReportedLoad>;
  };
  readonly cache: SnapshotCache;
  readonly server: {
    nodes(): readonly ConnectedNode[];
    waitForAck: Parameters<typeof followConvergence>[0]['waitForAck'];
  };
  readonly metrics: Metrics;
  readonly traffic: Traffic;
  /** Where Envoy's statistics are asked; undefined: nobody asks. */
  readonly statisticsFrom: string | undefined;
  readonly clock: Clock;
}

/** What is true now, for as long as it is asked. */
export interface Observation {
  status(): Status;
  /** The last 15 minutes of a service, oldest first; empty: there is none of that name. */
  history(service: string): readonly Sample[];
  ready(): Readiness;
  stop(): void;
}

/** An Envoy without a choice of services carries all of them: its configuration stands for the whole. */
const WHOLE: NodeIdentity = { id: '', cluster: '', metadata: {} };

/**
 * Looks at a control plane from now on. Call it before the controller runs and after the xDS server was made, which
 * must hear of a publication first.
 */
export function observe(observed: Observed): Observation {
  const { version, routeFile, pods, controller, cache, server, metrics, traffic, statisticsFrom, clock } = observed;
  const startedAt = clock.now();
  let configuration: { readonly version: string; readonly publishedAt: number } | undefined;
  const ends = [
    cache.subscribe(() => {
      const snapshot = cache.get(WHOLE);
      configuration = snapshot && { version: snapshot.version, publishedAt: clock.now() };
    }),
    followConvergence({
      subscribe: (published) => cache.subscribe(published),
      waitForAck: (types, timeoutMs) => server.waitForAck(types, timeoutMs),
      onConverged: (seconds) => metrics.recordConvergence(seconds),
      clock,
    }),
  ];
  const common = () => ({
    routeFile: { path: routeFile.path, state: routeFile.source.state() },
    nodes: server.nodes(),
    configuration,
  });
  const status = () => {
    const { model, problems } = controller.state();
    return describeStatus({
      ...common(),
      version,
      startedAt,
      now: clock.now(),
      model,
      problems,
      podsOf: (locator) => pods.pods(locator),
      loads: controller.loads(),
      traffic,
      statisticsFrom,
    });
  };
  const slice = () => {
    const now = status();
    keepHistory(now, traffic);
    metrics.keep(now);
  };
  ends.push(every(clock, SLICE_MS, slice));
  return {
    status,
    history: (service) => traffic.history(service),
    ready: readyForGood(() => readinessOf(describeForReadiness(common(), () => status().services))),
    stop() {
      for (const end of ends) end();
    },
  };
}

function keepHistory({ services }: Status, traffic: Traffic): void {
  traffic.rotate(
    services.map(({ name, requestsInProgress, waiting }) => ({ name, inUse: requestsInProgress, waiting })),
  );
}

function every(clock: Clock, ms: number, callback: () => void): () => void {
  let cancel = () => {};
  const again = () => {
    cancel = clock.after(ms, () => {
      callback();
      again();
    });
  };
  again();
  return () => cancel();
}
