import type { Clock } from '../base/clock.ts';
import type { NodeGuard } from '../base/node-guard.ts';
import type { MemberId, SlotsEvent } from './events.ts';
import { Member } from './member.ts';
import { type PacedStream, PacedStreams } from './paced-streams.ts';
import { type FromFilter, type Hello, readMessage } from './read-message.ts';
import { type Pace, writeMessage } from './write-message.ts';

/** What the server of the filters' streams works with. */
export interface SlotsServerOptions {
  readonly clock: Clock;
  /** Who may speak for which node; anybody for any by default. */
  readonly guard?: NodeGuard | undefined;
  /** Told of clients that the guard refuses: their address, and why. */
  readonly forbidden?: ((peer: string, reason: string) => void) | undefined;
  readonly pace?: Pace;
  /** Why a filter is not welcome; undefined: it is. */
  readonly refusal?: (hello: Hello) => string | undefined;
  /** Told of everything that happens on the streams; must not throw. */
  readonly onEvent: (event: SlotsEvent) => void;
}

/** How often the two sides speak. */
export const DEFAULT_PACE: Pace = { heartbeatMs: 300, reportMs: 500, deadAfterMs: 1000 };

/** The version of the protocol. */
const PROTOCOL = 1;

/** How long the state of a member without a stream is kept: it mostly comes back at once, and goes on meanwhile. */
const REMEMBER_MS = 30_000;

const PATH = '/sluice.queue.v1.QueueService/Stream';

type Stream = PacedStream<Member>;

/** The service whose streams queue filters open: reads and writes; `Member` says what is to be said. */
export class SlotsServer {
  readonly #options: SlotsServerOptions;
  readonly #pace: Pace;
  readonly #streams: PacedStreams<FromFilter, FromFilter & { readonly kind: 'hello' }, Member>;
  readonly #streamOf = new WeakMap<Member, Stream>();
  readonly #members = new Map<string, Map<string, Member>>();

  constructor(options: SlotsServerOptions) {
    const { clock, guard, forbidden, pace = DEFAULT_PACE, refusal } = options;
    this.#options = options;
    this.#pace = pace;
    this.#streams = new PacedStreams({
      ...{ clock, pace, guard, forbidden, path: PATH, protocol: PROTOCOL },
      messageName: 'FilterMessage',
      client: 'filter',
      read: readMessage,
      helloOf: (message) => (message.kind === 'hello' ? message : undefined),
      refusal: (hello) => refusal?.(hello),
      enter: (stream, hello) => this.#enter(stream, hello),
      take: (stream, member, message) => this.#take(stream, member, message),
      closed: (member, reason) => this.#closed(member, reason),
      isIntroduced: ({ isIntroduced }) => isIntroduced,
      heartbeat: (member) => {
        const { message, sequence } = member.heartbeat();
        return writeMessage(message, sequence);
      },
      lookAfter: (now) => this.#forgetOld(now),
    });
  }

  get definition() {
    return this.#streams.definition;
  }

  get implementation() {
    return this.#streams.implementation;
  }

  /** The filters in an Envoy, those included whose stream has ended a moment ago. */
  members(node: string): readonly Member[] {
    return [...(this.#members.get(node)?.values() ?? [])].filter(({ isIntroduced }) => isIntroduced);
  }

  /** Writes what there is to say to a member. */
  flush(member: Member): void {
    const stream = this.#openStream(member);
    if (stream === undefined) return;
    for (const { sequence, message } of member.takeMessages())
      this.#streams.write(stream, writeMessage(message, sequence));
  }

  /** The member of this id, while it has a stream. */
  member({ node, epoch }: MemberId): Member | undefined {
    const member = this.#members.get(node)?.get(epoch);
    return member?.closedAt === undefined ? member : undefined;
  }

  /** Ends the stream of a member: it comes back with another one. */
  drop(member: Member, reason: string): void {
    const stream = this.#openStream(member);
    if (stream !== undefined) this.#streams.end(stream, reason);
  }

  /** Ends all streams in order: the server is about to stop. */
  end(): void {
    this.#streams.endAll('the server stops');
  }

  #enter(stream: Stream, hello: Hello): void {
    stream.peer = new Member(hello, this.#pace);
    this.#streamOf.set(stream.peer, stream);
  }

  #take(stream: Stream, member: Member, message: FromFilter): void {
    const wasIntroduced = member.isIntroduced;
    const events = member.receive(message, this.#options.clock.monotonic(), stream.call.getPeer());
    if (!wasIntroduced && member.isIntroduced) this.#join(stream, member);
    for (const event of events) this.#options.onEvent(event);
    this.flush(member);
  }

  /** The newest stream of a member counts: an older one is one whose end nobody has noticed. */
  #join(stream: Stream, member: Member): void {
    const { node, epoch } = member.id;
    const ofNode = this.#members.get(node) ?? new Map<string, Member>();
    this.#members.set(node, ofNode);
    const older = ofNode.get(epoch);
    ofNode.set(epoch, member);
    const old = older && this.#openStream(older);
    if (old !== undefined && old !== stream) this.#streams.end(old, 'the filter has opened another stream');
  }

  #closed(member: Member, reason: string): void {
    if (!member.isIntroduced) return;
    member.close(this.#options.clock.monotonic());
    // Another stream may have taken its place.
    if (this.#isCurrent(member)) this.#options.onEvent({ ...member.id, kind: 'gone', reason });
  }

  #isCurrent({ id }: Member): boolean {
    return this.#members.get(id.node)?.get(id.epoch)?.id === id;
  }

  #openStream(member: Member): Stream | undefined {
    const stream = this.#streamOf.get(member);
    return stream !== undefined && this.#streams.isOpen(stream) ? stream : undefined;
  }

  /** Forgets members that have had no stream for long. Whether there are others. */
  #forgetOld(now: number): boolean {
    for (const [node, ofNode] of this.#members) {
      for (const [epoch, { closedAt }] of ofNode)
        if (closedAt !== undefined && now - closedAt >= REMEMBER_MS) ofNode.delete(epoch);
      if (ofNode.size === 0) this.#members.delete(node);
    }
    return this.#members.size > 0;
  }
}
