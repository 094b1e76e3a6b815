import { type Coalesced, coalesce } from '../base/coalesce.ts';
import { Timers } from '../base/timers.ts';
import type { OneIn } from '../dataplane/sampling.ts';
import type { PodSource } from '../endpoints/pod-source.ts';
import type { PodsId } from '../model/generation.ts';
import type { Model } from '../model/model.ts';
import type { Problem } from '../model/problem.ts';
import { formatProblem } from '../model/problem.ts';
import type { Routing } from '../model/routing.ts';
import type { ServiceName } from '../model/service.ts';
import type { Source } from '../model/source.ts';
import { stepEjected } from '../slots/ejected.ts';
import { type EndedRequest, type NodeLoad, withoutEnded, withoutOne } from '../slots/observed-load.ts';
import { Publisher, type PublisherOptions } from './publisher.ts';
import { type DrainingPods, type EjectedPods, type HeldPods, type Reconciled, reconcile } from './reconcile.ts';
import { WorkPace } from './work-pace.ts';

/** What the controller works with. */
export interface ControllerOptions extends PublisherOptions {
  readonly routeFile: Source<Routing>;
  readonly pods: PodSource;
}

/** What is in force, and what is wrong. */
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
/** How long a start, and an edit, wait for sources that have not answered yet. */
const FIRST_WAIT_MS = 30_000;
const EDIT_WAIT_MS = 5_000;
/** A wait longer than this is worth a line in the log. */
const TELL_WAITING_MS = 1_000;
/** How often what is on its way out is looked at when no report comes. */
const MOVING_RECHECK_MS = 5_000;

/** The loop: sources and observed load in, snapshots out. Keeps the last good configuration in force. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #loads = new Map<string, NodeLoad>();
  readonly #trigger: Coalesced;
  readonly #publisher: Publisher;
  /** Ends that were told since the last report. */
  readonly #ended: EndedRequest[] = [];
  #draining: DrainingPods = new Map();
  #ejected: EjectedPods = new Map();
  #held: HeldPods = new Map();
  readonly #pace: WorkPace;
  #state: ControllerState = { model: undefined, problems: [], pending: [] };
  #routing: Routing | undefined;
  #pendingSince: number | undefined;
  #publishing: Promise<void> | undefined;
  #again = false;
  readonly #timers: Timers;
  /** Calls off the next look at what is on its way out: one is enough, however often something is published. */
  #cancelRecheck = () => {};
  #stopped = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#publisher = new Publisher(options);
    this.#trigger = coalesce(() => this.#reconcile(), { quiet: QUIET_MS, longest: LONGEST_MS, clock: options.clock });
    this.#pace = new WorkPace({
      later: (ms, callback) => this.#timers.after(ms, callback),
      model: () => this.#state.model,
      onNews: () => this.#trigger.poke(),
    });
  }

  /** What is in force now. */
  state(): ControllerState {
    return this.#state;
  }

  /** What each Envoy last reported, by node id. */
  loads(): ReadonlyMap<string, NodeLoad> {
    return this.#loads;
  }

  /** Looks at everything again: what Envoys are to be given has changed. */
  carriersChanged(): void {
    if (!this.#stopped) this.#trigger.poke();
  }

  /** Takes what an Envoy reported about its pods; `undefined`: it has gone, and nothing is known of it. */
  report(nodeId: string, load: NodeLoad | undefined): void {
    if (load === undefined) this.#loads.delete(nodeId);
    else this.#loads.set(nodeId, withoutEnded(load, this.#ended.splice(0)));
    if (this.isMoving()) this.#trigger.poke();
  }

  /** Takes which pods (as `formatAddress` writes them) an Envoy gives no request for the moment: all of them. */
  ejected(pods: ReadonlyMap<PodsId, readonly string[]>): void {
    this.#ejected = stepEjected(this.#ejected, pods, this.#options.clock.now());
    if (!this.#stopped) this.#trigger.poke();
  }

  /** A pod has worked on a request of this service for so many milliseconds. */
  worked(service: ServiceName, ms: number): void {
    if (!this.#stopped) this.#pace.worked(service, ms);
  }

  /** Of requests that are answered, Envoys are to tell of one in so many from now on. */
  sample(oneIn: OneIn): void {
    if (!this.#stopped) this.#publisher.sample(oneIn);
  }

  /**
   * A request on a draining pod is about to end: resolves once the gate has no slot for it any more. Takes the
   * names that Envoy got with the endpoint; others mean nothing and change nothing, nor do Envoys that are not
   * `isCaller`.
   */
  async requestEnded(podsId: string, pod: string, isCaller: (nodeId: string) => boolean): Promise<void> {
    // Only looked up: what is no `PodsId` is not found.
    const id = podsId as PodsId;
    for (const [nodeId, load] of this.#loads) {
      if (!isCaller(nodeId)) continue;
      const rest = withoutOne(load, id, pod);
      if (rest === load) continue;
      this.#loads.set(nodeId, rest);
      this.#ended.push({ id, pod, at: this.#options.clock.now() });
      // A publication may be under way that does not know of this yet.
      while (this.#publishing !== undefined) await this.#publishing;
      this.#reconcile();
      await this.#publishing;
      return;
    }
  }

  /** Whether anything is out or on its way out: only then limits follow what Envoys report about pods. */
  isMoving(): boolean {
    return this.#draining.size > 0 || this.#ejected.size > 0 || (this.#state.model?.retiring.length ?? 0) > 0;
  }

  /** Runs until `signal` is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { routeFile, pods } = this.#options;
    const changed = () => this.#trigger.poke();
    changed();
    await Promise.all([routeFile.run(signal, changed), pods.run(signal, changed)]);
    this.#stopped = true;
    this.#trigger.stop();
    this.#timers.stop();
    await this.#publishing;
  }

  #reconcile(): void {
    if (this.#publishing !== undefined) {
      this.#again = true;
      return;
    }
    const { routeFile, pods, clock } = this.#options;
    const file = routeFile.state();
    if (file.kind === 'pending') {
      this.#tell([], file.problems);
      return;
    }
    if (file.value !== this.#routing) {
      this.#routing = file.value;
      pods.want(file.value.services.map(({ locator }) => locator));
    }
    const reconciled = reconcile({
      routing: file.value,
      podsOf: (locator) => pods.pods(locator),
      loads: this.#loads,
      before: this.#state.model,
      draining: this.#draining,
      ejected: this.#ejected,
      held: this.#held,
      raising: this.#publisher.kicked,
      meanWork: this.#pace.meanWork,
      now: clock.now(),
    });
    this.#tell(reconciled.pending, [...file.problems, ...reconciled.problems, ...this.#options.carriers.problems()]);
    if (this.#mustWait(reconciled)) return;
    this.#publishing = this.#publish(reconciled).finally(() => {
      this.#publishing = undefined;
      if (this.#again && !this.#stopped) this.#trigger.poke();
      this.#again = false;
    });
  }

  /**
   * Half a configuration is never sent: a start waits for every source, an edit for those it brings. After
   * a while it goes on without the ones that stay silent: requests for their services wait.
   */
  #mustWait({ pending }: Reconciled): boolean {
    const { clock, log } = this.#options;
    const { services: before = [] } = this.#state.model ?? {};
    const unknown = pending.filter((name) => !before.some(({ service }) => service.name === name));
    if (unknown.length === 0) {
      this.#pendingSince = undefined;
      return false;
    }
    const now = clock.monotonic();
    const longest = this.#state.model === undefined ? FIRST_WAIT_MS : EDIT_WAIT_MS;
    if (this.#pendingSince === undefined) {
      this.#pendingSince = now;
      this.#timers.after(TELL_WAITING_MS, () => this.#tellWaiting());
      this.#timers.after(longest, () => this.#trigger.poke());
    }
    if (now - this.#pendingSince < longest) return true;
    log.warn(
      { services: unknown, waitedMs: longest },
      'going on without these services: nobody has told their pods yet',
    );
    return false;
  }

  #tellWaiting(): void {
    if (this.#pendingSince === undefined || this.#stopped) return;
    const { pending: services } = this.#state;
    this.#options.log.info({ services }, 'waiting for the pods of these services before anything is published');
  }

  async #publish({ model, draining, held }: Reconciled): Promise<void> {
    const before = this.#state.model;
    this.#draining = draining;
    this.#held = held;
    this.#state = { ...this.#state, model };
    await this.#publisher.publish(before, model);
    if (held.size > 0) {
      await this.#publisher.allKicked();
      this.#again = true;
    }
    this.#cancelRecheck();
    if (this.isMoving()) this.#cancelRecheck = this.#timers.after(MOVING_RECHECK_MS, () => this.#trigger.poke());
  }

  /** Problems are logged when they come and when they go, not again and again. */
  #tell(pending: readonly ServiceName[], problems: readonly Problem[]): void {
    const { log } = this.#options;
    const before = new Set(this.#state.problems.map(formatProblem));
    const now = new Set(problems.map(formatProblem));
    for (const problem of problems) {
      const text = formatProblem(problem);
      if (!before.has(text)) log[problem.severity === 'error' ? 'error' : 'warn']({ subject: problem.subject }, text);
    }
    for (const text of before) if (!now.has(text)) log.info({ problem: text }, 'mended');
    this.#state = { ...this.#state, problems, pending };
  }
}
