import type { Clock } from './base/clock.ts';
import { type Coalesced, coalesce } from './base/coalesce.ts';
import type { Logger } from './log.ts';
import type { Model } from './model/model.ts';
import type { Problem } from './model/problem.ts';
import { formatProblem } from './model/problem.ts';
import type { Routing } from './model/routing.ts';
import type { ServiceName } from './model/service.ts';
import type { Source } from './model/source.ts';
import { type Reconciled, reconcile } from './reconcile.ts';
import type { Draining } from './slots/draining.ts';
import { type NodeLoad, withoutOne } from './slots/observed-load.ts';
import { type Stage, stages } from './slots/stages.ts';
import type { SnapshotCache } from './snapshot/cache.ts';
import { PUSH_ORDER, type TypeUrl } from './snapshot/resource.ts';
import { makeSnapshot } from './snapshot/snapshot.ts';
import type { PodSource } from './source/pod-source.ts';
import type { TranslateOptions } from './translate/options.ts';
import { translate } from './translate/translate.ts';

/** The Envoys, as far as the controller needs them. */
export interface Envoys {
  /** Waits until every connected Envoy has answered what the cache holds now. */
  waitForAck(types: readonly TypeUrl[], timeoutMs: number): Promise<'acked' | 'nacked' | 'timeout' | 'no nodes'>;
  /** Sends a dummy request through the gate of a service; never rejects. */
  kick(service: ServiceName): Promise<void>;
}

/** What the controller works with. */
export interface ControllerOptions {
  readonly routeFile: Source<Routing>;
  readonly pods: PodSource;
  readonly cache: SnapshotCache;
  readonly envoys: Envoys;
  readonly translate: TranslateOptions;
  readonly clock: Clock;
  readonly log: Logger;
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
/** How long one stage waits for Envoys that do not answer before the next goes out. */
const STAGE_WAIT_MS = 1_000;
/** How often draining pods are looked at when no report comes. */
const DRAINING_RECHECK_MS = 5_000;

/** The loop: sources and observed load in, snapshots out. Keeps the last good configuration in force. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #loads = new Map<string, NodeLoad>();
  readonly #trigger: Coalesced;
  #draining: ReadonlyMap<ServiceName, readonly Draining[]> = new Map();
  #state: ControllerState = { model: undefined, problems: [], pending: [] };
  #routing: Routing | undefined;
  #published = '';
  #pendingSince: number | undefined;
  #publishing: Promise<void> | undefined;
  #again = false;
  readonly #timers = new Set<() => void>();
  #stopped = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#trigger = coalesce(() => this.#reconcile(), { quiet: QUIET_MS, longest: LONGEST_MS, clock: options.clock });
  }

  /** What is in force now. */
  state(): ControllerState {
    return this.#state;
  }

  /** What each Envoy last reported, by node id. */
  loads(): ReadonlyMap<string, NodeLoad> {
    return this.#loads;
  }

  /** Takes what an Envoy reported about its pods; `undefined`: it has gone, and nothing is known of it. */
  report(nodeId: string, load: NodeLoad | undefined): void {
    if (load === undefined) this.#loads.delete(nodeId);
    else this.#loads.set(nodeId, load);
    // Load moves limits only while some pod is on its way out.
    const draining = this.#state.model?.services.some(({ pods }) => pods.some((pod) => pod.state === 'draining'));
    if (draining) this.#trigger.poke();
  }

  /** A request on a draining pod is about to end: resolves once the gate has no slot for it any more. */
  async requestEnded(service: string, pod: string): Promise<void> {
    const name = this.#state.model?.services.find((other) => other.service.name === service)?.service.name;
    const holder = [...this.#loads].find(
      ([, load]) => name !== undefined && (load.running.get(name)?.get(pod) ?? 0) > 0,
    );
    if (name === undefined || holder === undefined) return;
    this.#loads.set(holder[0], withoutOne(holder[1], name, pod));
    // A publication may be under way that does not know of this yet.
    while (this.#publishing !== undefined) await this.#publishing;
    this.#reconcile();
    await this.#publishing;
  }

  /** Runs until `signal` is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { routeFile, pods } = this.#options;
    const changed = () => this.#trigger.poke();
    changed();
    await Promise.all([routeFile.run(signal, changed), pods.run(signal, changed)]);
    this.#stopped = true;
    this.#trigger.stop();
    for (const cancel of this.#timers) cancel();
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
      now: clock.now(),
    });
    this.#tell(reconciled.pending, [...file.problems, ...reconciled.problems]);
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
    const before = new Set(this.#state.model?.services.map(({ service }) => service.name));
    const unknown = pending.filter((name) => !before.has(name));
    if (unknown.length === 0) {
      this.#pendingSince = undefined;
      return false;
    }
    const now = clock.monotonic();
    const longest = this.#state.model === undefined ? FIRST_WAIT_MS : EDIT_WAIT_MS;
    if (this.#pendingSince === undefined) {
      this.#pendingSince = now;
      this.#later(TELL_WAITING_MS, () => this.#tellWaiting());
      this.#later(longest, () => this.#trigger.poke());
    }
    if (now - this.#pendingSince < longest) return true;
    log.warn(
      { services: unknown, waitedMs: longest },
      'going on without these services: nobody has told their pods yet',
    );
    return false;
  }

  /** Calls `callback` after `ms`, unless the controller is stopped before: a timer would keep the process alive. */
  #later(ms: number, callback: () => void): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#timers.delete(cancel);
      callback();
    });
    this.#timers.add(cancel);
  }

  #tellWaiting(): void {
    if (this.#pendingSince === undefined || this.#stopped) return;
    const { pending: services } = this.#state;
    this.#options.log.info({ services }, 'waiting for the pods of these services before anything is published');
  }

  async #publish(reconciled: Reconciled): Promise<void> {
    const { model, draining } = reconciled;
    const steps = stages(this.#state.model, model);
    this.#draining = draining;
    this.#state = { ...this.#state, model };
    for (const [index, stage] of steps.entries()) await this.#publishStage(stage, index === steps.length - 1);
    if (draining.size > 0) this.#later(DRAINING_RECHECK_MS, () => this.#trigger.poke());
  }

  async #publishStage({ model, kick }: Stage, last: boolean): Promise<void> {
    const { cache, envoys, clock, log } = this.#options;
    const snapshot = makeSnapshot(translate(model, this.#options.translate));
    if (snapshot.version === this.#published) return;
    this.#published = snapshot.version;
    const start = clock.monotonic();
    cache.set(snapshot);
    const result = await envoys.waitForAck(PUSH_ORDER, STAGE_WAIT_MS);
    const fields = { version: snapshot.version, ms: Math.round(clock.monotonic() - start) };
    switch (result) {
      case 'acked':
        log[last ? 'info' : 'debug'](fields, 'configuration in force');
        break;
      case 'nacked':
        log.error(fields, 'Envoy refuses a part of the configuration; what it had stays in force');
        break;
      case 'timeout':
        log.warn(fields, 'an Envoy has not answered yet');
        break;
      case 'no nodes':
        log.info({ version: snapshot.version }, 'configuration ready; no Envoy is connected yet');
        break;
    }
    if (result !== 'no nodes') await Promise.all(kick.map((service) => envoys.kick(service)));
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
