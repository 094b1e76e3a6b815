import type { Clock } from '../base/clock.ts';
import type { Locator } from '../model/locator.ts';
import type { Model } from '../model/model.ts';
import type { Overrides } from '../model/overrides.ts';
import type { Pod } from '../model/pod.ts';
import type { Problem } from '../model/problem.ts';
import type { Routing } from '../model/routing.ts';
import type { Source, SourceState } from '../model/source.ts';
import type { SharingState } from '../slots/sharing.ts';
import type { NodeIdentity, SnapshotCache } from '../snapshot/cache.ts';
import { type Sample, SLICE_MS } from '../telemetry/history.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { followConvergence } from './convergence.ts';
import { describeForReadiness, describeSlots, describeStatus } from './describe.ts';
import type { ConnectedNode } from './describe-node.ts';
import type { Metrics } from './metrics.ts';
import { modelEvents } from './model-events.ts';
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
  };
  readonly cache: SnapshotCache;
  readonly server: {
    nodes(): readonly ConnectedNode[];
    waitForAck: Parameters<typeof followConvergence>[0]['waitForAck'];
  };
  readonly metrics: Metrics;
  readonly telemetry: Telemetry;
  /** Whether an Envoy works without the queue filter by its user's choice. */
  readonly isFilterOff: (node: NodeIdentity) => boolean;
  /** What operators have ordered. */
  readonly overrides: () => Overrides;
  /** How Envoys share slots. */
  readonly sharing: { state(): SharingState };
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
  const {
    version,
    routeFile,
    pods,
    controller,
    cache,
    server,
    metrics,
    telemetry,
    isFilterOff,
    overrides,
    sharing,
    clock,
  } = observed;
  const startedAt = clock.now();
  let configuration: { readonly version: string; readonly publishedAt: number } | undefined;
  let model: Model | undefined;
  const ends = [
    cache.subscribe({
      changed() {
        const snapshot = cache.get(WHOLE);
        configuration = snapshot && { version: snapshot.version, publishedAt: clock.now() };
        const before = model;
        model = controller.state().model;
        if (before === undefined || model === undefined || before === model) return;
        for (const event of modelEvents(before, model)) telemetry.tell(event);
      },
    }),
    followConvergence({
      subscribe: (published) => cache.subscribe({ changed: published }),
      waitForAck: (types, timeoutMs) => server.waitForAck(types, timeoutMs),
      onConverged: (seconds) => metrics.recordConvergence(seconds),
      clock,
    }),
  ];
  const common = () => ({
    routeFile: { path: routeFile.path, state: routeFile.source.state() },
    nodes: server.nodes(),
    configuration,
    now: clock.now(),
    isFilterOff,
  });
  const status = () => {
    return describeStatus({
      ...common(),
      ...controller.state(),
      overrides: overrides(),
      sharing: sharing.state(),
      version,
      startedAt,
      podsOf: (locator) => pods.pods(locator),
      telemetry,
    });
  };
  const slots = () => {
    const file = { path: routeFile.path, state: routeFile.source.state() };
    return describeSlots({ ...controller.state(), routeFile: file, overrides: overrides(), telemetry });
  };
  ends.push(every(clock, SLICE_MS, () => telemetry.rotate(slots())));
  return {
    status,
    history: (service) => telemetry.history(service),
    ready: readyForGood(() =>
      readinessOf(describeForReadiness({ ...common(), sharing: sharing.state() }, () => status().services)),
    ),
    stop() {
      for (const end of ends) end();
    },
  };
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
