import type { Clock } from '../base/clock.ts';
import { type Coalesced, coalesce } from '../base/coalesce.ts';
import type { Logger } from '../base/log.ts';
import { Timers } from '../base/timers.ts';
import type { HealthChecks } from '../endpoints/health/checks.ts';
import type { JobPolls } from '../endpoints/jobs/polls.ts';
import type { PodSource } from '../endpoints/pod-source.ts';
import type { Locator } from '../model/locator.ts';
import type { Model } from '../model/model.ts';
import type { Overrides } from '../model/overrides.ts';
import type { Problem } from '../model/problem.ts';
import { formatProblem } from '../model/problem.ts';
import type { Routing } from '../model/routing.ts';
import type { ServiceName } from '../model/service.ts';
import type { Source } from '../model/source.ts';
import type { Envoys } from '../nodes/envoys.ts';
import { summarizeEnvoys } from '../nodes/summary.ts';
import { type Sharing, sharedServices } from '../slots/sharing.ts';
import type { SnapshotCache } from '../snapshot/cache.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import type { ControllerEvent, EventQueue } from './events.ts';
import { PATIENCE_MS } from './filter-problems.ts';
import type { PendingEnvoys } from './pending-envoys.ts';
import { type Reconciled, reconcile } from './reconcile.ts';
import type { Rollouts } from './rollouts.ts';

/** What the controller works with. */
export interface ControllerOptions {
  readonly events: EventQueue;
  readonly routes: Source<Routing>;
  readonly pods: PodSource;
  readonly envoys: Pick<Envoys, 'follow' | 'problems'>;
  /** Who shares the slots of the services. */
  readonly sharing: Pick<Sharing, 'follow' | 'recordJobs' | 'problems'>;
  readonly rollouts: Rollouts;
  /** Who asks pods whether they are well. */
  readonly checks: Pick<HealthChecks, 'follow' | 'stop'>;
  /** Who asks pods which jobs they have. */
  readonly jobs: Pick<JobPolls, 'follow' | 'stop'>;
  readonly cache: SnapshotCache;
  /** What operators have ordered; a change of it is told as one of the sources. */
  readonly overrides: () => Overrides;
  /** What else is wrong with Envoys and their filters. */
  readonly filterProblems: () => readonly Problem[];
  /** Envoys that have not taken for long what they are to have. */
  readonly pending: Pick<PendingEnvoys, 'problems'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is active, and what is wrong. */
export interface ControllerState {
  /** Undefined until everything needed for a first configuration was known. */
  readonly model: Model | undefined;
  readonly problems: readonly Problem[];
  /** Services whose pods nobody has told yet. */
  readonly pending: readonly ServiceName[];
}

/** Changes that come together are handled together. */
const QUIET_MS = 5;
const LONGEST_MS = 50;
/** Problems are looked for in all Envoys at once: not for each of thousands that come and go together. */
const PROBLEMS_QUIET_MS = 20;
const PROBLEMS_LONGEST_MS = 250;
/** How long a start, and an edit, wait for sources that have neither answered nor failed. */
const LONGEST_WAIT_MS = 5_000;
/** A wait longer than this is worth a line in the log. */
const TELL_WAITING_MS = 1_000;

/** The loop: events in, models and snapshots out. Keeps the last good configuration active. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #trigger: Coalesced;
  readonly #problems: Coalesced;
  /** A filter that does not come (back) is a problem after a while. */
  readonly #missingFilters: Coalesced;
  readonly #timers: Timers;
  #reconciled: Reconciled | undefined;
  /** The model that is followed, or is about to be. */
  #newest: Model | undefined;
  #state: ControllerState = { model: undefined, problems: [], pending: [] };
  #waitingSince: number | undefined;
  #hasWaitedFor: Routing | undefined;
  #stopped = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#trigger = coalesce(() => this.#reconcile(), { quiet: QUIET_MS, longest: LONGEST_MS, clock: options.clock });
    const { clock } = options;
    const tell = () => this.#tellProblems();
    this.#problems = coalesce(tell, { quiet: PROBLEMS_QUIET_MS, longest: PROBLEMS_LONGEST_MS, clock });
    this.#missingFilters = coalesce(tell, { quiet: PATIENCE_MS + 1, longest: 2 * PATIENCE_MS, clock });
    options.events.handle((events) => this.#take(events));
  }

  /** What is active now. */
  state(): ControllerState {
    return this.#state;
  }

  /** Runs until `signal` is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { routes, pods, events, rollouts } = this.#options;
    const changed = () => events.post({ kind: 'sources' });
    changed();
    await Promise.all([routes.run(signal, changed), pods.run(signal, changed)]);
    this.#stopped = true;
    for (const each of [this.#trigger, this.#problems, this.#missingFilters]) each.stop();
    this.#timers.stop();
    this.#options.checks.stop();
    this.#options.jobs.stop();
    rollouts.stop();
  }

  #take(events: readonly ControllerEvent[]): void {
    if (this.#stopped) return;
    const { rollouts, sharing } = this.#options;
    if (events.some(({ kind }) => kind === 'sources')) this.#trigger.poke();
    const xds = events.flatMap((each) => (each.kind === 'xds' ? [each.event] : []));
    const slots = events.flatMap((each) => (each.kind === 'slots' ? [each.event] : []));
    const health = events.flatMap((each) => (each.kind === 'health' ? [each.service] : []));
    // Before a filter that has come is told anything: its Envoy may get more services by that.
    const changed = new Set(events.flatMap((each) => (each.kind === 'ownership' ? [each.nodes] : [])));
    this.#options.cache.reselect(new Set([...changed].flatMap((nodes) => [...nodes])));
    if (slots.length > 0) rollouts.recordSlots(slots);
    if (health.length > 0) {
      // Jobs that no filter knows take slots.
      sharing.recordJobs();
      rollouts.recordHealth(health);
    }
    if (xds.length > 0) rollouts.recordXds(xds);
    this.#options.cache.reselect(new Set(events.flatMap((each) => (each.kind === 'rollout' ? [each.node] : []))));
    if (events.some(mayChangeProblems)) this.#problems.poke();
    if (events.some(mayMissFilter)) this.#missingFilters.poke();
  }

  #reconcile(): void {
    const { routes, pods, rollouts } = this.#options;
    const file = routes.state();
    if (file.kind === 'pending') {
      this.#tellProblems();
      return;
    }
    const wanted = file.value;
    const inUse = this.#reconciled?.model?.routing ?? wanted;
    const services = inUse === wanted ? wanted.services : [...wanted.services, ...inUse.services];
    pods.want([...services.map(({ locator }) => locator), ...rollouts.leaving()]);
    const mayWait = this.#hasWaitedFor !== wanted;
    const podsOf = (locator: Locator) => pods.pods(locator);
    const overrides = this.#options.overrides();
    const reconciled = reconcile({ wanted, podsOf, before: this.#reconciled, overrides, mayWait });
    this.#reconciled = reconciled;
    this.#waitFor(reconciled.awaited, wanted);
    const { model, wanted: resolved } = reconciled;
    this.#state = { ...this.#state, model, pending: resolved.pending };
    this.#tellProblems();
    if (model === undefined) return;
    if (model !== this.#newest) {
      this.#newest = model;
      this.#prepare(model, rollouts.prepare(model));
    }
    rollouts.recordSources();
  }

  /** Follows a model when what is new of it is prepared: at once, or where that is much, a little later. */
  #prepare(model: Model, steps: Generator<undefined, void, undefined>): void {
    // A newer one may have come meanwhile.
    if (model !== this.#newest) return;
    if (steps.next().done === true) this.#follow(model);
    else this.#timers.after(1, () => this.#prepare(model, steps));
  }

  #follow(model: Model): void {
    const { rollouts, envoys, sharing, checks, jobs } = this.#options;
    // Before the rollouts: no pod gets a request before it was asked.
    jobs.follow(model.services);
    rollouts.follow(model);
    envoys.follow(model.services);
    sharing.follow(sharedServices(model.services));
    checks.follow(model.services);
    this.#publish();
  }

  /** Notes since when sources are waited for; a while later it goes on without them. */
  #waitFor(awaited: readonly ServiceName[], wanted: Routing): void {
    const { clock, log } = this.#options;
    if (awaited.length === 0) {
      this.#waitingSince = undefined;
      return;
    }
    if (this.#waitingSince !== undefined) return;
    this.#waitingSince = clock.monotonic();
    this.#timers.after(TELL_WAITING_MS, () => {
      const services = this.#reconciled?.awaited ?? [];
      if (services.length > 0)
        log.info({ services }, 'waiting for the pods of these services before their routes are used');
    });
    this.#timers.after(LONGEST_WAIT_MS, () => {
      const services = this.#reconciled?.awaited ?? [];
      if (services.length === 0 || this.#options.routes.state().kind === 'pending') return;
      this.#hasWaitedFor = wanted;
      this.#waitingSince = undefined;
      log.warn(
        { services, waitedMs: LONGEST_WAIT_MS },
        'going on without these services: nobody has told their pods yet',
      );
      this.#trigger.poke();
    });
  }

  /** Has every Envoy look what there is for it now. */
  #publish(): void {
    const { cache, rollouts } = this.#options;
    cache.select((node, stream) => rollouts.snapshotFor(node, stream));
  }

  /** Problems are logged when they come and when they go, not again and again. */
  #tellProblems(): void {
    const { log, routes, envoys, sharing, filterProblems, pending } = this.#options;
    const ofEnvoys = [...envoys.problems(), ...sharing.problems(), ...filterProblems()];
    const found = [
      ...routes.state().problems,
      ...(this.#reconciled?.wanted.problems ?? []),
      ...summarizeEnvoys([...ofEnvoys, ...pending.problems(ofEnvoys)]),
    ];
    const before = new Set(this.#state.problems.map(formatProblem));
    const now = new Set(found.map(formatProblem));
    for (const problem of found) {
      const text = formatProblem(problem);
      if (!before.has(text)) log[problem.severity === 'error' ? 'error' : 'warn']({ subject: problem.subject }, text);
    }
    for (const text of before) if (!now.has(text)) log.info({ problem: text }, 'resolved');
    this.#state = { ...this.#state, problems: found };
  }
}

/** Whether the queue filter of an Envoy is to be looked for some time after this. */
function mayMissFilter(event: ControllerEvent): boolean {
  // Its filter begins with its listeners.
  if (event.kind === 'xds') return event.event.kind === 'acked' && event.event.typeUrl === TYPE_URLS.listener;
  return event.kind === 'slots' && event.event.kind === 'gone';
}

/** Whether there may be other problems after this: most of what Envoys and filters say is that all is well. */
function mayChangeProblems(event: ControllerEvent): boolean {
  switch (event.kind) {
    case 'sources':
      // Looked at with all else once they are reconciled.
      return false;
    case 'health':
    case 'rollout':
      return false;
    case 'ownership':
    case 'sharing':
      return true;
    case 'xds':
      return event.event.kind === 'nacked' || event.event.kind === 'disconnected' || event.event.kind === 'connected';
    case 'slots':
      return event.event.kind === 'hello' || event.event.kind === 'gone' || event.event.kind === 'rejected';
  }
}
