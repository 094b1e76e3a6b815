import type { Clock } from '../base/clock.ts';
import { remember } from '../base/remember.ts';
import { Timers } from '../base/timers.ts';
import { CONTROL_LISTENER } from '../dataplane/contract.ts';
import type { Locator } from '../model/locator.ts';
import type { Model } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Service, ServiceName } from '../model/service.ts';
import type { SourceState } from '../model/source.ts';
import type { Envoys } from '../nodes/envoys.ts';
import type { SlotsEvent } from '../slots/events.ts';
import type { Member } from '../slots/member.ts';
import type { NodeIdentity } from '../snapshot/cache.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import { type Snapshot, withOnly } from '../snapshot/snapshot.ts';
import type { XdsEvent } from '../xds/protocol/event.ts';
import type { ModelSnapshots } from './model-snapshots.ts';
import { type Holdings, RETURN_MS, Rollout, type RolloutView } from './rollout.ts';

/** What `Rollouts` works with. */
export interface RolloutsOptions {
  readonly clock: Clock;
  readonly envoys: Pick<Envoys, 'given' | 'isReturning' | 'withheldFrom' | 'needsFilter'>;
  /** What the client of a stream has taken. */
  readonly holdings: (stream: number) => Holdings | undefined;
  /** The filters in an Envoy, and the way to them. Undefined: none, Envoys queue by themselves. */
  readonly slots: { members(node: string): readonly Member[]; flush(member: Member): void } | undefined;
  readonly podsOf: (locator: Locator) => SourceState<readonly Pod[]>;
  /** The pods of a service that fail their health checks. */
  readonly unhealthy: (name: ServiceName) => ReadonlySet<string>;
  /** Slots of a pod that are taken by jobs which no filter knows; undefined: that is not known yet. */
  readonly takenByJobs: (name: ServiceName, address: string) => number | undefined;
  readonly snapshots: ModelSnapshots;
  /** Told when an Envoy is to be sent something else. */
  readonly changed: (node: string) => void;
}

/** The rollout to one Envoy. */
interface Running {
  readonly rollout: Rollout;
  view: RolloutView | undefined;
  snapshot: Snapshot | undefined;
  model: Model | undefined;
  absent: ReadonlySet<ServiceName>;
  /** Until when its filter is waited for before anything is sent, in monotonic milliseconds. */
  readonly waitsUntil: number;
  /**
   * Whether it takes requests, or is to. An Envoy that has just started is not before its filter knows every service: left alone
   * until then, it would have a queue without slots.
   */
  isOpen: boolean;
  /** Calls off the next look at it. */
  cancel: () => void;
}

/** How long what is known of an Envoy without any stream is kept. */
const REMEMBER_MS = 30_000;

/** How long after it has the control listener an Envoy waits for its filter: one that does not come then does not come. */
const OPEN_MS = 5000;

/**
 * After a start the filter of an Envoy that had a configuration is waited for so long: one that nobody answered tries again every 2 s
 * (`RETRY_MAX_MS` in envoy/filter/stream.ts). What it has decides what may be taken away: without it a service that was renamed
 * meanwhile would lose its cluster while requests wait for it.
 */
const START_RETURN_MS = 3000;

/** Beside Envoys that share slots it waits longer, as without its filter it could only refuse requests: it may just be busy. */
const OPEN_BESIDE_MS = 30_000;

/** What there is to listen for before an Envoy takes requests: the filter begins there. */
const CONTROL = new Set([CONTROL_LISTENER]);

const NO_TIMER = () => {};

/** The rollouts to all Envoys: each goes at its own pace, and none waits for another. */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #running = new Map<string, Running>();
  /** The open streams of each node, and which types it has asked for there. */
  readonly #streams = new Map<string, Map<number, Set<string>>>();
  readonly #timers: Timers;
  readonly #closed = new WeakMap<Snapshot, Snapshot>();
  #model: Model | undefined;
  /** What a client gets that is no Envoy, before services are left out. */
  #whole: RolloutView | undefined;

  constructor(options: RolloutsOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** Does most of the work that `follow` will cause, some of it with each step. */
  prepare(model: Model): Generator<undefined, void, undefined> {
    return this.#options.snapshots.prepare({ model, kept: unknown(model) });
  }

  /** From now on this is what Envoys are to have. */
  follow(model: Model): void {
    if (this.#model === model) return;
    this.#model = model;
    this.#whole = { model, kept: unknown(model) };
  }

  /** What the client of a stream is sent now. */
  snapshotFor(node: NodeIdentity, stream?: number): Snapshot | undefined {
    const given = this.#options.envoys.given(node, stream);
    const model = this.#model;
    if (model === undefined || given.kind === 'waits') return undefined;
    const { snapshots } = this.#options;
    if (given.kind !== 'envoy') {
      const whole = this.#whole && snapshots.of(this.#whole, given.absent);
      return given.kind === 'silent' && this.#options.slots !== undefined
        ? whole && this.#closedSnapshot(whole)
        : whole;
    }
    const running = this.#running.get(node.id) ?? this.#start(node.id);
    if (running.model !== model || running.absent !== given.absent) {
      running.model = model;
      running.absent = given.absent;
      this.#step(node.id, running);
    }
    // One that is back says what it listens for a moment later: that stays.
    if (!running.isOpen && stream !== undefined && this.#listens(stream)) running.isOpen = true;
    return running.isOpen ? running.snapshot : running.snapshot && this.#closedSnapshot(running.snapshot);
  }

  /** Where the pods of services are found that have left the model, and that an Envoy still has requests for. */
  leaving(): readonly Locator[] {
    return [...this.#running.values()].flatMap(({ rollout }) => rollout.leaving.map(({ locator }) => locator));
  }

  /**
   * A client connects, before anything is given to it. If Envoy was started again, what the one before had, and that it took
   * requests, says nothing of it.
   */
  connects(node: string, isReturning: boolean): void {
    if (!isReturning && !this.#streams.has(node)) this.#forget(node);
  }

  /** Takes note of what Envoys answer. */
  recordXds(events: readonly XdsEvent[]): void {
    for (const event of events) {
      const { node, stream } = event;
      const running = this.#running.get(node.id);
      if (event.kind === 'connected') {
        const streams = remember(this.#streams, node.id, () => new Map<number, Set<string>>());
        streams.set(stream, new Set());
        running?.rollout.reconnected();
      } else if (event.kind === 'asked') this.#streams.get(node.id)?.get(stream)?.add(event.typeUrl);
      else if (event.kind === 'acked' && isOfServices(event.typeUrl))
        running?.rollout.touch(event.resources as readonly ServiceName[]);
      else if (event.kind === 'acked' && event.typeUrl === TYPE_URLS.listener) this.#openLater(node.id);
      else if (event.kind === 'nacked' && isOfFilter(event.typeUrl)) this.#open(node.id);
      else if (event.kind === 'disconnected') this.#disconnected(node.id, stream);
    }
    for (const node of new Set(events.map((event) => event.node.id))) this.#stepNode(node);
  }

  /** Takes note of what filters say. */
  recordSlots(events: readonly SlotsEvent[]): void {
    for (const event of events) {
      const rollout = this.#running.get(event.node)?.rollout;
      if (event.kind === 'acked') rollout?.touch(event.services);
      else if (event.kind === 'pod' && event.event.kind === 'forgotten') rollout?.touch([event.event.service]);
      else if (event.kind === 'hello') this.#joined(event);
    }
    for (const node of new Set(events.map((event) => event.node))) this.#stepNode(node);
  }

  /** Other pods of these services fail their health checks than before. */
  recordHealth(names: readonly ServiceName[]): void {
    for (const [node, { rollout }] of this.#running) {
      rollout.touch(names);
      this.#stepNode(node);
    }
  }

  /** The sources of pods have changed: those that leave the model follow them too. */
  recordSources(): void {
    for (const [node, { rollout }] of this.#running) if (rollout.leaving.length > 0) this.#stepNode(node);
  }

  /** Ends all waiting. */
  stop(): void {
    this.#timers.stop();
  }

  #joined({ node, epoch }: SlotsEvent): void {
    const running = this.#running.get(node);
    const member = this.#members(node).find(({ id }) => id.epoch === epoch);
    if (member === undefined || running === undefined) return;
    // Its filter is back before it is: what was given away meanwhile it must not go on using.
    if (!this.#streams.has(node))
      running.absent = new Set([...running.absent, ...this.#options.envoys.withheldFrom(node)]);
    running.rollout.join(member);
  }

  #start(node: string): Running {
    const { clock, envoys } = this.#options;
    const now = clock.monotonic();
    const running: Running = {
      rollout: new Rollout(),
      view: undefined,
      snapshot: undefined,
      model: undefined,
      absent: new Set(),
      isOpen: this.#options.slots === undefined,
      waitsUntil: envoys.isReturning(node) && this.#options.slots !== undefined ? now + START_RETURN_MS : now,
      cancel: NO_TIMER,
    };
    this.#running.set(node, running);
    for (const member of this.#members(node)) running.rollout.join(member);
    return running;
  }

  #disconnected(node: string, stream: number): void {
    const streams = this.#streams.get(node);
    if (!streams?.delete(stream) || streams.size > 0) return;
    this.#streams.delete(node);
    this.#timers.after(REMEMBER_MS, () => {
      if (this.#streams.has(node)) return;
      this.#forget(node);
    });
  }

  #forget(node: string): void {
    this.#running.get(node)?.cancel();
    this.#running.delete(node);
  }

  #members(node: string): readonly Member[] {
    const now = this.#options.clock.monotonic();
    const members = this.#options.slots?.members(node) ?? [];
    return members.filter(({ closedAt }) => closedAt === undefined || now - closedAt < RETURN_MS);
  }

  #stepNode(node: string): void {
    const running = this.#running.get(node);
    if (running?.model === undefined) return;
    const isNew = this.#step(node, running);
    if (!running.isOpen && running.rollout.isToldTo(this.#members(node))) this.#open(node);
    else if (isNew) this.#options.changed(node);
  }

  #open(node: string): void {
    const running = this.#running.get(node);
    if (running === undefined || running.isOpen) return;
    running.isOpen = true;
    this.#options.changed(node);
  }

  /** Its filter may have begun now. */
  #openLater(node: string): void {
    const running = this.#running.get(node);
    if (running === undefined || running.isOpen) return;
    const open = () => {
      if (this.#running.get(node) === running) this.#open(node);
    };
    this.#timers.after(OPEN_MS, () => {
      if (!this.#options.envoys.needsFilter(node)) open();
    });
    this.#timers.after(OPEN_BESIDE_MS, open);
  }

  /** Whether the client of a stream takes requests already. */
  #listens(stream: number): boolean {
    const holdings = this.#options.holdings(stream);
    if (holdings === undefined) return false;
    const names = holdings.names(TYPE_URLS.listener);
    return holdings.isReturning(TYPE_URLS.listener) || names.some((name) => name !== CONTROL_LISTENER);
  }

  #closedSnapshot(snapshot: Snapshot): Snapshot {
    return remember(this.#closed, snapshot, () => withOnly(snapshot, TYPE_URLS.listener, CONTROL));
  }

  /** Whether the Envoy is to be sent something else than before. */
  #step(node: string, running: Running): boolean {
    const { clock, slots, snapshots } = this.#options;
    const { rollout, model, absent } = running;
    const now = clock.monotonic();
    running.cancel();
    running.cancel = NO_TIMER;
    if (model === undefined) return false;
    rollout.setTarget(model, absent);
    const members = this.#members(node);
    // What its filter has decides what may be taken away.
    if (members.length === 0 && now < running.waitsUntil) {
      running.cancel = this.#timers.after(running.waitsUntil - now, () => this.#stepNode(node));
      return false;
    }
    const before = running.snapshot;
    const holdings = this.#holdingsOf(node);
    const { unhealthy, takenByJobs } = this.#options;
    const podsOf = (service: Service) => this.#podsOf(service);
    const input = { members, holdings, podsOf, unhealthy, takenByJobs, now };
    for (let again = true; again; ) {
      const view = rollout.step(input);
      again = view !== running.view;
      if (again) {
        running.view = view;
        running.snapshot = snapshots.of(view, absent, running.snapshot);
        // The Envoy may have just that already.
        rollout.noteSnapshot(running.snapshot);
      }
    }
    for (const member of members) {
      member.setSynced();
      slots?.flush(member);
    }
    if (rollout.wakeAt !== undefined)
      running.cancel = this.#timers.after(Math.max(1, rollout.wakeAt - now), () => this.#stepNode(node));
    return running.snapshot !== before;
  }

  #podsOf({ locator }: Service): readonly Pod[] | undefined {
    const state = this.#options.podsOf(locator);
    return state.kind === 'pending' ? undefined : state.value;
  }

  /** What the newest streams of an Envoy show, by type; undefined: it has none. */
  #holdingsOf(node: string): Holdings | undefined {
    const streams = this.#streams.get(node);
    if (streams === undefined) return undefined;
    const found = new Map<string, Holdings>();
    for (const [stream, types] of streams) {
      const holdings = this.#options.holdings(stream);
      if (holdings !== undefined) for (const typeUrl of types) found.set(typeUrl, holdings);
    }
    return {
      sent: (typeUrl, name) => found.get(typeUrl)?.sent(typeUrl, name),
      taken: (typeUrl, name) => found.get(typeUrl)?.taken(typeUrl, name),
      lacks: (typeUrl, name) => found.get(typeUrl)?.lacks(typeUrl, name) === true,
      names: (typeUrl) => found.get(typeUrl)?.names(typeUrl) ?? [],
      isReturning: (typeUrl) => found.get(typeUrl)?.isReturning(typeUrl) === true,
    };
  }
}

/** Where the queue filter is: an Envoy without Wasm refuses these. */
function isOfFilter(typeUrl: string): boolean {
  return typeUrl === TYPE_URLS.listener || typeUrl === TYPE_URLS.extension;
}

/** Clusters and their endpoints are called as their services. */
function isOfServices(typeUrl: string): boolean {
  return typeUrl === TYPE_URLS.cluster || typeUrl === TYPE_URLS.endpoints;
}

function unknown({ services }: Model): ReadonlySet<ServiceName> {
  return new Set(services.flatMap(({ service, isKnown }) => (isKnown ? [] : [service.name])));
}
