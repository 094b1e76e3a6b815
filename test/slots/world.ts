// Envoys and coordinators on a network that loses, delays and splits; pods that judge. Every step is decided by three numbers.
import { Coordinator, type CoordinatorMessage, type MemberMessage } from '../../src/slots/coordinator.ts';
import { EnvoyNode, type SharedPods, type Start } from './node.ts';

/** One step: what (an index into the mixture), and two numbers that choose. */
export type Step = readonly [what: number, a: number, b: number];

/** Something that must never be. */
export class Broken extends Error {}

const SERVICES: readonly SharedPods[] = [
  { name: 'work', pods: ['p', 'q'] },
  { name: 'other', pods: ['r'] },
];
const NAMES = ['a', 'b', 'c'];

/** What may happen, and how often. */
const WEIGHTS = {
  arrive: 14,
  end: 12,
  abort: 3,
  retry: 3,
  toCoordinator: 26,
  toMember: 26,
  breakStream: 2,
  connect: 7,
  memberCloses: 1,
  freezeMember: 1,
  wakeMember: 2,
  freezeCoordinator: 1,
  wakeCoordinator: 2,
  crashMember: 1,
  startMember: 2,
  register: 4,
  prove: 1.5,
  hearOfDeath: 2,
  crashCoordinator: 0.5,
  startCoordinator: 1,
  readRegister: 4,
  changeLimit: 1,
  hearLimits: 3,
  acknowledge: 2,
  writeLease: 5,
  passTime: 8,
  heal: 0.3,
  declareDead: 0.5,
} as const;
type What = keyof typeof WEIGHTS;
const ALWAYS: readonly What[] = [
  'arrive',
  'end',
  'toCoordinator',
  'toMember',
  'register',
  'readRegister',
  'hearLimits',
  'connect',
  'acknowledge',
  'writeLease',
  'passTime',
];

/** A mixture of its own for each seed: some faults never happen in it, others often. */
export function mixtureOf(random: () => number): readonly What[] {
  return (Object.keys(WEIGHTS) as What[]).flatMap((what) => {
    const factors = ALWAYS.includes(what) ? [0.5, 1, 2] : [0, 0, 0.3, 1, 3];
    const factor = factors[Math.floor(random() * factors.length)] ?? 1;
    return Array.from({ length: Math.round(WEIGHTS[what] * 4 * factor) }, () => what);
  });
}

interface MemberProcess {
  readonly node: EnvoyNode;
  /** Its clock is so far from the world's. */
  readonly offset: number;
  alive: boolean;
  frozen: boolean;
  /** Its death is known for good. */
  proven: boolean;
  /** Registered, and then has read the term (rule 2). */
  phase: 'new' | 'registered' | 'ready';
  stream: Stream | undefined;
  /** The endpoints that its Envoy has. */
  readonly endpoints: Set<string>;
  readonly requests: Map<string, number>;
}

interface CoordinatorProcess {
  readonly coordinator: Coordinator;
  readonly offset: number;
  alive: boolean;
  frozen: boolean;
  /** It has read who is registered, after it won its term. */
  reads: boolean;
  /** The limits that it has heard of. */
  version: number;
  /** Proofs that it waits for. */
  proofs: number[];
  /** It wants to be told when time has passed. */
  wakes: boolean;
}

/** What a Sluice that relays a stream tells of it. */
interface Received {
  readonly kind: 'received';
  readonly grants: number;
}

/** Half of the streams go over another Sluice. */
function isRelayed({ connection }: Pick<Stream, 'connection'>): boolean {
  return connection % 2 === 0;
}

interface Stream {
  readonly member: MemberProcess;
  readonly at: CoordinatorProcess;
  readonly connection: number;
  readonly number: number;
  up: (MemberMessage | Received | 'open' | 'closed')[];
  down: (CoordinatorMessage | 'closed')[];
  /** Those that have arrived. */
  grants: number;
  cut: boolean;
}

interface Request {
  readonly service: number;
  readonly member: MemberProcess;
  readonly place: number;
  state: 'waiting' | 'working';
  /** Where it runs; undefined for one whose slot was given up by consent. */
  pod: string | undefined;
  /** The only pod that it may have: Envoy tries it there. */
  wants: string | undefined;
}

export interface WorldOptions {
  /** Terms are won at a Lease (`CoordinatorOptions.lease`). */
  readonly lease: boolean;
}

export class World {
  readonly counts = new Map<string, number>();
  readonly members: MemberProcess[] = [];
  readonly coordinators: CoordinatorProcess[] = [];
  now = 0;
  term = 0;
  limits = new Map<string, number>(SERVICES.flatMap(({ pods }) => pods.map((pod) => [pod, 1] as const)));
  /** What a pod may see at a time: a lowered limit holds once everybody has heard of it and nobody holds more. */
  readonly bounds = new Map(this.limits);
  private readonly mixture: readonly What[];
  private readonly options: WorldOptions;
  private version = 1;
  private streams: Stream[] = [];
  private connections = 0;
  private epochs = 0;
  private requests = 0;
  private readonly open = new Map<number, Request>();
  private readonly running = new Map<string, number>();
  private readonly registered = new Set<string>();
  private readonly dead: string[] = [];

  constructor(mixture: readonly What[], options: WorldOptions) {
    this.mixture = mixture;
    this.options = options;
    for (const name of NAMES) this.startMember(name);
    this.startCoordinator();
  }

  step([what, a, b]: Step): void {
    this.now++;
    const name = this.mixture[what % this.mixture.length];
    if (name !== undefined) this[name](a, b);
    this.lowerBounds();
  }

  // ---- Requests ----

  private arrive(a: number, b: number): void {
    const member = pick(this.awake(), a);
    if (member === undefined) return;
    this.arriveAt(member, b % 4 === 0 ? 1 : 0);
  }

  /** A request of a service arrives at a member. */
  arriveAt(member: MemberProcess, service: number): void {
    const place = member.node.arrive(service, this.clock(member));
    const id = ++this.requests;
    this.open.set(id, { service, member, place, state: 'waiting', pod: undefined, wants: undefined });
    member.requests.set(`${service}/${place}`, id);
    this.flushMember(member);
  }

  private end(a: number): void {
    const id = pick(this.requestsIn('working'), a);
    if (id !== undefined) this.endRequest(id);
  }

  private abort(a: number): void {
    const id = pick(this.requestsIn('waiting'), a);
    if (id !== undefined) this.endRequest(id);
  }

  private requestsIn(state: Request['state']): readonly number[] {
    return [...this.open].flatMap(([id, request]) => {
      const { alive, frozen } = request.member;
      return request.state === state && alive && !frozen ? [id] : [];
    });
  }

  private endRequest(id: number): void {
    const request = this.open.get(id) as Request;
    this.open.delete(id);
    if (request.pod !== undefined) this.count(request.pod, -1);
    request.member.requests.delete(`${request.service}/${request.place}`);
    request.member.node.end(request.place, this.clock(request.member));
    this.flushMember(request.member);
  }

  /** The pod of a request cannot be reached, and Envoy tries it at another one. */
  private retry(a: number, b: number): void {
    const request = this.open.get(pick(this.requestsIn('working'), a) ?? -1);
    if (request === undefined) return;
    const { member, service } = request;
    const all = SERVICES[service]?.pods ?? [];
    const wants = pick(
      all.filter((pod) => pod !== request.pod && member.endpoints.has(pod) && (this.limits.get(pod) ?? 0) > 0),
      b,
    );
    if (wants === undefined) return;
    if (request.pod !== undefined) this.count(request.pod, -1);
    request.state = 'waiting';
    request.pod = undefined;
    request.wants = wants;
    member.node.retry(request.place, all.indexOf(wants), this.clock(member));
    this.flushMember(member);
    this.seen('retries');
  }

  private started(member: MemberProcess, start: Start): void {
    const id = member.requests.get(`${start.service}/${start.place}`) ?? 0;
    const request = this.open.get(id);
    if (request?.state !== 'waiting') throw new Broken('a request starts that does not wait');
    if (!member.endpoints.has(start.pod)) throw new Broken('a request starts on a pod that its Envoy does not have');
    if ((request.wants ?? start.pod) !== start.pod) throw new Broken('a request starts elsewhere than Envoy tries it');
    request.state = 'working';
    request.wants = undefined;
    this.seen('starts');
    // A member that was given up, and lives: what it starts is over the limit by consent.
    if (member.proven) return;
    request.pod = start.pod;
    this.count(start.pod, 1);
    const running = this.running.get(start.pod) ?? 0;
    const bound = this.bounds.get(start.pod) ?? 0;
    if (running > bound) throw new Broken(`over the limit: ${running} on ${start.pod}, limit ${bound}`);
  }

  private count(pod: string, by: number): void {
    this.running.set(pod, (this.running.get(pod) ?? 0) + by);
  }

  // ---- Messages ----

  private toCoordinator(a: number): void {
    const stream = pick(
      this.streams.filter(({ up, at }) => up.length > 0 && at.alive && !at.frozen && at.reads),
      a,
    );
    if (stream !== undefined) this.deliverUp(stream);
  }

  private toMember(a: number): void {
    const stream = pick(
      this.streams.filter(({ down, member }) => down.length > 0 && !member.frozen),
      a,
    );
    if (stream !== undefined) this.deliverDown(stream);
  }

  private deliverUp(stream: Stream): void {
    const message = stream.up.shift();
    this.seen('messages');
    const { coordinator } = stream.at;
    if (message === undefined || !stream.at.alive) return;
    if (message === 'open') coordinator.opened(stream.connection);
    else if (message === 'closed') coordinator.closed(stream.connection, this.clock(stream.at));
    else if (message.kind === 'received')
      coordinator.received(stream.connection, message.grants, this.clock(stream.at));
    else coordinator.hear(stream.connection, message, this.clock(stream.at));
    this.flushCoordinator(stream.at);
  }

  private deliverDown(stream: Stream): void {
    const message = stream.down.shift();
    this.seen('messages');
    const { member } = stream;
    if (message === undefined || !member.alive) return;
    const newest = member.stream === stream;
    if (message === 'closed') {
      if (!newest) return;
      member.stream = undefined;
      member.node.close(this.clock(member));
      this.flushMember(member);
      return;
    }
    if (message.kind === 'grant' && isRelayed(stream)) stream.up.push({ kind: 'received', grants: ++stream.grants });
    const answer = member.node.hear(stream.number, message, this.clock(member));
    if (answer === 'hello' && newest) {
      const hello = member.node.hello(stream.number, this.clock(member));
      stream.up.push({ ...hello, tellsReceived: isRelayed(stream) });
    }
    this.flushMember(member);
    if (answer !== 'close' || !newest) return;
    if (message.kind === 'dead') this.newLife(member);
    this.cut(stream, 99, 0);
    member.stream = undefined;
  }

  private flushMember(member: MemberProcess): void {
    const messages = member.node.takeMessages();
    if (member.stream !== undefined && !member.stream.cut) member.stream.up.push(...messages);
    for (const start of member.node.takeStarts()) this.started(member, start);
  }

  private flushCoordinator(process: CoordinatorProcess): void {
    for (const effect of process.coordinator.take()) {
      if (effect.kind === 'prove') {
        process.proofs.push(effect.number);
        continue;
      }
      if (effect.kind === 'wake') {
        process.wakes = true;
        continue;
      }
      const stream = this.streams.find(({ connection }) => connection === effect.connection);
      if (stream !== undefined && !stream.cut) stream.down.push(effect.message);
    }
  }

  // ---- Streams ----

  private connect(a: number, b: number): void {
    const ready = this.awake().filter(
      ({ phase, stream }) => phase === 'ready' && (stream === undefined || b % 8 === 0),
    );
    const member = pick(ready, a);
    const there = this.coordinators.filter(({ alive, reads }) => alive && reads);
    const at = b % 3 === 0 ? there[(b >> 4) % there.length] : there.at(-1);
    if (member !== undefined && at !== undefined) this.connectTo(member, at);
  }

  connectTo(member: MemberProcess, at: CoordinatorProcess): void {
    const number = member.node.open(this.clock(member));
    const connection = this.connections++;
    const stream: Stream = { member, at, connection, number, up: ['open'], down: [], grants: 0, cut: false };
    member.stream = stream;
    this.streams = this.streams.filter(({ cut, up, down }) => !cut || up.length > 0 || down.length > 0);
    this.streams.push(stream);
    this.flushMember(member);
    this.seen('streams');
  }

  private breakStream(a: number, b: number): void {
    const stream = pick(
      this.streams.filter(({ cut }) => !cut),
      a,
    );
    if (stream !== undefined) this.cut(stream, b, b >> 8);
  }

  /** Ends a stream; so many messages of each direction still arrive. */
  private cut(stream: Stream, up: number, down: number): void {
    if (stream.cut) return;
    stream.cut = true;
    stream.up.length = up % (stream.up.length + 1);
    stream.down.length = down % (stream.down.length + 1);
    stream.up.push('closed');
    stream.down.push('closed');
    this.seen('breaks');
  }

  private memberCloses(a: number, b: number): void {
    const member = pick(
      this.awake().filter(({ stream }) => stream !== undefined),
      a,
    );
    if (member?.stream === undefined) return;
    const { stream } = member;
    member.stream = undefined;
    member.node.close(this.clock(member));
    this.cut(stream, b, 0);
    this.flushMember(member);
  }

  // ---- Members ----

  private awake(): readonly MemberProcess[] {
    return this.members.filter(({ alive, frozen }) => alive && !frozen);
  }

  private startMember(a: number | string): void {
    const name = typeof a === 'string' ? a : (NAMES[a % NAMES.length] as string);
    if (this.members.some(({ node, alive }) => node.name === name && alive)) return;
    const node = new EnvoyNode(name, ++this.epochs, SERVICES);
    const offset = this.epochs * 1000;
    const life = { alive: true, frozen: false, proven: false, phase: 'new', stream: undefined } as const;
    this.members.push({ node, offset, ...life, endpoints: new Set(), requests: new Map() });
  }

  private register(a: number): void {
    const member = pick(
      this.awake().filter(({ phase }) => phase !== 'ready'),
      a,
    );
    if (member !== undefined) this.registerNext(member);
  }

  /** Registers it; or lets it read the term, if it is registered. */
  registerNext(member: MemberProcess): void {
    if (member.phase === 'new') {
      this.registered.add(member.node.key);
      member.phase = 'registered';
      return;
    }
    member.node.readTerm(this.term);
    member.phase = 'ready';
  }

  private newLife(member: MemberProcess): void {
    member.node.epoch = ++this.epochs;
    member.proven = false;
    member.phase = 'new';
  }

  private crashMember(a: number, b: number): void {
    const member = pick(
      this.members.filter(({ alive }) => alive),
      a,
    );
    if (member !== undefined) this.crash(member, b);
  }

  crash(member: MemberProcess, b: number): void {
    member.alive = false;
    member.frozen = false;
    for (const [id, request] of this.open) {
      if (request.member !== member) continue;
      if (request.pod !== undefined) this.count(request.pod, -1);
      this.open.delete(id);
    }
    for (const stream of this.streams) if (stream.member === member) this.cut(stream, b, 0);
    member.stream = undefined;
    this.seen('crashes of a member');
  }

  private prove(a: number): void {
    const member = pick(
      this.members.filter(({ alive, proven }) => !alive && !proven),
      a,
    );
    if (member !== undefined) this.proveDead(member);
  }

  /** From now on it is known for good that this life of a member is over. */
  proveDead(member: MemberProcess): void {
    member.proven = true;
    this.registered.delete(member.node.key);
    this.dead.push(member.node.key);
    this.seen('proofs of death');
  }

  /** Given up although it lives (`slots.reclaim`): what runs there is over the limit by consent. */
  private declareDead(a: number): void {
    const member = pick(
      this.members.filter(({ alive, phase, proven }) => alive && phase === 'ready' && !proven),
      a,
    );
    if (member === undefined) return;
    this.proveDead(member);
    for (const request of this.open.values()) {
      if (request.member !== member || request.pod === undefined) continue;
      this.count(request.pod, -1);
      request.pod = undefined;
    }
  }

  private freezeMember(a: number): void {
    const member = pick(this.awake(), a);
    if (member !== undefined) member.frozen = true;
  }

  private wakeMember(a: number): void {
    const member = pick(
      this.members.filter(({ frozen }) => frozen),
      a,
    );
    if (member !== undefined) member.frozen = false;
  }

  // ---- Coordinators ----

  private startCoordinator(): void {
    if (this.coordinators.filter(({ alive }) => alive).length >= 3) return;
    this.takeOver();
  }

  /** A new coordinator wins the next term; the others do not know it yet. */
  takeOver(): CoordinatorProcess {
    const term = ++this.term;
    // With so few members some must ask one first, or all are always asked.
    const coordinator = new Coordinator({ term, lease: this.options.lease, askFirst: term % 2 });
    const life = { alive: true, frozen: false, reads: false, version: 0, wakes: false };
    const process: CoordinatorProcess = { coordinator, offset: term * 7777, ...life, proofs: [] };
    this.coordinators.push(process);
    this.seen('terms');
    return process;
  }

  private readRegister(a: number): void {
    const process = pick(
      this.coordinators.filter(({ alive, frozen, reads }) => alive && !frozen && !reads),
      a,
    );
    if (process !== undefined) this.readRegisterOf(process, this.registered);
  }

  readRegisterOf(process: CoordinatorProcess, registered: Iterable<string>): void {
    process.coordinator.expect(registered, this.dead, this.clock(process));
    process.reads = true;
    this.flushCoordinator(process);
  }

  private crashCoordinator(a: number, b: number): void {
    const process = pick(
      this.coordinators.filter(({ alive }) => alive),
      a,
    );
    if (process !== undefined) this.endCoordinator(process, b);
  }

  private endCoordinator(process: CoordinatorProcess, b: number): void {
    process.alive = false;
    process.frozen = false;
    process.proofs = [];
    for (const stream of this.streams) if (stream.at === process) this.cut(stream, 0, b);
  }

  private freezeCoordinator(a: number): void {
    const process = pick(
      this.coordinators.filter(({ alive, frozen }) => alive && !frozen),
      a,
    );
    if (process !== undefined) process.frozen = true;
  }

  private wakeCoordinator(a: number): void {
    const process = pick(
      this.coordinators.filter(({ frozen }) => frozen),
      a,
    );
    if (process !== undefined) process.frozen = false;
  }

  /** The write to the Lease that a coordinator asked for. An old term's fails. */
  private writeLease(a: number): void {
    const process = pick(
      this.coordinators.filter(({ alive, frozen, proofs }) => alive && !frozen && proofs.length > 0),
      a,
    );
    if (process !== undefined) this.answerProof(process);
  }

  answerProof(process: CoordinatorProcess): void {
    const number = process.proofs.shift();
    if (number === undefined || process.coordinator.term !== this.term) return;
    process.coordinator.proved(number, this.clock(process));
    this.flushCoordinator(process);
    this.seen('proofs of the term');
  }

  private passTime(a: number): void {
    const process = pick(
      this.coordinators.filter(({ alive, frozen, wakes }) => alive && !frozen && wakes),
      a,
    );
    if (process !== undefined) this.passTimeAt(process, a % 1000);
  }

  private passTimeAt(process: CoordinatorProcess, ms: number): void {
    process.wakes = false;
    this.now += ms;
    process.coordinator.passed(this.clock(process));
    this.flushCoordinator(process);
    this.seen('wakes');
  }

  private hearOfDeath(a: number, b: number): void {
    const key = pick(this.dead, a);
    const process = pick(
      this.coordinators.filter(({ alive, frozen, reads }) => alive && !frozen && reads),
      b,
    );
    if (key !== undefined && process !== undefined) this.tellDeath(process, key);
  }

  tellDeath(process: CoordinatorProcess, key: string): void {
    process.coordinator.died([key], this.clock(process));
    this.flushCoordinator(process);
  }

  private changeLimit(a: number, b: number): void {
    const pod = pick([...this.limits.keys()], a);
    if (pod === undefined) return;
    this.limits = new Map(this.limits).set(pod, b % 3);
    this.version++;
    this.seen('changed limits');
  }

  private hearLimits(a: number): void {
    const process = pick(
      this.coordinators.filter(({ alive, frozen, version }) => alive && !frozen && version < this.version),
      a,
    );
    if (process !== undefined) this.tellLimits(process);
  }

  tellLimits(process: CoordinatorProcess): void {
    process.version = this.version;
    const services = SERVICES.map(({ name, pods }) => {
      const limits = pods.map((pod) => [pod, this.limits.get(pod) ?? 0] as const).filter(([, limit]) => limit > 0);
      return [name, new Map(limits)] as const;
    });
    process.coordinator.configure(new Map(services), this.clock(process));
    this.flushCoordinator(process);
  }

  private acknowledge(a: number, b: number): void {
    const member = pick(this.awake(), a);
    const process = pick(
      this.coordinators.filter(({ alive, frozen }) => alive && !frozen),
      b,
    );
    if (member !== undefined && process !== undefined) this.tellEndpoints(process, member);
  }

  /** The Envoy of a member has all endpoints, and a coordinator hears of it. */
  tellEndpoints(process: CoordinatorProcess, member: MemberProcess): void {
    for (const { name, pods } of SERVICES) {
      for (const pod of pods) member.endpoints.add(pod);
      process.coordinator.acknowledged(member.node.key, name, new Set(pods), this.clock(process));
    }
    this.flushCoordinator(process);
  }

  private clock({ offset }: { readonly offset: number }): number {
    return this.now + offset;
  }

  // ---- What must hold ----

  private heldInAll(service: number, pod: number): number {
    return this.members
      .filter(({ alive, proven }) => alive || !proven)
      .reduce((total, { node }) => total + node.held(service, pod), 0);
  }

  private lowerBounds(): void {
    SERVICES.forEach(({ name, pods }, service) => {
      pods.forEach((pod, index) => {
        const limit = this.limits.get(pod) ?? 0;
        const bound = this.bounds.get(pod) ?? 0;
        if (limit > bound) this.bounds.set(pod, limit);
        if (limit < bound && this.isLowered(name, pod, service, index, limit)) this.bounds.set(pod, limit);
      });
    });
  }

  private isLowered(name: string, pod: string, service: number, index: number, limit: number): boolean {
    const living = this.coordinators.filter(({ alive }) => alive);
    if (living.some(({ version }) => version < this.version)) return false;
    if (this.heldInAll(service, index) > limit) return false;
    if (living.some(({ coordinator }) => (coordinator.inHand(name).get(pod) ?? 0) > 0)) return false;
    return !this.streams.some(({ up, down }) =>
      [...up, ...down].some(
        (message) =>
          typeof message === 'object' &&
          (message.kind === 'released' || message.kind === 'grant') &&
          message.service === name &&
          message.pod === pod,
      ),
    );
  }

  /** Everything is repaired. Then every slot is with somebody, and nobody waits beside an idle one. */
  heal(a: number): void {
    this.now++;
    const random = ordered(a);
    for (const process of [...this.members, ...this.coordinators]) process.frozen = false;
    for (const process of this.coordinators) {
      if (process.alive && process.coordinator.term !== this.term) this.endCoordinator(process, 0);
    }
    if (!this.coordinators.some(({ alive }) => alive)) this.takeOver();
    const newest = this.coordinators.at(-1) as CoordinatorProcess;
    for (const name of NAMES) this.startMember(name);
    for (const member of this.members) if (!member.alive && !member.proven) this.proveDead(member);
    if (!newest.reads) this.readRegisterOf(newest, this.registered);
    if (newest.version < this.version) this.tellLimits(newest);
    for (const key of this.dead) this.tellDeath(newest, key);
    this.quiet(random);
    for (let again = 0; again < 3; again++) {
      for (const member of this.members) if (member.alive) this.bring(member, newest);
      this.quiet(random);
    }
    this.lowerBounds();
    this.judge();
  }

  private bring(member: MemberProcess, to: CoordinatorProcess): void {
    while (member.phase !== 'ready') this.registerNext(member);
    if (member.stream === undefined || member.stream.cut || member.stream.at !== to) this.connectTo(member, to);
    this.tellEndpoints(to, member);
  }

  /** Delivers everything, until nobody has anything to say. */
  quiet(random: () => number): void {
    for (let n = 0; n < 20_000; n++) {
      const up = this.streams.filter((stream) => stream.up.length > 0);
      const down = this.streams.filter((stream) => stream.down.length > 0);
      const proofs = this.coordinators.filter((process) => process.alive && process.proofs.length > 0);
      const sleeping = this.coordinators.filter((process) => process.alive && process.wakes);
      const talks = up.length + down.length + proofs.length;
      const choices = talks + sleeping.length;
      if (choices === 0) return;
      this.now++;
      const choice = Math.floor(random() * choices);
      if (choice < up.length) this.deliverUp(up[choice] as Stream);
      else if (choice < up.length + down.length) this.deliverDown(down[choice - up.length] as Stream);
      else if (choice < talks) this.answerProof(proofs[choice - up.length - down.length] as CoordinatorProcess);
      else this.passTimeAt(sleeping[choice - talks] as CoordinatorProcess, 1000);
    }
    throw new Broken('they never stop talking');
  }

  private judge(): void {
    const coordinator = this.coordinators.find(({ alive }) => alive)?.coordinator;
    SERVICES.forEach(({ name, pods }, service) => {
      const open = [...this.open.values()].filter((it) => it.state === 'waiting' && it.service === service);
      pods.forEach((pod, index) => {
        const waiting = open.filter(({ wants }) => wants === undefined || wants === pod).length;
        const living = this.members.filter(({ alive }) => alive);
        const held = living.reduce((total, { node }) => total + node.held(service, index), 0);
        const used = living.reduce((total, { node }) => total + node.used(service, index), 0);
        const limit = this.limits.get(pod) ?? 0;
        // While one waits that can only use another pod, idle slots stay with the coordinator.
        const inHand = open.some(({ wants }) => wants !== undefined) ? (coordinator?.inHand(name).get(pod) ?? 0) : 0;
        if (held + inHand !== limit && !(held > limit && held === used)) {
          throw new Broken(`slots of ${pod}: ${held} held, ${used} in use, limit ${limit}`);
        }
        if (held > used && waiting > 0)
          throw new Broken(`${waiting} wait while ${held - used} slots of ${pod} are idle`);
      });
    });
  }

  /** Ends with everything repaired, and everybody served. */
  finish(seed: number): void {
    this.heal(seed);
    const random = ordered(seed);
    for (;;) {
      const working = this.requestsIn('working');
      if (working.length === 0) break;
      this.now++;
      const id = working[Math.floor(random() * working.length)] as number;
      const request = this.open.get(id);
      const pod = request?.pod;
      const excess = request === undefined || this.hasLost(request) ? 0 : this.excessOf(pod);
      this.endRequest(id);
      this.quiet(random);
      this.lowerBounds();
      this.judge();
      if (excess > 0 && this.excessOf(pod) >= excess) {
        throw new Broken(`slots of ${pod} beyond its limit are used again`);
      }
    }
    SERVICES.forEach(({ pods }, service) => {
      const waiting = [...this.open.values()].filter((it) => it.service === service);
      for (const { wants } of waiting) {
        const usable = pods.filter((pod) => (wants ?? pod) === pod && (this.limits.get(pod) ?? 0) > 0);
        if (usable.length > 0) throw new Broken(`${waiting.length} wait for ever`);
      }
    });
  }

  /** Its end may not free a slot: another request runs there without one, after its member was given up. */
  private hasLost({ service, member, pod }: Request): boolean {
    return member.node.hasLost(service, SERVICES[service]?.pods.indexOf(pod ?? '') ?? -1);
  }

  /** Slots of a pod beyond its limit, after that was lowered. */
  private excessOf(pod: string | undefined): number {
    const service = SERVICES.findIndex(({ pods }) => pod !== undefined && pods.includes(pod));
    if (pod === undefined || service < 0) return 0;
    return this.heldInAll(service, SERVICES[service]?.pods.indexOf(pod) ?? 0) - (this.limits.get(pod) ?? 0);
  }

  private seen(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

function pick<T>(all: readonly T[], a: number): T | undefined {
  return all[a % all.length];
}

/** An order of its own for each number. */
function ordered(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}
