import { NONE, Queues, WORKING } from '../../envoy/filter/queue.ts';
import { LEFT, Shares, WAITS } from '../../envoy/filter/shares.ts';
import type { CoordinatorMessage, HeldService, MemberMessage } from '../../src/slots/coordinator.ts';

/** A service of the simulated worlds, and its pods. */
export interface SharedPods {
  readonly name: string;
  readonly pods: readonly string[];
}

/** A request that has got a slot. */
export interface Start {
  readonly service: number;
  readonly place: number;
  readonly pod: string;
}

/** More than any limit: how many slots there are, the coordinator knows. */
const MOST = 1000;

/** The filter of one Envoy, as filter.ts and coordination.ts connect it to Envoy and to Sluice; messages are in words. */
export class EnvoyNode {
  readonly queues = new Queues();
  readonly shares = new Shares(this.queues);
  readonly name: string;
  private readonly services: readonly SharedPods[];
  /** By service, the number of each pod. */
  private readonly numbers: readonly (readonly number[])[];
  private readonly names = new Map<number, string>();
  /** The number of each service, and of each of its pods. */
  private readonly indices: ReadonlyMap<string, { readonly s: number; readonly pods: ReadonlyMap<string, number> }>;
  private starts: Start[] = [];
  epoch: number;

  constructor(name: string, epoch: number, services: readonly SharedPods[], slack = 0) {
    this.name = name;
    this.epoch = epoch;
    this.services = services;
    this.numbers = services.map(({ pods }) => {
      const s = this.queues.addService();
      this.shares.add(s);
      this.queues.configure(s, 1_000_000, 0, 0);
      this.shares.setSlack(s, slack);
      return pods.map((pod) => {
        const p = this.queues.addPod(s, MOST, false);
        this.names.set(p, pod);
        return p;
      });
    });
    this.indices = new Map(
      services.map(({ name, pods }, s) => [
        name,
        { s, pods: new Map(pods.map((pod, i) => [pod, this.numbers[s]?.[i] ?? NONE])) },
      ]),
    );
    this.queues.coordinated = true;
    services.forEach((_, s) => {
      this.shares.begin(s);
    });
  }

  get key(): string {
    return `${this.name}#${this.epoch}`;
  }

  /** A request arrives. Returns its place; it waits, or is among the starts. */
  arrive(service: number, now: number): number {
    const r = this.queues.arrive(service, now);
    if (this.queues.state(r) === WORKING) this.started(r);
    this.advance(now);
    return r;
  }

  /** A request ends, or gives up waiting. */
  end(place: number, now: number): void {
    this.queues.gone(place, now);
    this.advance(now);
  }

  /** Its pod cannot be reached, and Envoy tries it at another one. */
  retry(place: number, pod: number, now: number): void {
    const p = this.numbers[this.queues.serviceOf(place)]?.[pod] ?? NONE;
    this.queues.claim(place, p);
    this.queues.setConnected(place);
    if (this.queues.takeClaimOf(place)) this.started(place);
    this.advance(now);
  }

  /** Opens a stream, and returns its number. */
  open(now: number): number {
    const stream = this.shares.open(this.services.length);
    this.advance(now);
    return stream;
  }

  close(now: number): void {
    this.shares.close(this.services.length);
    this.advance(now);
  }

  /** It has read the term (rule 2). */
  readTerm(term: number): void {
    this.shares.term = Math.max(this.shares.term, term);
  }

  /** What it wants to say since the last call. */
  takeMessages(): readonly MemberMessage[] {
    const { shares } = this;
    const messages = Array.from({ length: shares.messageCount }, (_, i): MemberMessage => {
      const service = this.services[shares.messageService(i)]?.name ?? '';
      const pod = this.names.get(shares.messagePod(i));
      const request = shares.messageName(i);
      if (shares.messageKind(i) === WAITS) return { kind: 'waits', service, request, age: shares.messageAge(i), pod };
      if (shares.messageKind(i) === LEFT) return { kind: 'left', service, request };
      return { kind: 'released', service, pod: pod ?? '' };
    });
    shares.clear();
    return messages;
  }

  /** The requests that start since the last call. */
  takeStarts(): readonly Start[] {
    return this.starts.splice(0);
  }

  /** A message of the coordinator on one of its streams. `hello`: say it now. `close`: end the stream. */
  hear(stream: number, message: CoordinatorMessage, now: number): 'hello' | 'close' | 'nothing' {
    const answer = this.answer(stream, message, now);
    this.advance(now);
    return answer;
  }

  private answer(stream: number, message: CoordinatorMessage, now: number): 'hello' | 'close' | 'nothing' {
    const services = this.services.length;
    if (message.kind === 'welcome') return this.shares.welcome(stream, message.term, services) ? 'hello' : 'close';
    if (message.kind === 'dead') {
      this.shares.declaredDead(stream, services);
      return 'close';
    }
    if (message.kind === 'alone') this.shares.setAlone(stream, message.alone, services);
    else this.hearOfService(stream, message, now);
    return 'nothing';
  }

  private hearOfService(
    stream: number,
    message: Exclude<CoordinatorMessage, { kind: 'welcome' | 'dead' | 'alone' }>,
    now: number,
  ): void {
    const { s = NONE, pods } = this.indices.get(message.service) ?? {};
    const pod = (name: string) => pods?.get(name) ?? NONE;
    if (message.kind === 'grant') this.shares.grant(stream, pod(message.pod), message.request);
    else if (message.kind === 'recall') this.shares.recall(stream, pod(message.pod), message.slots);
    else if (message.kind === 'acknowledged') this.shares.acknowledged(stream, s, message.slots);
    else this.shares.oldestElsewhere(stream, s, message.age ?? Number.POSITIVE_INFINITY, now);
  }

  /** As `advance` and `shareOut` in the filter. */
  private advance(now: number): void {
    const { queues, shares } = this;
    queues.tick(now);
    for (let r = queues.takeClaim(); r !== NONE; r = queues.takeClaim()) this.started(r);
    for (let s = queues.nextReady(); s !== NONE; s = queues.nextReady()) {
      const r = queues.start(s, now);
      if (r !== NONE) this.started(r);
    }
    for (let s = queues.takeUnshared(); s !== NONE; s = queues.takeUnshared()) shares.step(s);
    shares.tell(now);
    queues.clearEvents();
  }

  private started(r: number): void {
    this.starts.push({ service: this.queues.serviceOf(r), place: r, pod: this.names.get(this.queues.podOf(r)) ?? '' });
  }

  /** All it holds, and who waits. */
  hello(stream: number, now: number): MemberMessage & { readonly kind: 'hello' } {
    const { queues } = this;
    const services = this.services.map(({ name: service, pods }, s): HeldService => {
      const held = pods.flatMap((pod, i) => (this.held(s, i) > 0 ? [[pod, this.held(s, i)] as const] : []));
      const waiting: [number, number, string | undefined][] = [];
      for (let r = queues.firstWaiting(s); r !== NONE; r = queues.after(r)) {
        waiting.push([queues.nameOf(r), now - queues.came(r), undefined]);
      }
      for (let r = queues.firstClaim(); r !== NONE; r = queues.nextClaim(r)) {
        if (queues.serviceOf(r) !== s) continue;
        waiting.push([queues.nameOf(r), now - queues.came(r), this.names.get(queues.claimOf(r))]);
      }
      return { service, held, waiting };
    });
    return { kind: 'hello', member: this.key, stream, services };
  }

  /** The slots of a pod that it holds. */
  held(service: number, pod: number): number {
    return this.queues.held(this.numbers[service]?.[pod] ?? NONE);
  }

  /** Those of them that are in use. */
  used(service: number, pod: number): number {
    return this.queues.used(this.numbers[service]?.[pod] ?? NONE);
  }

  /** Whether requests of a life that was given up still run there. */
  hasLost(service: number, pod: number): boolean {
    const p = this.numbers[service]?.[pod];
    return p !== undefined && this.queues.lost(p) > 0;
  }
}
