import type { Clock } from '../../base/clock.ts';
import { type Coalesced, coalesce } from '../../base/coalesce.ts';
import type { Result } from '../../base/result.ts';
import type { ApiFailure, KubeApi, KubeWriter } from '../../kubernetes/api.ts';
import { describeFailure } from '../../kubernetes/failure-problem.ts';
import { followCollection } from '../../kubernetes/follow-collection.ts';
import type { Lease } from '../../kubernetes/lease.ts';
import { type StatusWrite, StatusWriter, type WantedStatus } from '../../kubernetes/status-writer.ts';
import { WATCH_TIMING, type WatchTiming } from '../../kubernetes/watch-timing.ts';
import type { ListenerName } from '../../model/listener.ts';
import type { KubernetesPort } from '../../model/locator.ts';
import type { Canonical } from '../../model/merge.ts';
import type { Problem } from '../../model/problem.ts';
import type { RoutingPart } from '../../model/routing.ts';
import type { Service, ServiceName } from '../../model/service.ts';
import type { CountSourceEvent, Source, SourceLog, SourceState } from '../../model/source.ts';
import { keepSame } from '../keep-same.ts';
import { SERVICES, type ServicePort } from './core.ts';
import { eventOf, eventsPath, newFaults, toldFault, toldKey } from './event.ts';
import { collectionPath, type KubeObject, keyOf, objectPath, type Resource } from './object.ts';
import { ObjectStore } from './store.ts';
import type { Told } from './told.ts';
import type { RouteKind, StatusWish } from './translation.ts';

/** What the source works with. */
export interface ObjectRoutesOptions {
  /** The kinds of routes that count. */
  readonly kinds: readonly RouteKind[];
  readonly api: KubeApi & KubeWriter & { namespace(): Promise<Result<string, ApiFailure>> };
  readonly clock: Clock;
  readonly log: SourceLog;
  /** What this Sluice is called among several, in Events. */
  readonly instance: string;
  /** Evenly from 0 to 1. */
  readonly random?: () => number;
  readonly timing?: WatchTiming;
  readonly count?: CountSourceEvent;
  /** Of several Sluices the one that has it tells objects what came of them; undefined: this one does. */
  readonly lease?: Pick<Lease, 'isHeld' | 'run'>;
  readonly countStatus?: (result: StatusWrite) => void;
}

/** How one resource is being followed. */
type Following =
  | { readonly kind: 'pending' }
  | { readonly kind: 'current' }
  /** The API server does not have it, or does not let us see it: as if there were no such objects. */
  | { readonly kind: 'absent'; readonly problem: Problem }
  | { readonly kind: 'failing'; readonly listed: boolean; readonly problem: Problem; readonly since: number };

/** Who tells in Events. */
const REPORTER = 'sluice.dev/sluice';

/** Changes that come together are translated together. */
const QUIET_MS = 10;
const LONGEST_MS = 100;
/** After a translation so many times as long passes before the next one: while objects come by the thousand, few of them. */
const REST = 4;

/**
 * Routes from Kubernetes objects: watches what the kinds of routes need, each resource once, and makes of it a part of
 * the routing for each kind; and writes back what came of each object.
 */
export class ObjectRoutes implements Source<readonly RoutingPart[]> {
  readonly name = 'kubernetes objects';
  readonly #options: ObjectRoutesOptions;
  readonly #store = new ObjectStore();
  readonly #following: Map<Resource<KubeObject>, Following>;
  readonly #writer: StatusWriter;
  readonly #trigger: Coalesced;
  readonly #before = new Map<RouteKind, ReadonlyMap<ServiceName, Service>>();
  #changed: () => void = () => {};
  #signal: AbortSignal | undefined;
  /** Monotonic milliseconds. */
  #restsUntil = 0;
  #state: SourceState<readonly RoutingPart[]> = { kind: 'pending', problems: [] };
  #closed: ReadonlyMap<ListenerName, string> = new Map();
  #namespace: string | undefined;
  #told: ReadonlySet<string> = new Set();
  readonly #telling: Told[] = [];
  #isTelling = false;
  readonly #resourceOf: ReadonlyMap<string, Resource<KubeObject>>;

  constructor(options: ObjectRoutesOptions) {
    const { kinds, api, clock, log, random = Math.random } = options;
    this.#options = options;
    const resources = new Map<string, Resource<KubeObject>>(
      kinds.flatMap((kind) => kind.resources.map((resource) => [resource.kind, resource] as const)),
    );
    this.#resourceOf = resources;
    this.#following = new Map([...resources.values()].map((resource) => [resource, { kind: 'pending' }]));
    this.#trigger = coalesce(() => this.#translate(), { quiet: QUIET_MS, longest: LONGEST_MS, clock });
    this.#writer = new StatusWriter({
      api,
      clock,
      log,
      random,
      onWritten: (wanted, object) => this.#written(wanted, object),
      onStale: () => this.#trigger.poke(),
      count: options.countStatus,
    });
  }

  state(): SourceState<readonly RoutingPart[]> {
    return this.#state;
  }

  /** How many statuses were written. */
  get written(): number {
    return this.#writer.written;
  }

  /** See `Canonical`: by what is known of Services. */
  readonly canonical: Canonical = (locator) => {
    if (locator.kind !== 'kubernetes') return locator;
    const namespace = locator.namespace ?? this.#namespace;
    if (namespace === undefined) return locator;
    const ports = this.#store.get(SERVICES, namespace, locator.service)?.spec?.ports ?? [];
    const found = findPort(ports, locator.port);
    const port: KubernetesPort = found === undefined ? locator.port : { kind: 'service', port: found.port };
    return { ...locator, namespace, port };
  };

  /** Listeners that Envoy could not open, and why: their objects are told. */
  closed(listeners: ReadonlyMap<ListenerName, string>): void {
    if (JSON.stringify([...listeners]) === JSON.stringify([...this.#closed])) return;
    this.#closed = listeners;
    this.#trigger.poke();
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    this.#changed = changed;
    this.#signal = signal;
    const namespace = await this.#options.api.namespace();
    // Without a way to the API server the watches tell what is wrong.
    this.#namespace = namespace.ok ? namespace.value : undefined;
    const following = [...this.#following.keys()].map((resource) => this.#follow(resource, signal));
    const lease = this.#options.lease?.run(signal, () => this.#trigger.poke());
    await Promise.all([...following, this.#writer.run(signal), lease]);
    this.#trigger.stop();
  }

  #follow(resource: Resource<KubeObject>, signal: AbortSignal): Promise<void> {
    const { api, clock, random = Math.random, timing = WATCH_TIMING, count } = this.#options;
    const poke = (isDifferent: boolean) => {
      if (isDifferent) this.#trigger.poke();
    };
    return followCollection<KubeObject>(
      {
        path: collectionPath(resource),
        ...(resource.field === undefined ? {} : { field: resource.field }),
        // An API server answers with the type that was asked for, checked against its schema.
        read: (object) => resource.read(object as KubeObject),
      },
      {
        replaced: (items) => {
          const isDifferent = this.#store.replace(resource, items);
          const wasUnknown = this.#following.get(resource)?.kind !== 'current';
          this.#following.set(resource, { kind: 'current' });
          poke(isDifferent || wasUnknown);
        },
        put: (item) => poke(this.#store.put(resource, item)),
        removed: (name, namespace) => poke(this.#store.remove(resource, namespace, name)),
        current: () => {
          if (this.#following.get(resource)?.kind === 'current') return;
          this.#following.set(resource, { kind: 'current' });
          this.#trigger.poke();
        },
        failed: (verb, failure, since) => this.#failed(resource, { verb, failure, since }),
      },
      { api, clock, random, timing, ...(count === undefined ? {} : { count }) },
      signal,
    );
  }

  #failed(
    resource: Resource<KubeObject>,
    { verb, failure, since }: { verb: 'list' | 'watch'; failure: ApiFailure; since: number },
  ): void {
    const before = this.#following.get(resource);
    const problem = describeFailure(`${verb} ${resource.plural}`, failure);
    const isRefused = failure.kind === 'status' && (failure.code === 404 || failure.code === 403);
    const was = before?.kind === 'failing' || before?.kind === 'absent' ? before.problem.message : undefined;
    const listed = before?.kind === 'current' || (before?.kind === 'failing' && before.listed);
    this.#following.set(
      resource,
      isRefused && verb === 'list'
        ? { kind: 'absent', problem }
        : { kind: 'failing', listed, problem, since: before?.kind === 'failing' ? before.since : since },
    );
    if (was === problem.message) return;
    const level = isRefused ? 'info' : 'warn';
    this.#options.log(level, 'the API server does not answer as it should; what is known stays', {
      resource: resource.plural,
      message: problem.message,
    });
    this.#trigger.poke();
  }

  #translate(): void {
    const { clock } = this.#options;
    const began = clock.monotonic();
    if (began < this.#restsUntil) {
      clock.after(this.#restsUntil - began, () => this.#trigger.poke());
      return;
    }
    this.#translateNow();
    const ended = clock.monotonic();
    this.#restsUntil = ended + (ended - began) * REST;
  }

  #translateNow(): void {
    const following = [...this.#following.values()];
    const problems = [...this.#following].flatMap(([resource, one]) => {
      if (one.kind === 'absent') return resource.optional ? [] : [one.problem];
      return one.kind === 'failing' ? [one.problem] : [];
    });
    // Half of what there is would take the other half away from Envoys that have it.
    const isComplete = following.every(
      (one) => one.kind === 'current' || one.kind === 'absent' || (one.kind === 'failing' && one.listed),
    );
    if (!isComplete) {
      this.#state = this.#state.kind === 'pending' ? { kind: 'pending', problems } : { ...this.#state, problems };
      this.#changed();
      return;
    }
    const now = `${new Date(this.#options.clock.now()).toISOString().slice(0, 19)}Z`;
    const translations = this.#options.kinds.map((kind) => {
      const before = this.#before.get(kind) ?? new Map<ServiceName, Service>();
      const translation = kind.translate(this.#store, { now, before, closed: this.#closed });
      this.#before.set(kind, new Map(translation.part.services.map((service) => [service.name, service])));
      return translation;
    });
    const since = following.flatMap((one) => (one.kind === 'failing' ? [one.since] : []));
    const known = this.#state.kind === 'pending' ? [] : this.#state.value;
    // What is as it was stays the same object, so that nothing is made of it anew.
    const value = translations.map(({ part }, at) => {
      const was = known[at];
      return was === undefined ? part : keepSame(was, part);
    });
    this.#state =
      since.length === 0
        ? { kind: 'ready', value, problems }
        : { kind: 'stale', value, problems, since: Math.min(...since) };
    const isTeller = this.#options.lease?.isHeld ?? true;
    this.#writer.want(isTeller ? translations.flatMap(({ statuses }) => statuses).map(toWanted) : []);
    this.#tellAll(isTeller ? translations.flatMap(({ told = [] }) => told) : []);
    this.#changed();
  }

  #written({ key, before, status }: WantedStatus, answer: unknown): void {
    const resource = this.#resourceOf.get(key.slice(0, key.indexOf(' ')));
    if (resource === undefined) return;
    // The API server's own answer, of the type that was written.
    const object = resource.read(answer as KubeObject);
    this.#store.put(resource, object);
    for (const fault of newFaults(before, status)) this.#telling.push(toldFault(resource, object, fault));
    void this.#tell();
  }

  /** Events for what is told now and was not before. */
  #tellAll(all: readonly Told[]): void {
    const keys = new Map(all.map((told) => [toldKey(told), told]));
    for (const [key, told] of keys) if (!this.#told.has(key)) this.#telling.push(told);
    this.#told = new Set(keys.keys());
    void this.#tell();
  }

  /** One after the other: they are read by people. One that cannot be written is not missed. */
  async #tell(): Promise<void> {
    const { api, clock, log, instance } = this.#options;
    const signal = this.#signal;
    if (signal === undefined || this.#isTelling) return;
    this.#isTelling = true;
    for (let told = this.#telling.shift(); told !== undefined && !signal.aborted; told = this.#telling.shift()) {
      const time = new Date(clock.now()).toISOString().replace('Z', '000Z');
      const event = eventOf(told, { controller: REPORTER, instance, time });
      const written = await api.write('POST', eventsPath(told.object), event, signal);
      // Another Sluice, or this one before it was started anew, has told it.
      const isThere = !written.ok && written.errors.some((error) => error.kind === 'status' && error.code === 409);
      if (!written.ok && !isThere && !signal.aborted) {
        log('debug', 'an Event could not be written', { errors: written.errors });
      }
    }
    this.#isTelling = false;
  }
}

/** The Service's own port that is meant, if that is certain. */
function findPort(ports: readonly ServicePort[], meant: KubernetesPort): ServicePort | undefined {
  if (meant.kind === 'service') return ports.find(({ name, port }) => name === meant.port || port === meant.port);
  const leading = ports.filter(({ port, targetPort = port }) => targetPort === meant.port);
  return leading.length === 1 ? leading[0] : undefined;
}

function toWanted({ resource, object, status }: StatusWish) {
  const { metadata } = object;
  const has = 'status' in object ? object.status : undefined;
  return {
    key: `${resource.kind} ${keyOf(metadata)}`,
    path: objectPath(resource, metadata),
    resourceVersion: metadata.resourceVersion ?? '',
    before: typeof has === 'object' && has !== null ? { ...has } : {},
    status,
  };
}
