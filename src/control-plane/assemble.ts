import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { type AdminAddress, startAdmin } from '../admin/server.ts';
import { systemClock } from '../base/clock.ts';
import type { Millis } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import { type ClientGuard, openToAll } from '../base/node-guard.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { VERSION } from '../base/version.ts';
import type { FilterOptions } from '../dataplane/options.ts';
import type { DnsOptions } from '../endpoints/dns/source.ts';
import { check } from '../endpoints/health/check.ts';
import { HealthChecks } from '../endpoints/health/checks.ts';
import { askJobs } from '../endpoints/jobs/ask.ts';
import { JobPolls } from '../endpoints/jobs/polls.ts';
import type { Model } from '../model/model.ts';
import { formatProblem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import { Envoys } from '../nodes/envoys.ts';
import { LastGoodFile } from '../routes/file/last-good.ts';
import type { RouteFile } from '../routes/file/parse.ts';
import { RouteFileSource } from '../routes/file/watch.ts';
import { Link } from '../slots/link.ts';
import { LINK_PATH, type ToldShares } from '../slots/link-messages.ts';
import { LinkServer, type ToldOrders } from '../slots/link-server.ts';
import { keyOf, MemberRegister } from '../slots/register.ts';
import { grpcDial, type RelaySecurity } from '../slots/relay-channel.ts';
import { RelayServer } from '../slots/relay-server.ts';
import { Relays } from '../slots/relays.ts';
import { SlotsServer } from '../slots/server.ts';
import { Sharing, type SharingState } from '../slots/sharing.ts';
import type { Pace } from '../slots/write-message.ts';
import { SnapshotCache } from '../snapshot/cache.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import { describeShared, sharedText } from '../status/describe-sharing.ts';
import { Metrics } from '../status/metrics.ts';
import { observe } from '../status/observe.ts';
import { observed } from '../status/observed.ts';
import { Telemetry } from '../telemetry/telemetry.ts';
import type { BindAddress } from '../xds/server/address.ts';
import { watchFailedHandshakes } from '../xds/server/failed-handshakes.ts';
import { XdsServer } from '../xds/server/server.ts';
import type { XdsServerOptions } from '../xds/server/server-options.ts';
import { closedListeners } from './closed-listeners.ts';
import { Controller } from './controller.ts';
import { EventQueue } from './events.ts';
import { explainActive } from './explain-request.ts';
import { loadFilter } from './filter-code.ts';
import { filterProblems, PATIENCE_MS } from './filter-problems.ts';
import { collectLessOften } from './heap.ts';
import { JobEvents, memberKey } from './job-events.ts';
import { KeptFile } from './kept-file.ts';
import { EventLog, logRecentEvents, noteXdsEvent } from './log-events.ts';
import { MergedRoutes } from './merged-routes.ts';
import { ModelSnapshots } from './model-snapshots.ts';
import { openDeletionCosts } from './open-deletion-costs.ts';
import { type ObjectRoutesChoice, openObjectRoutes } from './open-object-routes.ts';
import { openPairs } from './open-pairs.ts';
import { openPodSources } from './open-pod-sources.ts';
import { Operator } from './operator.ts';
import { OverrideStore } from './override-store.ts';
import { ownCoordination } from './own-coordination.ts';
import type { PairsChoice } from './pairs.ts';
import { PendingEnvoys } from './pending-envoys.ts';
import { Rollouts } from './rollouts.ts';
import { StrayFilters } from './stray-filters.ts';
import { WaitingRequests } from './waiting-requests.ts';

/** What a control plane is started with. */
export interface ControlPlaneOptions {
  /** Path of the route file; undefined: there is none, and routes come from objects. */
  readonly routes?: string | undefined;
  /** Which Kubernetes objects routes are made of, beside the route file's. */
  readonly objects?: ObjectRoutesChoice | undefined;
  /** A folder where the last good route file is kept for the next start; undefined: nowhere. */
  readonly stateDir?: string | undefined;
  /** Where Envoys connect. */
  readonly xds: readonly BindAddress[];
  /** Who may connect there, and how; undefined: anybody, in plaintext. */
  readonly xdsSecurity?: Pick<XdsServerOptions, 'credentials' | 'guard' | 'maxAgeMs'> & {
    /** Who of them may be another Sluice. */
    readonly sluiceGuard?: ClientGuard;
  };
  /** How this Sluice calls itself before others; undefined: by its host and where Envoys connect. */
  readonly name?: string | undefined;
  /**
   * Another Sluice that coordinates the slots, and how it is reached. Undefined: this one does, unless the state folder says that it
   * followed another one. `none`: this one does, whatever the state folder says.
   */
  readonly coordinator?: (RelaySecurity & { readonly address: string }) | 'none' | undefined;
  /** This Sluice is one of several that share slots, of which one coordinates by a Lease; undefined: it is not. */
  readonly pairs?: PairsChoice | undefined;
  /** The slots of an Envoy that has been away for so long are given to others; undefined: never. */
  readonly slotsReclaim?: Millis | undefined;
  /** Where health, status and metrics are served. */
  readonly admin: AdminAddress;
  /** Further names by which people ask there; see `isTrustedRequest`. */
  readonly adminHosts?: readonly string[] | undefined;
  /** Sends so many requests at once, for the dashboard's button; undefined: it has none. */
  readonly burst?: ((count: number) => void) | undefined;
  /** `off`: for Envoys without Wasm. Each pod of a service with a limit has a queue of its own then. */
  readonly filter?: 'on' | 'off' | undefined;
  /** How often queue filters report; `DEFAULT_PACE` when left out. */
  readonly pace?: Pace;
  /** A request with the header `x-sluice-trap` ends the filter's VM: for tests. */
  readonly allowTrap?: boolean | undefined;
  /** A kubeconfig file; undefined: the route file's (lbagent form, see `chooseKubeconfig`), else what `openCluster` finds. */
  readonly kubeconfig?: string | undefined;
  /** Whether each Pod is told how much its deletion would cost. */
  readonly deletionCosts?: boolean | undefined;
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

const clock = systemClock;

const PLAINTEXT: RelaySecurity = { credentials: () => credentials.createInsecure(), isTls: false };

const WITHOUT_FILTER = 'this Sluice counts no slots: it runs with --filter off';

const HOLDS_FOR_ALL = 'It holds for the Envoys of all Sluices that share.';

/** Starts sources, controller, xDS server and admin. A route file that cannot be used at start is bad input. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<Result<ControlPlane, StartFailure>> {
  collectLessOften();
  const { routes, stateDir } = options;
  const lastGood = stateDir === undefined || routes === undefined ? undefined : new LastGoodFile(stateDir, routes);
  const routeFile =
    routes === undefined
      ? undefined
      : new RouteFileSource({ path: routes, env: process.env, clock, ...(lastGood && { lastGood }) });
  const file = await routeFile?.load();
  if (file?.ok === false) return failed('bad input', file.errors.map(formatProblem));
  const filter = await loadFilter(options.filter ?? 'on', options.allowTrap);
  const assembled = assemble(options, routeFile, { file: file?.value ?? {}, filter });
  const {
    server,
    eventLog,
    pending,
    controller,
    envoys,
    strays,
    sharing,
    observation,
    metrics,
    operator,
    telemetry,
    pairs,
  } = assembled;
  const unwatch = watchFailedHandshakes((failed) => eventLog.handshakeFailed(failed));
  // What is assembled has timers: one left behind would keep the process alive that is to end with an error.
  const giveUp = async (errors: readonly string[]) => {
    unwatch();
    observation.stop();
    await server.stop(0);
    envoys.stop();
    strays.stop();
    pending.stop();
    sharing.stop();
    return failed('failed', errors);
  };
  const bound = await server.start();
  if (!bound.ok) return giveUp(bound.errors);
  const admin = await startAdmin({
    address: options.admin,
    metrics,
    ...observation,
    explain: (query) =>
      explainActive(controller.state().model?.routing, query, (service) => {
        const shared = describeShared(sharing.state(), service);
        return shared && sharedText(shared);
      }),
    orders: operator,
    hosts: options.adminHosts,
    burst: options.burst,
    onFault: (error) => options.log.error({ err: error }, 'the admin could not answer'),
  });
  if (!admin.ok) return giveUp(admin.errors);
  assembled.settle();
  const stopping = new AbortController();
  const running = controller.run(stopping.signal);
  assembled.startPairs();
  const costs = openDeletionCosts(options, { model: () => controller.state().model, telemetry });
  return ok({
    xds: bound.value,
    admin: admin.value.address,
    async stop() {
      stopping.abort();
      costs?.stop();
      observation.stop();
      await Promise.all([server.stop(), admin.value.stop(), pairs?.stop()]);
      unwatch();
      // After the server: for each Envoy that goes with it they would wait for its return.
      envoys.stop();
      strays.stop();
      pending.stop();
      sharing.stop();
      await running;
    },
  });
}

/**
 * Everything that runs, connected and not yet started. What happens anywhere goes through the controller's queue of
 * events; what is to be done goes down from the controller.
 */
function assemble(
  options: ControlPlaneOptions,
  routeFile: RouteFileSource | undefined,
  { file, filter }: { readonly file: Pick<RouteFile, 'lbagent'>; readonly filter: FilterOptions },
) {
  const { log } = options;
  const guard = options.xdsSecurity?.guard ?? openToAll;
  const events = new EventQueue();
  const cache = new SnapshotCache();
  const telemetry = new Telemetry(clock, logRecentEvents(log));
  const metrics = new Metrics({ version: VERSION, telemetry });
  const eventLog = new EventLog(log, clock);
  const forbidden = (peer: string, reason: string) => eventLog.forbidden(peer, reason);
  const slots = new SlotsServer({
    clock,
    guard,
    forbidden,
    ...(options.pace && { pace: options.pace }),
    refusal: (hello) => sharing.refusal(hello),
    onEvent: (event) => {
      // A filter may have a newer stream at another Sluice, which tells of it.
      if (event.kind !== 'gone' || sharing.isHere(event)) jobEvents.record(event);
      sharing.record(event);
      if (event.kind === 'hello') {
        envoys.recordFilter(event.node);
        strays.suspect(event.node);
      }
      if (event.kind === 'holding' || event.kind === 'changes' || event.kind === 'ended') return;
      telemetry.record(event);
      waiting.record(event);
      events.post({ kind: 'slots', event });
    },
  });
  const ownRegister = new MemberRegister({
    kept:
      options.stateDir === undefined
        ? undefined
        : new KeptFile(statePath(options.stateDir, 'members', options.routes ?? 'objects')),
    onFault: (reason) =>
      log.error({ reason }, 'after a restart Envoys that hold slots and are away will not be waited for'),
  });
  const coordinator = options.coordinator === 'none' ? undefined : options.coordinator;
  const pairs = options.pairs && openPairs(options.pairs, options);
  const name = options.name ?? options.pairs?.pod ?? ownName(options.xds);
  const orders: ToldOrders = {
    all: () => store.all(),
    take: (told, from) => operator.hear(told, from),
  };
  const sharing = new Sharing({
    clock,
    log,
    register: pairs?.register ?? ownRegister,
    coordination:
      pairs !== undefined
        ? { kind: 'unknown' }
        : ownCoordination(ownRegister, options.coordinator === 'none' ? 'none' : coordinator?.address),
    relays(address) {
      const security = pairs?.security ?? coordinator ?? PLAINTEXT;
      const changed = () => events.post({ kind: 'sharing' });
      const common = { clock, log, address, name, random: Math.random, changed, isByLease: pairs !== undefined };
      return new Relays({
        ...common,
        dial: grpcDial(security),
        link: new Link({ ...common, dial: grpcDial(security, LINK_PATH), orders }),
        jobsOf: (member) => jobs.of(memberKey(member)),
        givenUp: (member) => sharing.died([keyOf(member)], 'the coordinator has given it up'),
      });
    },
    reclaimMs: options.slotsReclaim,
    takenByJobs: (service, address) => takenByJobs(service, address),
    ended: (members) => jobEvents.died(members),
    members: (node) => slots.members(node),
    flush: (member) => slots.flush(member),
    end: (member, reason) => slots.drop(member, reason),
    changed() {
      links.review();
      events.post({ kind: 'sharing' });
    },
  });
  const links = new LinkServer({
    clock,
    name,
    guard: pairs?.sluiceGuard ?? options.xdsSecurity?.sluiceGuard,
    forbidden,
    pace: options.pace,
    refusal: () => (filter.kind === 'off' ? WITHOUT_FILTER : sharing.refusalOfLink()),
    orders,
    shares: () => sharedNow(sharing.state(), controller.state().model),
  });
  const relayed = new RelayServer({
    clock,
    guard: pairs?.guard ?? guard,
    forbidden,
    pace: options.pace,
    refusal(hello) {
      if (filter.kind === 'off') return WITHOUT_FILTER;
      if (envoys.withheldFrom(hello.node).size > 0)
        return 'an Envoy of this Sluice without a queue filter uses services with a limit, and shares with nobody';
      return sharing.refusalOfRelayed(hello);
    },
    enter: (peer) => sharing.enter(peer),
    tell: (peer, event) => sharing.tell(peer, event),
    left: (peer) => sharing.left(peer),
    jobs: {
      hello(member, jobs) {
        const services = [...Map.groupBy(jobs, ({ service }) => service)].map(([name, jobs]) => ({ name, jobs }));
        jobEvents.record({ ...member, kind: 'hello', services });
      },
      happened: (member, event) => jobEvents.record({ ...member, kind: 'job', event }),
      gone: (member) => jobEvents.record({ ...member, kind: 'gone' }),
    },
  });
  const server = new XdsServer({
    ...options.xdsSecurity,
    addresses: options.xds,
    cache,
    clock,
    onEvent: (event) => {
      // Before all else: what an Envoy is given depends on what it says.
      if (event.kind === 'connected') rollouts.connects(event.node.id, event.returning);
      envoys.record(event);
      metrics.recordXdsEvent(event);
      eventLog.record(event);
      noteXdsEvent(telemetry, event);
      events.post({ kind: 'xds', event });
      if ('typeUrl' in event && event.typeUrl === TYPE_URLS.listener) tellClosed();
      if (event.kind === 'disconnected') strays.suspect(event.node.id);
    },
    // Sluices of a Lease come to a port of their own.
    extraServices: pairs === undefined ? [slots, relayed, links] : [slots],
  });
  const envoys = new Envoys({
    clock,
    hasFilter: (node, registered) => sharing.hasFilter(node, registered),
    hasOthers: (node) => sharing.hasOthers(node),
    ask: (stream) => server.ask(stream),
    drop: (stream, reason) => server.drop(stream, reason),
    changed: (nodes) => events.post({ kind: 'ownership', nodes }),
  });
  const strays = new StrayFilters({
    clock,
    isConnected: (node) => envoys.isConnected(node),
    drop(node, reason) {
      for (const member of slots.members(node)) slots.drop(member, reason);
    },
  });
  const pods = openPodSources(options, file, metrics);
  const checks = new HealthChecks({
    clock,
    check,
    changed: (service) => events.post({ kind: 'health', service }),
  });
  const jobs = new JobPolls({
    clock,
    ask: askJobs,
    changed: (service) => events.post({ kind: 'health', service }),
    lost: (service, { member, address, id }) => {
      const holder = telemetry.members().find((one) => memberKey(one) === member);
      const known = holder && slots.member(holder);
      if (known === undefined) return;
      known.request({ kind: 'end job', service, address, id });
      slots.flush(known);
    },
    unreadable: (service, pod) =>
      log.warn({ service, pod }, 'does not say which jobs it has: async.poll must answer 200 with a JSON list of ids'),
  });
  const jobEvents = new JobEvents(jobs);
  const takenByJobs = (service: ServiceName, address: string) =>
    jobs.isUnasked(service, address) ? undefined : (jobs.taken(service).get(address) ?? 0);
  const rollouts = new Rollouts({
    clock,
    envoys,
    holdings: (stream) => server.holdings(stream),
    slots: filter.kind === 'off' ? undefined : slots,
    podsOf: (locator) => pods.pods(locator),
    unhealthy: (name) => checks.unhealthy(name),
    // Where another Sluice coordinates, that one counts them: it knows those of all filters.
    takenByJobs: (service, address) => (sharing.isElsewhere ? 0 : takenByJobs(service, address)),
    snapshots: new ModelSnapshots({ filter }),
    changed: (node) => events.post({ kind: 'rollout', node }),
  });
  const objects = openObjectRoutes(options, metrics);
  const watched = routeFile && observed(routeFile, (state) => metrics.recordRouteFile(state, clock.now()));
  const routes = new MergedRoutes({ file: watched, objects });
  // What Envoys say of listeners their objects are told.
  const tellClosed = () => {
    if (objects === undefined) return;
    const state = routes.state();
    const listeners = state.kind === 'pending' ? [] : state.value.listeners;
    const refused = [...routes.refused].map(
      (name) => [name, 'the route file has another protocol at its port'] as const,
    );
    objects.closed(new Map([...refused, ...closedListeners(server.nodes(), listeners)]));
  };
  const waiting = new WaitingRequests({
    clock,
    members: () => telemetry.members().flatMap((id) => slots.member(id) ?? []),
    flush: (member) => slots.flush(member),
  });
  const store = new OverrideStore({
    path: options.stateDir && statePath(options.stateDir, 'orders', options.routes ?? 'objects'),
    clock,
    changed: () => events.post({ kind: 'sources' }),
    onFault: (reason) => log.error({ reason }, 'orders of operators cannot be kept: they are lost with a restart'),
  });
  const hasFilter = (node: string) =>
    slots.members(node).some(({ closedAt }) => closedAt === undefined || clock.monotonic() - closedAt < PATIENCE_MS);
  const pending = new PendingEnvoys({
    clock,
    nodes: () => server.nodes(),
    changed: () => events.post({ kind: 'ownership', nodes: new Set() }),
  });
  const controller = new Controller({
    events,
    pending,
    routes,
    pods,
    envoys,
    sharing,
    rollouts,
    checks,
    jobs,
    cache,
    overrides: () => store.current(),
    filterProblems: () =>
      filter.kind === 'off' ? [] : filterProblems({ nodes: server.nodes(), hasFilter, now: clock.now() }),
    clock,
    log,
  });
  // After the server: it must hear of a publication before those who ask it about Envoy's answers.
  const observation = observe({
    version: VERSION,
    routeFile: { path: options.routes ?? 'Kubernetes objects', source: routes },
    pods,
    controller,
    cache,
    server,
    metrics,
    telemetry,
    isFilterOff: () => filter.kind === 'off',
    overrides: () => store.current(),
    sharing,
    clock,
  });
  const operator = new Operator({
    model: () => controller.state().model,
    store,
    tellOthers(orders) {
      links.tell(orders);
      return sharing.order(orders) ?? (links.followers.length > 0 ? HOLDS_FOR_ALL : undefined);
    },
    waiting,
    sharing,
    telemetry,
    isFilterOff: filter.kind === 'off',
  });
  const startPairs = () => pairs?.start(sharing, [relayed, links]);
  const settle = () => ownRegister.settle();
  return {
    server,
    eventLog,
    pending,
    controller,
    envoys,
    strays,
    sharing,
    observation,
    metrics,
    operator,
    telemetry,
    pairs,
    startPairs,
    settle,
  };
}

/** How a Sluice calls itself that has no name: two on one machine listen at different places. */
function ownName([xds]: readonly BindAddress[]): string {
  if (xds === undefined) return hostname();
  return `${hostname()}:${xds.kind === 'tcp' ? xds.port : xds.path}`;
}

/** Who holds the slots of the services with a limit. */
function sharedNow(state: SharingState, model: Model | undefined): readonly (readonly [string, ToldShares])[] {
  return (model?.services ?? []).flatMap(({ service: { name, discipline } }) => {
    const shared = discipline.kind === 'limited' ? describeShared(state, name) : undefined;
    return shared === undefined ? [] : [[name, { why: [], ...shared }] as const];
  });
}

/** What is kept over a restart; each route file has its own. */
function statePath(folder: string, what: string, routes: string): string {
  const id = createHash('sha256').update(resolve(routes)).digest('hex').slice(0, 12);
  return join(folder, `${what}-${id}.json`);
}

function failed(kind: StartFailure['kind'], messages: readonly string[]): Result<never, StartFailure> {
  return fail(...messages.map((message) => ({ kind, message })));
}
