import { type AdminAddress, startAdmin } from '../admin/server.ts';
import { systemClock } from '../base/clock.ts';
import { type Millis, millis } from '../base/duration.ts';
import type { HostPort } from '../base/host-port.ts';
import type { Logger } from '../base/log.ts';
import { openToAll } from '../base/node-guard.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { VERSION } from '../base/version.ts';
import type { DnsOptions } from '../endpoints/dns/source.ts';
import { kick } from '../envoy/kick.ts';
import { formatProblem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import { Carriers } from '../nodes/carriers.ts';
import { LastGoodFile } from '../routes/file/last-good.ts';
import type { RouteFile } from '../routes/file/parse.ts';
import { RouteFileSource } from '../routes/file/watch.ts';
import { mayWait } from '../slots/may-wait.ts';
import { SnapshotCache } from '../snapshot/cache.ts';
import { Metrics } from '../status/metrics.ts';
import { observe } from '../status/observe.ts';
import { observed } from '../status/observed.ts';
import { LoadReports } from '../telemetry/envoy/load-reports.ts';
import { RequestEnded } from '../telemetry/envoy/request-ended.ts';
import { followRequests } from '../telemetry/requests.ts';
import { loadsByService, nodeLoad, outPods } from '../telemetry/running.ts';
import type { BindAddress } from '../xds/server/address.ts';
import { XdsServer } from '../xds/server/server.ts';
import type { XdsServerOptions } from '../xds/server/server-options.ts';
import { Controller } from './controller.ts';
import { collectLessOften } from './heap.ts';
import { EventLog } from './log-events.ts';
import { openPodSources } from './open-pod-sources.ts';

/** What a control plane is started with. */
export interface ControlPlaneOptions {
  /** Path of the route file. */
  readonly routes: string;
  /** A folder where the last good route file is kept for the next start; undefined: nowhere. */
  readonly stateDir?: string | undefined;
  /** Where Envoys connect. */
  readonly xds: readonly BindAddress[];
  /** Who may connect there, and how; undefined: anybody, in plaintext. */
  readonly xdsSecurity?: Pick<XdsServerOptions, 'credentials' | 'guard' | 'maxAgeMs'>;
  /** How long an Envoy that is gone keeps its services; `DEFAULT_OWNER_GRACE` when left out. */
  readonly ownerGrace?: Millis;
  /** Where health, status and metrics are served. */
  readonly admin: AdminAddress;
  /** Further names by which people ask there; see `isTrustedRequest`. */
  readonly adminHosts?: readonly string[] | undefined;
  /** Sends so many requests at once, for the dashboard's button; undefined: it has none. */
  readonly burst?: ((count: number) => void) | undefined;
  /** The loopback port where Envoy takes kicks. */
  readonly kickPort: number;
  /** Where Envoy's admin answers; undefined: its statistics are not asked. */
  readonly envoyAdmin?: HostPort | undefined;
  /** A kubeconfig file; undefined: the route file's (lbagent form, see `chooseKubeconfig`), else what `openCluster` finds. */
  readonly kubeconfig?: string | undefined;
  /** How DNS is asked, where it differs from `DNS_DEFAULTS`. */
  readonly dns?: Partial<DnsOptions>;
  readonly log: Logger;
}

/** A running control plane. */
export interface ControlPlane {
  /** Where it listens for Envoys, with real ports. */
  readonly xds: readonly BindAddress[];
  /** Where it serves health, status and metrics, with the real port. */
  readonly admin: AdminAddress;
  /** Ends everything it started, within 10 s. */
  stop(): Promise<void>;
}

/** How a control plane could not be started: the user's input is bad, or something else failed. */
export interface StartFailure {
  readonly kind: 'bad input' | 'failed';
  readonly message: string;
}

/**
 * An Envoy that runs and can reach Sluice is back within a second or two, one that is started again within some more;
 * one that only lost the way to Sluice still sends its pods requests, so nobody else should too soon.
 */
export const DEFAULT_OWNER_GRACE = millis(30_000);

/** How often Envoys report what their pods hold, while limits follow it or somebody looks. */
const REPORT_MS = 500;

/** How often otherwise: nothing but the history is made of it. */
const QUIET_REPORT_MS = 2000;

/** Who has asked for the status looks at it for so long. */
const LOOKS_MS = 2000;

/** Starts sources, controller, xDS server and admin. A route file that cannot be used at start is bad input. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<Result<ControlPlane, StartFailure>> {
  collectLessOften();
  const { routes, stateDir } = options;
  const lastGood = stateDir === undefined ? undefined : new LastGoodFile(stateDir, routes);
  const routeFile = new RouteFileSource({ path: routes, env: process.env, clock, ...(lastGood && { lastGood }) });
  const file = await routeFile.load();
  if (!file.ok) return failed('bad input', file.errors.map(formatProblem));
  const parts = assemble(options, routeFile, file.value);
  const { server, controller, carriers, observation, metrics, requests } = parts;
  // What is assembled has timers: one left behind would keep the process alive that is to end with an error.
  const giveUp = async (errors: readonly string[]) => {
    observation.stop();
    await server.stop(0);
    carriers.stop();
    return failed('failed', errors);
  };
  const bound = await server.start();
  if (!bound.ok) return giveUp(bound.errors);
  const admin = await startAdmin({
    address: options.admin,
    metrics,
    ...observation,
    hosts: options.adminHosts,
    burst: options.burst,
    onFault: (error) => options.log.error({ err: error }, 'the admin could not answer'),
  });
  if (!admin.ok) return giveUp(admin.errors);
  const stopping = new AbortController();
  const running = Promise.all([controller.run(stopping.signal), requests.run(stopping.signal)]);
  return ok({
    xds: bound.value,
    admin: admin.value.address,
    async stop() {
      stopping.abort();
      observation.stop();
      await Promise.all([server.stop(), admin.value.stop()]);
      // After the server: for each Envoy that goes with it they would wait for its return.
      carriers.stop();
      await running;
    },
  });
}

const clock = systemClock;

/** Everything that runs, connected and not yet started. */
function assemble(options: ControlPlaneOptions, routeFile: RouteFileSource, file: RouteFile) {
  const { log, routes } = options;
  const cache = new SnapshotCache();
  const metrics = new Metrics({ version: VERSION });
  const guard = options.xdsSecurity?.guard ?? openToAll;
  const requests = followRequests({
    clock,
    guard,
    listener: metrics.traffic,
    statistics: options.envoyAdmin,
    worked: (service, ms) => controller.worked(service, ms),
    areChecked: () => controller.state().model?.services.some(({ service }) => service.health !== undefined) ?? false,
    mayWait: () => mayWait(controller.state().model, controller.loads()),
    onSample: (oneIn) => {
      log.info({ oneIn }, oneIn === 1 ? 'every request is counted again' : 'so many requests that a sample is counted');
      controller.sample(oneIn);
    },
    onOut: (out) => controller.ejected(outPods(out)),
  });
  let lookedAt = Number.NEGATIVE_INFINITY;
  const looks = () => clock.monotonic() - lookedAt < LOOKS_MS;
  const loadReports = new LoadReports({
    clock,
    guard,
    intervalMs: () => (controller.isMoving() || looks() ? REPORT_MS : QUIET_REPORT_MS),
    onReport: (observations, nodeId, at) => {
      const clusters = observations.map(({ cluster }) => cluster);
      if (carriers.isCarriers(nodeId, clusters)) controller.report(nodeId, nodeLoad(observations, at));
    },
    onGone: (nodeId) => controller.report(nodeId, undefined),
  });
  const eventLog = new EventLog(log, clock);
  const carriers = new Carriers({
    clock,
    log,
    graceMs: options.ownerGrace ?? DEFAULT_OWNER_GRACE,
    ask: (stream) => server.ask(stream),
    drop: (stream, reason) => server.drop(stream, reason),
    changed: () => controller.carriersChanged(),
  });
  const server = new XdsServer({
    ...options.xdsSecurity,
    addresses: options.xds,
    cache,
    clock,
    onEvent: (event) => {
      carriers.record(event);
      metrics.recordXdsEvent(event);
      eventLog.record(event);
    },
    extraServices: [
      loadReports,
      requests.accessLogs,
      new RequestEnded((...ended) => controller.requestEnded(...ended), guard),
    ],
  });
  const pods = openPodSources(options, file, metrics);
  const controller = new Controller({
    routeFile: observed(routeFile, (state) => metrics.recordRouteFile(state, clock.now())),
    pods,
    cache,
    carriers,
    envoys: {
      waitForAck: (types, timeoutMs) => server.waitForAck(types, timeoutMs),
      kick: (gate) => sendKick(options, gate),
    },
    translate: { kickPort: options.kickPort },
    clock,
    log,
  });
  // After the server: it must hear of a publication before those who ask it about Envoy's answers.
  const source = { path: routes, source: routeFile };
  const observation = observe({
    version: VERSION,
    routeFile: source,
    pods,
    controller: { state: () => controller.state(), loads: () => loadsByService(controller.loads()) },
    cache,
    server,
    metrics,
    traffic: requests.traffic,
    statisticsFrom: requests.statisticsFrom,
    clock,
  });
  cache.subscribe(() => loadReports.quicken());
  metrics.watchWithheld(() => carriers.withheld());
  const status = () => {
    lookedAt = clock.monotonic();
    loadReports.quicken();
    return observation.status();
  };
  return { server, controller, carriers, observation: { ...observation, status }, metrics, requests };
}

function failed(kind: StartFailure['kind'], messages: readonly string[]): Result<never, StartFailure> {
  return fail(...messages.map((message) => ({ kind, message })));
}

async function sendKick({ kickPort, log }: ControlPlaneOptions, gate: ServiceName): Promise<'full' | 'done'> {
  const kicked = await kick({ host: '127.0.0.1', port: kickPort }, gate);
  if (!kicked.ok) log.debug({ gate, reason: kicked.errors }, 'the gate could not be kicked');
  return kicked.ok && kicked.value.kind === 'full' ? 'full' : 'done';
}
