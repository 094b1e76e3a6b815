import {
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import { type NodeGuard, openToAll } from '../base/node-guard.ts';
import { rawMethod } from '../base/raw-method.ts';
import { reasonOf } from '../base/reason.ts';
import { Timers } from '../base/timers.ts';
import type { MemberId, SlotsEvent } from './events.ts';
import { Member } from './member.ts';
import { type FromFilter, type Hello, readMessage } from './read-message.ts';
import { type Pace, type ToFilter, writeMessage } from './write-message.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

/** What the server of the filters' streams works with. */
export interface SlotsServerOptions {
  readonly clock: Clock;
  /** Who may speak for which node; anybody for any by default. */
  readonly guard?: NodeGuard | undefined;
  readonly pace?: Pace;
  /** Why a filter is not welcome; undefined: it is. */
  readonly refusal?: (hello: Hello) => string | undefined;
  /** Told of everything that happens on the streams; must not throw. */
  readonly onEvent: (event: SlotsEvent) => void;
}

/** An open stream. */
interface Stream {
  readonly call: Call;
  member: Member | undefined;
  heardAt: number;
  saidAt: number;
}

/** How often the two sides speak. */
export const DEFAULT_PACE: Pace = { heartbeatMs: 300, reportMs: 500, deadAfterMs: 1000 };

/** The version of the protocol. */
const PROTOCOL = 1;

/** Who has not introduced itself by then is no filter. */
const INTRODUCTION_MS = 5000;

/** How long the state of a member without a stream is kept: it mostly comes back at once, and goes on meanwhile. */
const REMEMBER_MS = 30_000;

/** More than this at a time, and a client makes them up. */
const MOST_STREAMS = 2000;

const PATH = '/sluice.queue.v1.QueueService/Stream';

/** The service whose streams queue filters open: reads, writes and keeps time; `Member` says what is to be said. */
export class SlotsServer {
  readonly definition: ServiceDefinition = { Stream: rawMethod(PATH, 'both') };
  readonly implementation: UntypedServiceImplementation = { Stream: (call: Call) => this.#open(call) };
  readonly #options: SlotsServerOptions;
  readonly #pace: Pace;
  readonly #streams = new Set<Stream>();
  readonly #members = new Map<string, Map<string, Member>>();
  readonly #timers: Timers;
  #isWatching = false;
  /** When was looked round last. */
  #lookedAt = 0;

  constructor(options: SlotsServerOptions) {
    this.#options = options;
    this.#pace = options.pace ?? DEFAULT_PACE;
    this.#timers = new Timers(options.clock);
  }

  /** The filters in an Envoy, those included whose stream has ended a moment ago. */
  members(node: string): readonly Member[] {
    return [...(this.#members.get(node)?.values() ?? [])].filter(({ isIntroduced }) => isIntroduced);
  }

  /** Writes what there is to say to a member. */
  flush(member: Member): void {
    const stream = this.#streamOf(member);
    if (stream === undefined) return;
    for (const { sequence, message } of member.takeMessages()) this.#write(stream, message, sequence);
  }

  /** The member of this id, while it has a stream. */
  member({ node, epoch }: MemberId): Member | undefined {
    const member = this.#members.get(node)?.get(epoch);
    return member?.closedAt === undefined ? member : undefined;
  }

  /** Ends the stream of a member: it comes back with another one. */
  drop(member: Member, reason: string): void {
    const stream = this.#streamOf(member);
    if (stream !== undefined) this.#end(stream, reason);
  }

  /** Ends all streams in order: the server is about to stop. */
  end(): void {
    this.#timers.stop();
    for (const stream of [...this.#streams]) this.#end(stream, 'the server stops');
  }

  #open(call: Call): void {
    const now = this.#options.clock.monotonic();
    const stream: Stream = { call, member: undefined, heardAt: now, saidAt: now };
    if (this.#streams.size >= MOST_STREAMS) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `more than ${MOST_STREAMS} streams are open` });
      return;
    }
    this.#streams.add(stream);
    call.on('data', (bytes: Buffer) => this.#receive(stream, bytes));
    call.on('end', () => this.#end(stream, 'the filter ended the stream'));
    call.on('cancelled', () => this.#close(stream, 'the filter went away'));
    call.on('error', (error: Error) => this.#close(stream, error.message));
    this.#watch();
  }

  #receive(stream: Stream, bytes: Buffer): void {
    if (!this.#streams.has(stream)) return;
    const { clock } = this.#options;
    stream.heardAt = clock.monotonic();
    let message: FromFilter;
    try {
      message = readMessage(bytes);
    } catch (error) {
      const reason = reasonOf(error);
      this.#fail(stream, status.INVALID_ARGUMENT, `not a FilterMessage: ${reason}`);
      return;
    }
    if (stream.member === undefined) this.#introduce(stream, message);
    else this.#take(stream, stream.member, message);
  }

  #introduce(stream: Stream, message: FromFilter): void {
    if (message.kind !== 'hello') {
      this.#fail(stream, status.FAILED_PRECONDITION, 'the first message must be hello');
      return;
    }
    if (message.protocol !== PROTOCOL) {
      this.#fail(stream, status.UNIMPLEMENTED, `protocol ${message.protocol} is not known; this is ${PROTOCOL}`);
      return;
    }
    const refusal = (this.#options.guard ?? openToAll)(stream.call, message.node);
    if (refusal !== undefined) {
      this.#fail(stream, status.PERMISSION_DENIED, refusal);
      return;
    }
    const unwelcome = this.#options.refusal?.(message);
    if (unwelcome !== undefined) {
      this.#fail(stream, status.FAILED_PRECONDITION, unwelcome);
      return;
    }
    stream.member = new Member(message, this.#pace);
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
    const old = older && this.#streamOf(older);
    if (old !== undefined && old !== stream) this.#end(old, 'the filter has opened another stream');
  }

  #close(stream: Stream, reason: string): void {
    if (!this.#streams.delete(stream)) return;
    const { member } = stream;
    if (!member?.isIntroduced) return;
    member.close(this.#options.clock.monotonic());
    // Another stream may have taken its place.
    if (this.#isCurrent(member)) this.#options.onEvent({ ...member.id, kind: 'gone', reason });
  }

  #end(stream: Stream, reason: string): void {
    if (!this.#streams.has(stream)) return;
    this.#close(stream, reason);
    stream.call.end();
  }

  #fail(stream: Stream, code: status, details: string): void {
    if (!this.#streams.has(stream)) return;
    this.#close(stream, details);
    // How grpc-js takes the status a stream ends with.
    stream.call.emit('error', { code, details });
  }

  #write(stream: Stream, message: ToFilter, sequence: number): void {
    stream.saidAt = this.#options.clock.monotonic();
    stream.call.write(writeMessage(message, sequence));
  }

  #isCurrent({ id }: Member): boolean {
    return this.#members.get(id.node)?.get(id.epoch)?.id === id;
  }

  #streamOf(member: Member): Stream | undefined {
    for (const stream of this.#streams) if (stream.member === member) return stream;
    return undefined;
  }

  /** Speaks where nothing was said, and ends streams on which nothing was heard, while there are any. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#lookedAt = this.#options.clock.monotonic();
    this.#timers.after(this.#pace.heartbeatMs / 2, () => {
      this.#isWatching = false;
      this.#lookRound();
      if (this.#streams.size > 0 || this.#members.size > 0) this.#watch();
    });
  }

  #lookRound(): void {
    const now = this.#options.clock.monotonic();
    // Who was frozen, or busy, has not heard what came meanwhile: it is read next.
    const isLate = now - this.#lookedAt >= this.#pace.deadAfterMs / 2;
    this.#lookedAt = now;
    if (isLate) for (const stream of this.#streams) stream.heardAt = now;
    for (const stream of [...this.#streams]) {
      const { member } = stream;
      const patience = member?.isIntroduced ? this.#pace.deadAfterMs : INTRODUCTION_MS;
      if (now - stream.heardAt >= patience) this.#end(stream, `nothing was heard of it for ${patience} ms`);
      else if (member?.isIntroduced && now - stream.saidAt >= this.#pace.heartbeatMs) {
        const { message, sequence } = member.heartbeat();
        this.#write(stream, message, sequence);
      }
    }
    for (const [node, ofNode] of this.#members) {
      for (const [epoch, { closedAt }] of ofNode)
        if (closedAt !== undefined && now - closedAt >= REMEMBER_MS) ofNode.delete(epoch);
      if (ofNode.size === 0) this.#members.delete(node);
    }
  }
}
