import type { Clock } from '../base/clock.ts';
import { remember } from '../base/remember.ts';
import { Timers } from '../base/timers.ts';
import type { Problem } from '../model/problem.ts';
import type { Service, ServiceName } from '../model/service.ts';
import type { NodeIdentity } from '../snapshot/cache.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import type { XdsEvent } from '../xds/protocol/event.ts';
import { chosenServices } from './chosen-services.ts';
import { type EnvoyState, envoyProblems, isThereFor, type NodeId } from './problems.ts';
import { tooOldRelease } from './release.ts';
import { SameNodeId, type SameNodeIdOptions } from './same-node-id.ts';

/** What `Envoys` works with. */
export interface EnvoysOptions extends Pick<SameNodeIdOptions, 'ask' | 'drop'> {
  readonly clock: Clock;
  /** Whether an Envoy has a queue filter: one that is connected now, or `registered` one that may come back. */
  readonly hasFilter: (node: string, registered: boolean) => boolean;
  /** Whether filters of other Envoys may use slots. */
  readonly hasOthers: (node: string) => boolean;
  /**
   * Told when these Envoys may be to get something else than before (or none, but other problems are to be told). Read later, they may be
   * more.
   */
  readonly changed: (nodes: ReadonlySet<string>) => void;
}

/**
 * What the client of a stream is given: nothing, or all but these services. `visitor`: it is no Envoy that takes
 * requests, so nothing has to be kept in order with what it does. `silent`: it may be a busy Envoy, and must not take requests yet.
 */
export type Given =
  | { readonly kind: 'waits' }
  | { readonly kind: 'envoy' | 'visitor' | 'silent'; readonly absent: ReadonlySet<ServiceName> };

/** What is known of the services that are there. */
export type Services = readonly { readonly service: Pick<Service, 'name' | 'discipline'> }[];

/** How long after a start the filters of Envoys that had a configuration are waited for: they come back within some 2 s. */
const RETURN_MS = 3000;

/** An Envoy that has clusters asks for its listeners in the same breath. */
const ASKS_MS = 1000;

/** Who asks for listeners and has not answered by then is no Envoy, if there are others. */
const PROOF_MS = 1000;

/** So long an Envoy without a queue filter, which cannot share slots, keeps its services when it has lost its connection. */
const GRACE_MS = 30_000;

/** A filter says hello some 100 ms after its Envoy has come, on a busy machine later: until then it is no problem that it has not. */
const HELLO_MS = 5000;

interface Known extends EnvoyState {
  readonly userAgent: string;
  readonly streams: Set<number>;
  readonly sameId: SameNodeId;
  /** It had a configuration when it came. */
  returning: boolean;
  /**
   * Whether it takes requests: whoever does asks for listeners, and answers. `asked`: it has not answered yet.
   * `silent`: it has not for so long that it is no Envoy.
   */
  listens: 'no' | 'asked' | 'silent' | 'yes';
  /** It has a queue filter, which counts its slots with those of others. */
  hasFilter: boolean;
  /** What it said it has when it came; undefined: not said. */
  holds: ReadonlySet<string> | undefined;
  /** It has rejected the filter: there is none to wait for. */
  isRefused: boolean;
  /** When it came, in monotonic milliseconds. */
  readonly since: number;
  /** Ends the wait for its return. */
  cancel: () => void;
}

const NONE: ReadonlySet<ServiceName> = new Set();
const NOTHING: Services = [];

/**
 * Which Envoys are there, and which services each of them gets: those that it is there for. Services with a limit are used by
 * several Envoys only where all of them have the queue filter, since these share the slots; an Envoy without has them alone.
 */
export class Envoys {
  readonly #options: EnvoysOptions;
  readonly #known = new Map<NodeId, Known>();
  /** Their ids. */
  readonly #all = new Set<NodeId>();
  readonly #given = new Map<NodeId, ReadonlySet<ServiceName>>();
  /** Envoys that have services with a limit, and whose filter is not known; by node, the services that they are there for. */
  readonly #alone = new Map<NodeId, ReadonlySet<string> | undefined>();
  /** Envoys that can share slots. */
  readonly #filtered = new Set<NodeId>();
  readonly #timers: Timers;
  readonly #startedAt: number;
  #services: Services = NOTHING;
  #limited: readonly ServiceName[] = [];
  #allLimited: ReadonlySet<ServiceName> = NONE;
  #problems: readonly Problem[] | undefined;
  #isWaitingForReturns = false;

  constructor(options: EnvoysOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#startedAt = options.clock.monotonic();
  }

  /** Takes note of what happens between Envoys and the xDS server. */
  record(event: XdsEvent): void {
    // Whoever speaks for a node may use its name: the brand stands for no more.
    const id = event.node.id as NodeId;
    if (event.kind === 'connected') this.#connected(id, event);
    else if (event.kind === 'asked') this.#asked(id, event);
    else if (event.kind === 'holds') this.#holds(id, event);
    else if (event.kind === 'disconnected') this.#disconnected(id, event.stream);
    else if (event.kind === 'alive') this.#known.get(id)?.sameId.heard(event.stream);
    else if (event.kind === 'nacked' && event.typeUrl === TYPE_URLS.extension) this.#refusedFilter(id);
    else if (event.kind === 'acked' || event.kind === 'nacked') this.#answered(id, event);
  }

  /** The queue filter of an Envoy has connected. */
  recordFilter(node: string): void {
    const known = this.#known.get(node as NodeId);
    if (known === undefined || known.hasFilter || !this.#options.hasFilter(node, known.returning)) return;
    known.hasFilter = true;
    known.isRefused = false;
    this.#change(known);
  }

  /** Takes the services that are there from now on. */
  follow(services: Services): void {
    const before = this.#services;
    const same = (is: (a: Services[number]['service'], b: Services[number]['service'] | undefined) => boolean) =>
      before.length === services.length && services.every(({ service }, at) => is(service, before[at]?.service));
    if (same((a, b) => a === b)) return;
    // With the same names everybody goes on with what he has.
    const isSame = same((a, b) => a.name === b?.name && a.discipline.kind === b.discipline.kind);
    this.#services = services;
    this.#problems = undefined;
    if (isSame) return;
    this.#limited = services.flatMap(({ service: { name, discipline } }) =>
      discipline.kind === 'limited' ? [name] : [],
    );
    this.#allLimited = new Set(this.#limited);
    this.#given.clear();
  }

  /** What a node is given now; one that is not known stands for an Envoy that has everything. */
  given({ id }: NodeIdentity, stream?: number): Given {
    const known = this.#known.get(id as NodeId);
    if (known === undefined) return { kind: 'visitor', absent: NONE };
    if (known.tooOld !== undefined || this.#mayBeAboutToSay(known)) return { kind: 'waits' };
    const whose = isEnvoy(known) ? known.sameId.whose(stream) : 'another';
    if (whose === 'unknown') return { kind: 'waits' };
    if (whose === 'another') {
      const kind = known.listens === 'silent' ? 'silent' : 'visitor';
      return { kind, absent: this.#absentFrom(known, this.#limited) };
    }
    return { kind: 'envoy', absent: remember(this.#given, known.id, () => this.#absent(known)) };
  }

  /** The services with a limit that no filter in this Envoy may use, whether Envoy itself has come yet or not. */
  withheldFrom(id: string): ReadonlySet<ServiceName> {
    const others = this.#aloneBeside(id as NodeId);
    if (others.length === 0) return NONE;
    return new Set(this.#limited.filter((name) => others.some((other) => isThereFor(other, name))));
  }

  /** Whether an Envoy is connected here. */
  isConnected(id: string): boolean {
    return (this.#known.get(id as NodeId)?.streams.size ?? 0) > 0;
  }

  /** Whether an Envoy had a configuration when it came. */
  isReturning(id: string): boolean {
    return this.#known.get(id as NodeId)?.returning ?? false;
  }

  /** Whether an Envoy gets some services only once its filter has come, because others share their slots. */
  needsFilter(id: string): boolean {
    const known = this.#known.get(id as NodeId);
    return known !== undefined && !known.hasFilter && !known.isRefused && this.#withheld(known).length > 0;
  }

  /** How many Envoys get nothing because they are too old. */
  tooOld(): number {
    return [...this.#known.values()].filter(({ tooOld, streams }) => tooOld !== undefined && streams.size > 0).length;
  }

  /** Everything about Envoys that somebody has to mend. */
  problems(): readonly Problem[] {
    this.#problems ??= envoyProblems({
      envoys: [...this.#known.values()],
      alone: [...this.#alone.keys()],
      withheld: new Map(
        this.#listening().map((known) => [known.id, this.#mayComeYet(known) ? [] : this.#withheld(known)]),
      ),
      existing: this.#services === NOTHING ? undefined : new Set(this.#services.map(({ service }) => service.name)),
    });
    return this.#problems;
  }

  /** Whether all that is missing is the hello of a filter that may be on its way. */
  #mayComeYet(known: Known): boolean {
    if (known.hasFilter || known.isRefused || this.#aloneBeside(known.id).length > 0) return false;
    return this.#options.clock.monotonic() - known.since < HELLO_MS;
  }

  /** Ends all waiting. */
  stop(): void {
    for (const { cancel, sameId } of this.#known.values()) {
      cancel();
      sameId.stop();
    }
    this.#timers.stop();
  }

  #connected(id: NodeId, event: XdsEvent & { readonly kind: 'connected' }): void {
    const before = this.#known.get(id);
    before?.cancel();
    const { clock, ask, drop, hasFilter } = this.#options;
    const returning = (before?.returning ?? false) || event.returning;
    const isNew = before === undefined || before.streams.size === 0;
    const known: Known = {
      id,
      ...chosenServices(event.node.metadata),
      userAgent: event.userAgent,
      tooOld: tooOldRelease(event.userAgent),
      streams: before?.streams ?? new Set(),
      sameId: before?.sameId ?? new SameNodeId({ clock, ask, drop, changed: () => this.#tell([id]) }),
      returning,
      listens: before?.listens ?? 'no',
      hasFilter: (!isNew && before.hasFilter) || hasFilter(id, returning),
      holds: isNew ? undefined : before.holds,
      isRefused: !isNew && before.isRefused,
      since: isNew ? clock.monotonic() : before.since,
      cancel: () => {},
    };
    known.streams.add(event.stream);
    this.#known.set(id, known);
    this.#all.add(id);
    // It may be there for other services than before.
    this.#given.delete(id);
    if (known.returning) {
      this.#timers.after(ASKS_MS, () => this.#options.changed(new Set([id])));
      if (this.#areReturning()) this.#waitForReturns();
    }
    if (isNew && !known.hasFilter) this.#timers.after(HELLO_MS, () => this.#tell([id]));
    // A visitor changes nothing for anybody else.
    if (isEnvoy(known) || hasProblem(known)) this.#change(known);
  }

  /** After a start: once all that come back are there, what was kept from them is not any more. */
  #waitForReturns(): void {
    if (this.#isWaitingForReturns) return;
    this.#isWaitingForReturns = true;
    const returned = () => [...this.#known.values()].flatMap(({ id, returning }) => (returning ? [id] : []));
    this.#timers.after(this.#startedAt + RETURN_MS - this.#options.clock.monotonic(), () => this.#tell(returned()));
  }

  /** Who asks for listeners takes requests. */
  #asked(id: NodeId, { typeUrl, stream }: XdsEvent & { readonly kind: 'asked' }): void {
    const known = this.#known.get(id);
    if (known === undefined || !isProxy(known)) return;
    if (typeUrl === TYPE_URLS.cluster) known.sameId.opened(stream);
    if (typeUrl !== TYPE_URLS.listener || known.listens === 'yes') return;
    known.listens = known.returning ? 'yes' : 'asked';
    if (known.listens === 'asked') this.#awaitProof(id);
    this.#change(known);
  }

  #awaitProof(id: NodeId): void {
    this.#timers.after(PROOF_MS, () => {
      const known = this.#known.get(id);
      if (known?.listens !== 'asked') return;
      // An Envoy that starts with thousands of services is busy: nobody is to lose them who alone may have them.
      if (this.#listening().length < 2) {
        this.#awaitProof(id);
        return;
      }
      known.listens = 'silent';
      this.#change(known);
    });
  }

  #answered(id: NodeId, event: XdsEvent & { readonly kind: 'acked' | 'nacked' }): void {
    const known = this.#known.get(id);
    if (known === undefined || event.typeUrl !== TYPE_URLS.listener) return;
    const before = known.listens;
    if (before === 'asked' || before === 'silent') known.listens = 'yes';
    if (before === 'silent') this.#change(known);
  }

  #listening(): readonly Known[] {
    return [...this.#known.values()].filter((known) => isEnvoy(known) && known.streams.size > 0);
  }

  /** The services that an Envoy is not there for, and those with a limit that it must not have. */
  #absentFrom(known: Known, withheld: readonly ServiceName[]): ReadonlySet<ServiceName> {
    if (known.services === undefined) {
      // Thousands of Envoys share one set.
      if (withheld.length === this.#limited.length) return this.#allLimited;
      return withheld.length === 0 ? NONE : new Set(withheld);
    }
    const mustNot = new Set(withheld);
    return new Set(
      this.#services.flatMap(({ service: { name } }) => (!isThereFor(known, name) || mustNot.has(name) ? [name] : [])),
    );
  }

  #absent(known: Known): ReadonlySet<ServiceName> {
    const withheld = this.#withheld(known);
    const isSome = this.#limited.filter((name) => isThereFor(known, name)).length > withheld.length;
    if (!known.hasFilter && isSome) this.#alone.set(known.id, known.services);
    return this.#absentFrom(known, withheld);
  }

  /** The services with a limit that it is there for, and must not have: slots are not shared with an Envoy without a filter. */
  #withheld(known: Known): readonly ServiceName[] {
    const alone = this.#aloneBeside(known.id);
    const filtered = known.hasFilter || this.#alone.has(known.id) ? [] : this.#filteredBeside(known.id);
    const others = [...alone, ...filtered];
    if (others.length === 0) return [];
    if (known.services === undefined && others.some(({ services }) => services === undefined)) return this.#limited;
    return this.#limited.filter((name) => isThereFor(known, name) && others.some((other) => isThereFor(other, name)));
  }

  #aloneBeside(id: NodeId): readonly Pick<Known, 'services'>[] {
    return [...this.#alone].flatMap(([other, services]) => (other === id ? [] : [{ services }]));
  }

  /** The Envoys with a filter, beside which one without must not use their services. */
  #filteredBeside(id: NodeId): readonly Pick<Known, 'services'>[] {
    const others = [...this.#filtered].flatMap((other) => (other === id ? [] : (this.#known.get(other) ?? [])));
    // One that is away may be there for all services.
    return others.length === 0 && this.#options.hasOthers(id) ? [{ services: undefined }] : others;
  }

  /**
   * Who has had a configuration says in its first messages what it has, and that it takes requests, and its filter comes back:
   * before that it must lose nothing.
   */
  #mayBeAboutToSay(known: Known): boolean {
    if (!known.returning || !isProxy(known)) return false;
    if (this.#areReturning() && (known.holds === undefined || this.#holdsNothing(known))) return true;
    if (known.listens === 'no') return this.#options.clock.monotonic() - known.since < ASKS_MS;
    return !known.hasFilter && !known.isRefused && this.#areReturning();
  }

  /** Of two with one node id the one that has the services goes first, and may be about to come. */
  #holdsNothing(known: Known): boolean {
    const own = this.#limited.filter((name) => isThereFor(known, name));
    return own.length > 0 && !own.some((name) => known.holds?.has(name));
  }

  #holds(id: NodeId, { names, stream }: XdsEvent & { readonly kind: 'holds' }): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    // A cluster is called as its service.
    known.holds = new Set(names);
    const isClaim = this.#services === NOTHING || this.#limited.some((name) => known.holds?.has(name));
    if (isClaim && this.#areReturning()) known.sameId.claimed(stream);
    this.#change(known);
  }

  /** It has no Wasm, or cannot run ours. */
  #refusedFilter(id: NodeId): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    known.isRefused = true;
    known.hasFilter &&= this.#options.hasFilter(id, false);
    this.#change(known);
  }

  #disconnected(id: NodeId, stream: number): void {
    const known = this.#known.get(id);
    if (known === undefined || !known.streams.delete(stream)) return;
    known.sameId.closed(stream);
    if (known.streams.size > 0) return;
    if (!this.#alone.has(id)) {
      this.#forget(known);
      return;
    }
    known.cancel = this.#options.clock.after(GRACE_MS, () => this.#forget(known));
    this.#change(known);
  }

  #forget(known: Known): void {
    this.#known.delete(known.id);
    this.#all.delete(known.id);
    known.sameId.stop();
    if (isEnvoy(known) || hasProblem(known)) this.#change(known);
    else this.#given.delete(known.id);
  }

  /** An Envoy is otherwise than before. That concerns others where it is one that shares slots, or one that cannot. */
  #change(known: Known): void {
    const { id } = known;
    const isThere = this.#known.get(id) === known && isEnvoy(known);
    const [wasAlone, wasFiltered] = [this.#alone.has(id), this.#filtered.has(id)];
    if (!isThere || known.hasFilter) this.#alone.delete(id);
    if (isThere && known.hasFilter) this.#filtered.add(id);
    else this.#filtered.delete(id);
    const isNoMoreAlone = wasAlone && !this.#alone.has(id);
    // Where all have a filter, one more changes nothing for them.
    const isOtherFilter = wasFiltered !== this.#filtered.has(id) && this.#known.size > this.#filtered.size;
    if (isNoMoreAlone || isOtherFilter) this.#tellAll(id);
    else this.#tell([id]);
  }

  /** All, and this one, which may not be known any more. With thousands each of which changes something for all, all is one set. */
  #tellAll(id: NodeId): void {
    this.#given.clear();
    this.#problems = undefined;
    this.#options.changed(this.#all);
    if (!this.#all.has(id)) this.#tell([id]);
  }

  #tell(nodes: readonly NodeId[]): void {
    for (const id of nodes) this.#given.delete(id);
    this.#problems = undefined;
    this.#options.changed(new Set(nodes));
  }

  #areReturning(): boolean {
    return this.#options.clock.monotonic() - this.#startedAt < RETURN_MS;
  }
}

/** Another kind of client than a proxy does not queue, so it gets no service with a limit. */
function isProxy({ userAgent }: Known): boolean {
  return !/^grpc/i.test(userAgent);
}

function isEnvoy(known: Known): boolean {
  return isProxy(known) && known.tooOld === undefined && (known.listens === 'asked' || known.listens === 'yes');
}

function hasProblem({ unreadable, tooOld }: Known): boolean {
  return unreadable || tooOld !== undefined;
}
