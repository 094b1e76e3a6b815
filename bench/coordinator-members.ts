// The Envoys of bench/coordinator.ts, in a process of their own: their filters' own steps, each with a stream to the coordinator,
// and requests that come to them at random.
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { sluice } from '#xds';
import type { CoordinatorMessage, MemberMessage } from '../src/slots/coordinator.ts';
import { seeded } from '../test/e2e/kit/random.ts';
import { EnvoyNode } from '../test/slots/node.ts';
import type { Counted, Load, Place } from './coordinator.ts';

const { ControlMessage, FilterMessage, Change, SlotChange } = sluice.queue.v1;
const PATH = '/sluice.queue.v1.QueueService/Stream';
const HEARTBEAT_MS = 300;
const same = (bytes: Buffer) => bytes;

const now = () => performance.now();
const random = seeded(7);
const exponential = (mean: number) => -Math.log(1 - random()) * mean;

let counted = nothing();

function nothing(): Counted {
  return { requests: 0, grants: 0, up: 0, down: 0 };
}

/** One Envoy: its filter, and the stream to the coordinator. */
class Envoy {
  readonly #node: EnvoyNode;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  readonly #workOf = new Map<number, number>();
  #number = 0;

  constructor(id: string, { port, services }: Place) {
    this.#node = new EnvoyNode(id, 1, services, 20);
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    this.#stream = client.makeBidiStreamRequest(PATH, same, same);
    this.#stream.on('data', (bytes: Buffer) => this.#hear(ControlMessage.decode(bytes)));
    this.#stream.on('error', (error: Error) => {
      throw error;
    });
    this.#say({ hello: { protocol: 1, nodeId: id, epoch: 1, process: 1, stream: 1 } });
    this.#say({ helloEnd: {} });
    setInterval(() => this.#say({ heartbeat: {} }), HEARTBEAT_MS);
  }

  arrive(service: number, workMs: number): void {
    counted.requests++;
    const place = this.#node.arrive(service, now());
    this.#workOf.set(place, workMs);
    this.#follow();
  }

  #hear(message: sluice.queue.v1.ControlMessage): void {
    const { service, share, slots } = message;
    if (share) this.#take([{ kind: 'welcome', term: Number(share.term ?? 0) }]);
    else if (service) this.#say({ ack: { sequence: message.sequence ?? 0 } });
    else if (slots) this.#take((slots.changes ?? []).map(wordsOf));
  }

  #take(messages: readonly CoordinatorMessage[]): void {
    counted.down += messages.length;
    for (const message of messages) {
      if (message.kind === 'grant') counted.grants++;
      if (message.kind === 'welcome') this.#number = this.#node.open(now());
      if (this.#node.hear(this.#number, message, now()) === 'hello') this.#hold();
    }
    this.#follow();
  }

  #hold(): void {
    const hello = this.#node.hello(this.#number, now());
    if (hello.kind !== 'hello') return;
    const services = hello.services.map(({ service, held }) => ({
      service,
      pods: held.map(([address, slots]) => ({ address, slots })),
    }));
    this.#say({ holding: { services, complete: true } });
  }

  #follow(): void {
    const messages = this.#node.takeMessages();
    counted.up += messages.length;
    if (messages.length > 0) this.#say({ changes: { changes: messages.map(changeOf) } });
    for (const { place } of this.#node.takeStarts()) {
      const workMs = this.#workOf.get(place) ?? 0;
      this.#workOf.delete(place);
      setTimeout(() => {
        this.#node.end(place, now());
        this.#follow();
      }, workMs);
    }
  }

  #say(message: sluice.queue.v1.FilterMessage.$Properties): void {
    this.#stream.write(Buffer.from(FilterMessage.encode(message).finish()));
  }
}

function wordsOf({
  kind,
  service,
  pod,
  request,
  slots,
  ageUs,
}: sluice.queue.v1.SlotChange.$Properties): CoordinatorMessage {
  const { Kind } = SlotChange;
  const about = { service: service ?? '', pod: pod ?? '' };
  switch (kind) {
    case Kind.RECALL:
      return { kind: 'recall', ...about, slots: slots ?? 0 };
    case Kind.ELSEWHERE:
      return { kind: 'oldest elsewhere', service: about.service, age: Number(ageUs ?? 0) / 1000 };
    case Kind.NOBODY_ELSEWHERE:
      return { kind: 'oldest elsewhere', service: about.service, age: undefined };
    case Kind.ACKNOWLEDGED:
      return { kind: 'acknowledged', service: about.service, slots: slots ?? 0 };
    case Kind.ALONE:
    case Kind.NOT_ALONE:
      return { kind: 'alone', alone: kind === Kind.ALONE };
    default:
      return { kind: 'grant', ...about, request: Number(request ?? 0) };
  }
}

function changeOf(message: MemberMessage): sluice.queue.v1.Change.$Properties {
  const { Kind } = Change;
  switch (message.kind) {
    case 'waits': {
      const { service, request, age, pod } = message;
      return { kind: Kind.WAITS, service, request, ageUs: Math.floor(age * 1000), pod: pod ?? '' };
    }
    case 'left':
      return { kind: Kind.LEFT, service: message.service, request: message.request };
    case 'released':
      return { kind: Kind.RELEASED, service: message.service, pod: message.pod };
    case 'hello':
      throw new Error('said as what it holds');
  }
}

const envoys: Envoy[] = [];
let load: Load = { perSecond: 0, workMs: 0, services: 1 };
let due = now();

setInterval(() => {
  for (; load.perSecond > 0 && due <= now(); due += exponential(1000 / load.perSecond)) {
    envoys[Math.floor(random() * envoys.length)]?.arrive(
      Math.floor(random() * load.services),
      exponential(load.workMs),
    );
  }
}, 1);

process.on('message', (message: { place?: Place; load?: Load }) => {
  if (message.place !== undefined) {
    for (let i = 0; i < message.place.members; i++) envoys.push(new Envoy(`envoy-${i}`, message.place));
  }
  if (message.load !== undefined) {
    load = message.load;
    due = now();
  }
  process.send?.({ counted });
  counted = nothing();
});
