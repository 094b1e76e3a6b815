import { type AdminAddress, startAdmin } from './admin/server.ts';
import { systemClock } from './base/clock.ts';
import { fail, ok, type Result } from './base/result.ts';
import { Controller } from './controller.ts';
import { kick } from './envoy/kick.ts';
import { LoadReports } from './envoy/load-reports.ts';
import { RequestEnded } from './envoy/request-ended.ts';
import type { Logger } from './log.ts';
import { logEvent, sourceLog } from './log-events.ts';
import { formatProblem } from './model/problem.ts';
import type { ServiceName } from './model/service.ts';
import { runningByService } from './running.ts';
import { SnapshotCache } from './snapshot/cache.ts';
import { type DnsOptions, DnsSource } from './source/dns/source.ts';
import { KubeSource } from './source/kube/kube-source.ts';
import { PodSources } from './source/pod-sources.ts';
import type { RouteFile } from './source/route-file/parse.ts';
import { RouteFileSource } from './source/route-file/watch.ts';
import { StaticSource } from './source/static.ts';
import { Metrics } from './status/metrics.ts';
import { observe } from './status/observe.ts';
import { observed } from './status/observed.ts';
import { VERSION } from './version.ts';
import type { BindAddress } from './xds/address.ts';
import { XdsServer } from './xds/server.ts';

/** What a control plane is started with. */
export interface ControlPlaneOptions {
  /** Path of the route file. */
  readonly routes: string;
  /** Where Envoys connect. */
  readonly xds: readonly BindAddress[];
  /** Where health, status and metrics are served. */
  readonly admin: AdminAddress;
  /** The loopback port where Envoy takes kicks. */
  readonly kickPort: number;
  /** A kubeconfig file; undefined: the route file's (lbagent form), $KUBECONFIG, the cluster Sluice runs in. */
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

/** How often Envoys report what their pods hold. */
const REPORT_MS = 500;

/** Starts sources, controller, xDS server and admin. A route file that cannot be used at start is bad input. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<Result<ControlPlane, StartFailure>> {
  const routeFile = new RouteFileSource({ path: options.routes, env: process.env, clock });
  const file = await routeFile.load();
  if (!file.ok) return failed('bad input', file.errors.map(formatProblem));
  const parts = assemble(options, routeFile, file.value);
  const { server, controller, observation, metrics } = parts;
  const bound = await server.start();
  if (!bound.ok) return failed('failed', bound.errors);
  const admin = await startAdmin({
    address: options.admin,
    metrics,
    ...observation,
    onFault: (error) => options.log.error({ err: error }, 'the admin could not answer'),
  });
  if (!admin.ok) {
    await server.stop(0);
    return failed('failed', admin.errors);
  }
  const stopping = new AbortController();
  const running = controller.run(stopping.signal);
  return ok({
    xds: bound.value,
    admin: admin.value.address,
    async stop() {
      stopping.abort();
      observation.stop();
      await Promise.all([server.stop(), admin.value.stop()]);
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
  const loadReports = new LoadReports({
    clock,
    intervalMs: REPORT_MS,
    onReport: (observations, nodeId, at) => controller.report(nodeId, { at, running: runningByService(observations) }),
    onGone: (nodeId) => controller.report(nodeId, undefined),
  });
  const server = new XdsServer({
    addresses: options.xds,
    cache,
    clock,
    onEvent: (event) => {
      metrics.recordXdsEvent(event);
      logEvent(log, event);
    },
    extraServices: [loadReports, new RequestEnded((service, pod) => controller.requestEnded(service, pod))],
  });
  const pods = podSources(options, file);
  const controller = new Controller({
    routeFile: observed(routeFile, (state) => metrics.recordRouteFile(state, clock.now())),
    pods,
    cache,
    envoys: {
      waitForAck: (types, timeoutMs) => server.waitForAck(types, timeoutMs),
      kick: (service) => sendKick(options, service),
    },
    translate: { kickPort: options.kickPort },
    clock,
    log,
  });
  // After the server: it must hear of a publication before those who ask it about Envoy's answers.
  const source = { path: routes, source: routeFile };
  const observation = observe({ version: VERSION, routeFile: source, pods, controller, cache, server, metrics, clock });
  return { server, controller, observation, metrics };
}

function podSources({ kubeconfig, dns, log }: ControlPlaneOptions, { lbagent }: RouteFile): PodSources {
  return new PodSources({
    static: async () => new StaticSource(),
    dns: async () => new DnsSource({ clock, ...dns }),
    kubernetes: async () =>
      new KubeSource({
        clock,
        log: sourceLog(log, 'kubernetes'),
        // lbagent's empty file name means what is found without one.
        kubeconfig: kubeconfig ?? (lbagent?.kubeConfigFile || undefined),
      }),
  });
}

function failed(kind: StartFailure['kind'], messages: readonly string[]): Result<never, StartFailure> {
  return fail(...messages.map((message) => ({ kind, message })));
}

async function sendKick({ kickPort, log }: ControlPlaneOptions, service: ServiceName): Promise<void> {
  const kicked = await kick({ host: '127.0.0.1', port: kickPort }, service);
  if (!kicked.ok) log.debug({ service, reason: kicked.errors }, 'the gate could not be kicked');
}
