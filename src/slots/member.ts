import type { ServiceName } from '../model/service.ts';
import type { CoordinatorMessage } from './coordinator.ts';
import type { MemberId, PodEvent, PodReport, ServiceReport, SlotsEvent } from './events.ts';
import type { FromFilter, Hello } from './read-message.ts';
import { type PodSlots, type QueueSettings, sameSettings, type Wanted, type WantedService } from './wanted.ts';
import type { Pace, SlotsMessage, ToFilter } from './write-message.ts';

/** A pod as a member has it, as far as Sluice knows. */
interface MemberPod {
  /** As it was sent last; `removed`: it gets no further request. */
  limit: number;
  unhealthy: boolean;
  removed: boolean;
  /** The most requests that it may have: a limit that was lowered counts until the member has reported after that. */
  ceiling: number;
  /** The message that said so last. */
  sequence: number;
  /** When that message was acknowledged; undefined: not yet. */
  ackedAt: number | undefined;
  inUse: number;
  /** When the question was asked that was answered with `inUse`; before that it is as was reported. */
  lookedAt: number;
  /** The member gives it no request for a while. */
  isEjected: boolean;
}

/** A service as a member has it, as far as Sluice knows. */
interface MemberService {
  /** As they were sent last on this stream; undefined: not yet. */
  settings: QueueSettings | undefined;
  removed: boolean;
  /** Those that it was told to take over, and the one that was told to take it over. */
  takes: ReadonlySet<ServiceName>;
  takenBy: ServiceName | undefined;
  sequence: number;
  readonly pods: Map<string, MemberPod>;
  waiting: number;
  /** Requests that are tried again and wait for a slot, when it was asked last. */
  claims: number;
  /** Requests that came for it, and are those of the service that has taken it over. */
  away: number;
  /** It has forgotten a pod since it was asked: the last request of that may be tried again elsewhere. */
  hasForgotten: boolean;
  inUse: number;
  /** When the question was asked whose answer told how many wait; before that it is as was reported. */
  lookedAt: number;
}

/** A message with its place in the stream. */
export interface Numbered {
  readonly sequence: number;
  readonly message: ToFilter;
}

/** More messages than this without an acknowledgement, and only the newest state is kept for later. */
const MOST_UNACKED = 1000;

/** So many slots that were given back may be unacknowledged at a member that shares. */
const WINDOW = 1;

/** So many questions may be open. */
const MOST_QUERIES = 1000;

/**
 * What Sluice knows of one member, and what it wants it to have. No I/O, no clock: who calls brings messages and times,
 * and writes what `takeMessages` gives. (It changes in place: a member has thousands of pods, of which one changes.)
 */
export class Member {
  readonly id: MemberId;
  readonly #pace: Pace;
  readonly #hello: Hello;
  readonly #services = new Map<ServiceName, MemberService>();
  readonly #wanted = new Map<ServiceName, Wanted>();
  /** Services of which something may have to be said. */
  readonly #dirty = new Set<ServiceName>();
  /** Which services the messages were about that are not acknowledged yet, oldest first. */
  #unacked: (readonly [number, ServiceName])[] = [];
  readonly #requests: ToFilter[] = [];
  /** The term of the coordinator, while it is to be said. */
  #term: number | undefined;
  /** How many terms it was told, and how many of them it has answered with all that it holds. */
  #shares = 0;
  #sharesAnswered = 0;
  /** Which service a query is about, by its number. */
  readonly #asked = new Map<number, { readonly service: ServiceName; readonly at: number }>();
  #queries = 0;
  #greeted: 'not yet' | 'welcome' | 'synced' = 'not yet';
  #isIntroduced = false;
  #introduction: ServiceReport[] = [];
  #sequence = 0;
  #acked = 0;
  #syncedAt: number | undefined;
  #mayBeSynced = false;
  #closedAt: number | undefined;
  /** When it last said something. */
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Pods that it has forgotten while messages about them were on their way: which of these it had by then, the next acknowledgement says. */
  #forgotten: (readonly [ServiceName, string])[] = [];

  constructor(hello: Hello, pace: Pace) {
    this.#hello = hello;
    this.#pace = pace;
    this.id = { node: hello.node, epoch: hello.epoch };
  }

  /** How it introduced itself. */
  get hello(): Hello {
    return this.#hello;
  }

  /** Whether it can take services over, and counts what services have at pods that they have lost. */
  get takes(): boolean {
    return this.#hello.takes;
  }

  /** Whether it has said everything that it has. */
  get isIntroduced(): boolean {
    return this.#isIntroduced;
  }

  /** The hash of its code. */
  get codeVersion(): string {
    return this.#hello.codeVersion;
  }

  /** When its stream ended; undefined: it is open. */
  get closedAt(): number | undefined {
    return this.#closedAt;
  }

  /** The services that it has, those included that it is about to forget. */
  get services(): Iterable<ServiceName> {
    return this.#services.keys();
  }

  /** Whether it has acknowledged everything that it was sent. */
  get isSettled(): boolean {
    return this.#dirty.size === 0 && this.#unacked.length === 0;
  }

  /** Whether it has acknowledged everything that there was to say, from the first on. */
  get isSynced(): boolean {
    return this.#greeted === 'synced' && this.#syncedAt === undefined && this.isSettled;
  }

  /** Takes what it said, and gives what of it is of interest to others. */
  receive(message: FromFilter, now: number, peer: string): readonly SlotsEvent[] {
    this.#heardAt = now;
    switch (message.kind) {
      case 'service':
        if (!this.#isIntroduced) {
          this.#introduction.push(message.service);
          this.#introduce(message.service);
        }
        return [];
      case 'hello end':
        return this.#introduced(peer);
      case 'ack':
        return this.#ack(message.sequence, now);
      case 'report':
        for (const service of message.services) this.#report(service);
        return [{ ...this.id, kind: 'report', services: message.services, memoryBytes: message.memoryBytes }];
      case 'pod':
        this.#happened(message.event);
        return [{ ...this.id, kind: 'pod', event: message.event }];
      case 'job':
        return [{ ...this.id, kind: 'job', event: message.event }];
      case 'waiting list':
        return this.#waitingList(message);
      case 'holding':
        return this.#holding(message);
      case 'changes':
        // Of an older term than it was told last: what it says in answer to that is newer.
        return this.#sharesAnswered === this.#shares ? [{ ...this.id, ...message }] : [];
      case 'rejected':
      case 'ended':
        return [{ ...this.id, ...message }];
      case 'hello':
      case 'heartbeat':
      case 'unknown':
        return [];
    }
  }

  /** Its stream has ended. */
  close(now: number): void {
    this.#closedAt ??= now;
  }

  /** From now on it is to have this of a service. */
  want([name, wanted]: WantedService): void {
    const before = this.#wanted.get(name);
    if (before === wanted) return;
    this.#wanted.set(name, wanted);
    this.#dirty.add(name);
  }

  /** Whether it goes on giving a pod requests of a service: it is neither removed nor is the service to be taken over. */
  keeps(name: ServiceName, address: string): boolean {
    if (this.limitOf(name, address) === 0) return false;
    const wanted = this.#wanted.get(name);
    if (wanted?.kind === 'removed' || wanted?.pods.has(address) === false) return false;
    return ![...this.#wanted.keys()].some((taker) => taker !== name && this.#takesOf(taker)?.includes(name) === true);
  }

  /** Nothing more is wanted of a service: what it has of it, it keeps. */
  leave(name: ServiceName): void {
    this.#wanted.delete(name);
  }

  /** All that is known has been wanted: `synced` may follow. */
  setSynced(): void {
    this.#mayBeSynced = true;
  }

  /** What a coordinator says to it. */
  share(messages: readonly CoordinatorMessage[]): void {
    let changes: SlotsMessage[] = [];
    const say = (message?: ToFilter) => {
      if (changes.length > 0) this.#requests.push({ kind: 'slots', changes });
      changes = [];
      if (message !== undefined) this.#requests.push(message);
    };
    for (const message of messages) {
      // Before anything else is said to it: without a term all slots of its pods would be its own.
      if (message.kind === 'welcome') this.#term = message.term;
      else if (message.kind === 'dead') say({ kind: 'given up' });
      else changes.push(message);
    }
    say();
  }

  /** Pods of a service that it would give a request now: its Envoy has their endpoints, and it has not ejected them. */
  usable(name: ServiceName): ReadonlySet<string> {
    const pods = [...(this.#services.get(name)?.pods ?? [])].filter(
      ([, pod]) => !pod.removed && pod.ackedAt !== undefined && pod.limit > 0 && !pod.unhealthy && !pod.isEjected,
    );
    return new Set(pods.map(([address]) => address));
  }

  /** Asks it something. */
  request(message: ToFilter): void {
    this.#requests.push(message);
  }

  /** Asks who waits for a service, at most so many of them; the answer has the number that is returned. */
  askWaiting(service: ServiceName, most: number, now: number): number {
    const query = ++this.#queries;
    // Answers come in order; of those that never come not many are kept.
    if (this.#asked.size >= MOST_QUERIES) this.#asked.clear();
    this.#asked.set(query, { service, at: now });
    this.#requests.push({ kind: 'list waiting', query, service, most });
    return query;
  }

  /** What is to be written now. A member that acknowledges nothing gets the newest state once it does. */
  takeMessages(): readonly Numbered[] {
    if (!this.#isIntroduced || this.#closedAt !== undefined) return [];
    const messages: Numbered[] = [];
    const say = (message: ToFilter) => messages.push({ sequence: ++this.#sequence, message });
    if (this.#greeted === 'not yet') {
      say({ kind: 'welcome', pace: this.#pace });
      this.#greeted = 'welcome';
    }
    if (this.#term !== undefined) {
      say({ kind: 'share', term: this.#term, window: WINDOW });
      this.#term = undefined;
      this.#shares++;
    }
    const tell = (name: ServiceName, message: ToFilter | undefined) => {
      if (message === undefined) return;
      say(message);
      const taken = message.kind === 'service' ? message.takes : [];
      for (const each of [name, ...taken]) this.#unacked.push([this.#sequence, each]);
    };
    const isBehind = () => this.#sequence - this.#acked >= MOST_UNACKED;
    // A pod that passes from one service to another is taken from the one before the other gets it.
    const dirty = [...this.#dirty].map((name) => ({ name, takes: (this.#takesOf(name)?.length ?? 0) > 0 }));
    for (const { name } of dirty) if (!isBehind()) tell(name, this.#removals(name));
    for (const { name } of [...dirty.filter(({ takes }) => takes), ...dirty.filter(({ takes }) => !takes)]) {
      if (isBehind()) break;
      this.#dirty.delete(name);
      tell(name, this.#messageFor(name));
    }
    if (this.#greeted === 'welcome' && this.#mayBeSynced && this.#dirty.size === 0) {
      say({ kind: 'synced' });
      this.#syncedAt = this.#sequence;
      this.#greeted = 'synced';
    }
    for (const message of this.#requests.splice(0)) say(message);
    return messages;
  }

  /** A message that keeps the stream alive. */
  heartbeat(): Numbered {
    return { sequence: ++this.#sequence, message: { kind: 'heartbeat' } };
  }

  /** What it has of a service; undefined: nothing. */
  service(name: ServiceName): Omit<MemberService, 'pods' | 'settings' | 'sequence' | 'takes'> | undefined {
    return this.#services.get(name);
  }

  /** Whether it has acknowledged all that it was told of a service. */
  hasTaken(name: ServiceName): boolean {
    return this.#unacked.every(([, each]) => each !== name);
  }

  /** The pods that it may give requests of a service, or that have some of it. */
  pods(name: ServiceName): Iterable<string> {
    return this.#services.get(name)?.pods.keys() ?? [];
  }

  /** Whether it may still choose a pod: it has it, and has not acknowledged that it should not. */
  mayChoose(name: ServiceName, address: string): boolean {
    const pod = this.#services.get(name)?.pods.get(address);
    return pod !== undefined && (!pod.removed || pod.ackedAt === undefined);
  }

  /** The limit that it was last told of a pod; 0: it has no such pod. */
  limitOf(name: ServiceName, address: string): number {
    const pod = this.#services.get(name)?.pods.get(address);
    return pod === undefined || pod.removed ? 0 : pod.limit;
  }

  /** The highest limit that may be active at one of the pods of a service. */
  highestLimit(name: ServiceName): number {
    let highest = 0;
    for (const pod of this.#services.get(name)?.pods.values() ?? [])
      if (!pod.removed || pod.ackedAt === undefined)
        highest = Math.max(highest, pod.ackedAt === undefined ? pod.ceiling : pod.limit);
    return highest;
  }

  /** The most requests of a service that a pod may have from it, now or by what it is told next. */
  held(name: ServiceName, address: string): number {
    const pod = this.#services.get(name)?.pods.get(address);
    const wanted = this.#wanted.get(name);
    const next = wanted === undefined || wanted.kind === 'removed' ? 0 : (wanted.pods.get(address)?.limit ?? 0);
    return Math.max(next, pod === undefined ? 0 : this.#most(pod));
  }

  /** How long it may take until something that has happened is reported. */
  get lagMs(): number {
    return 2 * this.#pace.reportMs;
  }

  #introduce({ name, waiting, inUse, pods, takenBy }: ServiceReport): void {
    this.#services.set(name, {
      ...newService(),
      pods: new Map(pods.map((pod) => [pod.address, introduced(pod)])),
      takenBy,
      waiting,
      inUse,
    });
  }

  #introduced(peer: string): readonly SlotsEvent[] {
    if (this.#isIntroduced) return [];
    this.#isIntroduced = true;
    const { codeVersion, memoryBytes } = this.#hello;
    const services = this.#introduction.splice(0);
    return [{ ...this.id, kind: 'hello', codeVersion, memoryBytes, services, peer }];
  }

  #holding(message: FromFilter & { readonly kind: 'holding' }): readonly SlotsEvent[] {
    const isNewest = this.#sharesAnswered === this.#shares - 1;
    if (message.isComplete) this.#sharesAnswered++;
    return isNewest ? [{ ...this.id, ...message }] : [];
  }

  #ack(sequence: number, now: number): readonly SlotsEvent[] {
    // Nothing that was not sent can be acknowledged.
    this.#acked = Math.max(this.#acked, Math.min(sequence, this.#sequence));
    const open = this.#unacked.findIndex(([at]) => at > this.#acked);
    const settled = this.#unacked.splice(0, open < 0 ? this.#unacked.length : open);
    const services = new Set(settled.map(([, each]) => each));
    for (const [name, address] of this.#forgotten.splice(0)) this.#forget(name, address);
    for (const name of services) this.#applied(name, now);
    const acked: SlotsEvent = { ...this.id, kind: 'acked', services };
    if (this.#syncedAt === undefined || this.#syncedAt > this.#acked) return [acked];
    this.#syncedAt = undefined;
    return [acked, { ...this.id, kind: 'synced' }];
  }

  #applied(name: ServiceName, now: number): void {
    const service = this.#services.get(name);
    if (service === undefined) return;
    for (const pod of service.pods.values()) {
      if (pod.ackedAt === undefined && pod.sequence <= this.#acked) pod.ackedAt = now;
    }
    this.#forgetIdle(name);
  }

  #report({ name, waiting, inUse, pods }: ServiceReport): void {
    const service = this.#services.get(name);
    if (service === undefined) return;
    service.waiting = waiting;
    service.inUse = inUse;
    for (const { address, inUse: now } of pods) {
      const pod = service.pods.get(address);
      if (pod !== undefined) pod.inUse = now;
    }
  }

  #waitingList(list: FromFilter & { readonly kind: 'waiting list' }): readonly SlotsEvent[] {
    const asked = this.#asked.get(list.query);
    if (asked === undefined) return [];
    this.#asked.delete(list.query);
    const service = this.#services.get(asked.service);
    if (service !== undefined) {
      service.waiting = list.waiting;
      service.claims = list.claims;
      service.away = list.away;
      service.hasForgotten = false;
      service.lookedAt = asked.at;
      for (const { address, inUse } of list.pods) {
        const pod = service.pods.get(address);
        if (pod !== undefined) Object.assign(pod, { inUse, lookedAt: asked.at });
      }
    }
    return [{ ...this.id, ...list, service: asked.service }];
  }

  /** A service that was removed is forgotten by the member with its last request. */
  #forgetIdle(name: ServiceName): void {
    const service = this.#services.get(name);
    if (service?.removed && service.sequence <= this.#acked && service.pods.size === 0) this.#services.delete(name);
  }

  #happened({ kind, service, address }: PodEvent): void {
    if (kind === 'forgotten' && !this.#forget(service, address)) this.#forgotten.push([service, address]);
    const pod = this.#services.get(service)?.pods.get(address);
    if (pod !== undefined) pod.isEjected = kind === 'ejected';
  }

  /**
   * Whether it is known which pod of this address was forgotten. It may have been added again since, and then removed once more: that is on
   * its way, and requests may begin until it is there.
   */
  #forget(name: ServiceName, address: string): boolean {
    const service = this.#services.get(name);
    const pod = service?.pods.get(address);
    if (pod !== undefined && pod.sequence > this.#acked) return false;
    if (service !== undefined && pod?.removed) {
      service.pods.delete(address);
      service.hasForgotten = true;
    }
    this.#forgetIdle(name);
    return true;
  }

  /** What it has of a service and is not to have any more. */
  #removals(name: ServiceName): ToFilter | undefined {
    const [wanted, service] = [this.#wanted.get(name), this.#services.get(name)];
    if (wanted === undefined || wanted.kind === 'removed') return wanted && this.#remove(name, service);
    if (service === undefined || service.removed) return undefined;
    const remove = [...service.pods.keys()].filter(
      (address) => !wanted.pods.has(address) && this.#removePod(service, address),
    );
    return remove.length === 0 ? undefined : { kind: 'pods', name, set: [], remove };
  }

  #takesOf(name: ServiceName): readonly ServiceName[] | undefined {
    const wanted = this.#wanted.get(name);
    return wanted?.kind === 'service' ? wanted.takes : undefined;
  }

  #messageFor(name: ServiceName): ToFilter | undefined {
    const wanted = this.#wanted.get(name);
    const service = this.#services.get(name);
    if (wanted === undefined) return undefined;
    if (wanted.kind === 'removed') return undefined;
    if (wanted.kind === 'pods') {
      if (service === undefined || service.removed) return undefined;
      return this.#changePods(name, { service, wanted: wanted.pods });
    }
    const takes = this.takes ? (wanted.takes ?? []) : [];
    const isTaken = service?.removed === true || service?.takenBy !== undefined;
    const settings = isTaken || !this.#hasTaken(name, takes) ? undefined : service?.settings;
    if (service !== undefined && settings !== undefined && sameSettings(settings, wanted.settings)) {
      return this.#changePods(name, { service, wanted: wanted.pods });
    }
    const next = service ?? newService();
    this.#services.set(name, next);
    next.settings = wanted.settings;
    next.removed = false;
    next.takenBy = undefined;
    next.takes = new Set(takes);
    next.sequence = this.#sequence + 1;
    for (const [address, slots] of wanted.pods) this.#setPod(next, { address, slots });
    for (const other of takes) this.#take(other, name);
    return { kind: 'service', name, settings: wanted.settings, pods: wanted.pods, takes };
  }

  /** Whether it was told that a service takes these over. */
  #hasTaken(name: ServiceName, takes: readonly ServiceName[]): boolean {
    const told = this.#services.get(name)?.takes;
    return takes.every((other) => {
      const service = this.#services.get(other);
      return service === undefined ? told?.has(other) === true : service.takenBy === name;
    });
  }

  /** A service has no pods any more, as another one takes it over. */
  #take(name: ServiceName, taker: ServiceName): void {
    // It knows the name from now on.
    const service = this.#services.get(name) ?? newService();
    this.#services.set(name, service);
    service.takenBy = taker;
    // What was wanted of it before is over; to be a service of its own again it has to be wanted anew.
    if (this.#wanted.has(name)) this.#wanted.set(name, NOTHING);
    for (const address of service.pods.keys()) this.#removePod(service, address);
  }

  #remove(name: ServiceName, service: MemberService | undefined): ToFilter | undefined {
    if (service === undefined || service.removed) return undefined;
    service.removed = true;
    service.sequence = this.#sequence + 1;
    for (const address of service.pods.keys()) this.#removePod(service, address);
    return { kind: 'remove', name };
  }

  #changePods(
    name: ServiceName,
    change: {
      readonly service: MemberService;
      readonly wanted: ReadonlyMap<string, PodSlots>;
    },
  ): ToFilter | undefined {
    const { service, wanted } = change;
    const set = [...wanted].filter(([address, slots]) => this.#setPod(service, { address, slots }));
    return set.length === 0 ? undefined : { kind: 'pods', name, set, remove: [] };
  }

  /** Whether that is something new. */
  #setPod(
    { pods }: MemberService,
    { address, slots }: { readonly address: string; readonly slots: PodSlots },
  ): boolean {
    const pod = pods.get(address);
    const { limit, unhealthy } = slots;
    if (pod?.limit === limit && pod.unhealthy === unhealthy && !pod.removed) return false;
    pods.set(address, {
      limit,
      unhealthy,
      removed: false,
      ceiling: Math.max(limit, pod === undefined ? 0 : this.#most(pod)),
      sequence: this.#sequence + 1,
      ackedAt: undefined,
      inUse: pod?.inUse ?? 0,
      lookedAt: pod?.lookedAt ?? Number.NEGATIVE_INFINITY,
      isEjected: pod?.isEjected ?? false,
    });
    return true;
  }

  #removePod({ pods }: MemberService, address: string): boolean {
    const pod = pods.get(address);
    if (pod === undefined || pod.removed) return false;
    pod.ceiling = this.#most(pod);
    pod.removed = true;
    pod.sequence = this.#sequence + 1;
    pod.ackedAt = undefined;
    return true;
  }

  /**
   * The most requests that a pod may have: what was begun before a limit was lowered is told after that, by a filter that stands still
   * when it goes on.
   */
  #most(pod: MemberPod): number {
    const { ackedAt } = pod;
    const isReported = ackedAt !== undefined && (pod.lookedAt >= ackedAt || this.#heardAt - ackedAt >= this.lagMs);
    return Math.max(pod.removed ? 0 : pod.limit, isReported ? pod.inUse : pod.ceiling);
  }
}

const NO_NAMES: ReadonlySet<ServiceName> = new Set();

const NOTHING: Wanted = { kind: 'pods', pods: new Map() };

function newService(): MemberService {
  return {
    settings: undefined,
    removed: false,
    takes: NO_NAMES,
    takenBy: undefined,
    sequence: 0,
    pods: new Map(),
    waiting: 0,
    claims: 0,
    away: 0,
    hasForgotten: false,
    inUse: 0,
    lookedAt: Number.NEGATIVE_INFINITY,
  };
}

function introduced({ limit, inUse, state }: PodReport): MemberPod {
  const removed = state === 'draining';
  const unhealthy = state === 'unhealthy';
  // What it says is so: nothing of it has to be waited for.
  const isEjected = state === 'ejected';
  const at = { sequence: 0, ackedAt: Number.NEGATIVE_INFINITY, lookedAt: Number.NEGATIVE_INFINITY };
  return { limit, unhealthy, removed, ceiling: removed ? inUse : Math.max(limit, inUse), inUse, isEjected, ...at };
}
