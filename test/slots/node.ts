import { LEFT, Member, NONE, WAITS } from '../../envoy/filter/member.ts';
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

/** One Envoy: a member of each service, and the messages between it and a coordinator in words. */
export class EnvoyNode {
  readonly members: readonly Member[];
  readonly name: string;
  private readonly services: readonly SharedPods[];
  epoch: number;

  constructor(name: string, epoch: number, services: readonly SharedPods[]) {
    this.name = name;
    this.epoch = epoch;
    this.services = services;
    this.members = services.map(() => new Member());
  }

  get key(): string {
    return `${this.name}#${this.epoch}`;
  }

  /** Opens a stream, and returns its number. */
  open(now: number): number {
    return Math.max(...this.members.map((member) => member.open(now)));
  }

  close(now: number): void {
    for (const member of this.members) member.close(now);
  }

  /** What the members want to say since the last call. */
  takeMessages(): readonly MemberMessage[] {
    return this.members.flatMap((member, index) => {
      const { name: service, pods } = this.services[index] as SharedPods;
      return Array.from({ length: member.messageCount }, (_, i): MemberMessage => {
        const subject = member.messageSubject(i);
        if (member.messageKind(i) === WAITS)
          return { kind: 'waits', service, request: subject, age: member.messageAge(i) };
        if (member.messageKind(i) === LEFT) return { kind: 'left', service, request: subject };
        return { kind: 'released', service, pod: pods[subject] as string };
      });
    });
  }

  /** The requests that start since the last call; after this nothing is left to read. */
  takeStarts(): readonly Start[] {
    const starts = this.members.flatMap((member, service) =>
      Array.from({ length: member.startCount }, (_, i): Start => {
        const place = member.startedRequest(i);
        return { service, place, pod: this.services[service]?.pods[member.podOf(place)] as string };
      }),
    );
    for (const member of this.members) member.clear();
    return starts;
  }

  /** A message of the coordinator on one of its streams. `hello`: say it now. `close`: end the stream. */
  hear(stream: number, message: CoordinatorMessage, now: number): 'hello' | 'close' | 'nothing' {
    if (message.kind === 'welcome') {
      const accepted = this.members.map((member) => member.welcome(stream, message.term, now));
      return accepted.every((yes) => yes) ? 'hello' : 'close';
    }
    if (message.kind === 'dead') {
      for (const member of this.members) member.declaredDead(stream, now);
      return 'close';
    }
    if (message.kind === 'alone') for (const member of this.members) member.setAlone(stream, message.alone, now);
    else this.hearOfService(stream, message, now);
    return 'nothing';
  }

  private hearOfService(
    stream: number,
    message: Exclude<CoordinatorMessage, { kind: 'welcome' | 'dead' | 'alone' }>,
    now: number,
  ): void {
    const index = this.services.findIndex(({ name }) => name === message.service);
    const member = this.members[index] as Member;
    const pods = this.services[index]?.pods ?? [];
    if (message.kind === 'grant') member.grant(stream, pods.indexOf(message.pod), message.request, now);
    else if (message.kind === 'recall') member.recall(stream, pods.indexOf(message.pod), message.slots, now);
    else if (message.kind === 'acknowledged') member.acknowledged(stream, message.slots, now);
    else member.oldestElsewhere(stream, message.age ?? Number.POSITIVE_INFINITY, now);
  }

  /** All it holds, and who waits. */
  hello(stream: number, now: number): MemberMessage {
    const services = this.members.map((member, index): HeldService => {
      const { name: service, pods } = this.services[index] as SharedPods;
      const held = pods.flatMap((pod, i) => (this.held(index, i) > 0 ? [[pod, this.held(index, i)] as const] : []));
      const waiting: [number, number][] = [];
      for (let r = member.first(); r !== NONE; r = member.after(r)) {
        waiting.push([member.nameOf(r), now - member.arrivedAt(r)]);
      }
      return { service, held, waiting };
    });
    return { kind: 'hello', member: this.key, stream, services };
  }

  /** The slots of a pod that it holds. */
  held(service: number, pod: number): number {
    const member = this.members[service] as Member;
    return pod < member.podCount() ? member.held(pod) : 0;
  }

  /** Those of them that are in use. */
  used(service: number, pod: number): number {
    const member = this.members[service] as Member;
    return pod < member.podCount() ? member.used(pod) : 0;
  }

  /** Whether requests of a life that was given up still run there. */
  hasLost(service: number, pod: number): boolean {
    const member = this.members[service] as Member;
    return pod < member.podCount() && member.lost(pod) > 0;
  }
}
