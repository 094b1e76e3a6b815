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
import { Rounds } from './rounds.ts';
import type { Pace } from './write-message.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

/** What a client says first. */
export interface Introduction {
  /** The version of the protocol that it speaks. */
  readonly protocol: number;
  /** The node id of the Envoy that it speaks for. */
  readonly node: string;
}

/** An open stream. */
export interface PacedStream<Peer> {
  readonly call: Call;
  /** Who is at the other side; undefined: it has not said hello. */
  peer: Peer | undefined;
  heardAt: number;
  saidAt: number;
}

/** What streams of one kind are served with. */
export interface PacedStreamsOptions<Message, Hello extends Introduction, Peer> {
  readonly clock: Clock;
  readonly pace: Pace;
  /** Who may speak for which node; anybody for any by default. */
  readonly guard?: NodeGuard | undefined;
  /** Told of clients that the guard refuses: their address, and why. */
  readonly forbidden?: ((peer: string, reason: string) => void) | undefined;
  /** The path of the method. */
  readonly path: string;
  /** The version of its protocol. */
  readonly protocol: number;
  /** What its messages are called. */
  readonly messageName: string;
  /** How the other side is called in words: `filter`. */
  readonly client: string;
  /** The status of a stream that is ended from here; undefined: OK. */
  readonly endStatus?: status;
  /** Throws on what is no message. */
  readonly read: (bytes: Buffer) => Message;
  readonly helloOf: (message: Message) => Hello | undefined;
  /** Why a client is not welcome; undefined: it is. */
  readonly refusal: (hello: Hello) => string | undefined;
  /** It has said hello and is welcome: sets `stream.peer`. */
  readonly enter: (stream: PacedStream<Peer>, hello: Hello) => void;
  readonly take: (stream: PacedStream<Peer>, peer: Peer, message: Message) => void;
  /** The stream of a peer is over. */
  readonly closed: (peer: Peer, reason: string) => void;
  /** All that it says first is there: from here on both sides speak at the pace. */
  readonly isIntroduced: (peer: Peer) => boolean;
  /** The bytes of a heartbeat. */
  readonly heartbeat: (peer: Peer) => Buffer;
  /** Looks after what is kept beside streams, with each round. Whether there is any. */
  readonly lookAfter?: (now: number) => boolean;
}

/** Who has not introduced itself by then is not what it should be. */
const INTRODUCTION_MS = 5000;

/** More than this at a time, and a client makes them up. */
const MOST_STREAMS = 2000;

/** The streams of a gRPC service on which both sides speak at a pace: who is silent is gone. */
export class PacedStreams<Message, Hello extends Introduction, Peer> {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation = { Stream: (call: Call) => this.#open(call) };
  readonly #options: PacedStreamsOptions<Message, Hello, Peer>;
  readonly #streams = new Set<PacedStream<Peer>>();
  readonly #timers: Timers;
  readonly #rounds: Rounds;
  /** There is something to look after beside streams. */
  #isMore = false;

  constructor(options: PacedStreamsOptions<Message, Hello, Peer>) {
    const { clock, pace, path } = options;
    this.#options = options;
    this.definition = { Stream: rawMethod(path, 'both') };
    this.#timers = new Timers(clock);
    this.#rounds = new Rounds({
      clock,
      timers: this.#timers,
      pace,
      isNeeded: () => this.#streams.size > 0 || this.#isMore,
      look: (now, isLate) => this.#look(now, isLate),
    });
  }

  isOpen(stream: PacedStream<Peer>): boolean {
    return this.#streams.has(stream);
  }

  write(stream: PacedStream<Peer>, bytes: Buffer): void {
    if (!this.#streams.has(stream)) return;
    stream.saidAt = this.#options.clock.monotonic();
    stream.call.write(bytes);
  }

  /** Ends a stream from here. */
  end(stream: PacedStream<Peer>, reason: string): void {
    const { endStatus } = this.#options;
    if (endStatus === undefined) this.#finish(stream, reason);
    else this.#fail(stream, endStatus, reason);
  }

  /** Ends all streams in order: the server is about to stop. */
  endAll(reason: string): void {
    this.#timers.stop();
    for (const stream of [...this.#streams]) this.end(stream, reason);
  }

  #open(call: Call): void {
    const { clock, client } = this.#options;
    const now = clock.monotonic();
    const stream: PacedStream<Peer> = { call, peer: undefined, heardAt: now, saidAt: now };
    if (this.#streams.size >= MOST_STREAMS) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `more than ${MOST_STREAMS} streams are open` });
      return;
    }
    this.#streams.add(stream);
    call.on('data', (bytes: Buffer) => this.#receive(stream, bytes));
    call.on('end', () => this.#finish(stream, `the ${client} ended the stream`));
    call.on('cancelled', () => this.#close(stream, `the ${client} went away`));
    call.on('error', (error: Error) => this.#close(stream, error.message));
    this.#rounds.begin();
  }

  #receive(stream: PacedStream<Peer>, bytes: Buffer): void {
    if (!this.#streams.has(stream)) return;
    const { clock, read, take, messageName } = this.#options;
    stream.heardAt = clock.monotonic();
    let message: Message;
    try {
      message = read(bytes);
    } catch (error) {
      this.#fail(stream, status.INVALID_ARGUMENT, `not a ${messageName}: ${reasonOf(error)}`);
      return;
    }
    if (stream.peer === undefined) this.#introduce(stream, message);
    else take(stream, stream.peer, message);
  }

  #introduce(stream: PacedStream<Peer>, message: Message): void {
    const { helloOf, protocol, guard = openToAll, refusal, enter } = this.#options;
    const hello = helloOf(message);
    if (hello === undefined) {
      this.#fail(stream, status.FAILED_PRECONDITION, 'the first message must be hello');
      return;
    }
    if (hello.protocol !== protocol) {
      this.#fail(stream, status.UNIMPLEMENTED, `protocol ${hello.protocol} is not known; this is ${protocol}`);
      return;
    }
    const forbidden = guard(stream.call, hello.node);
    if (forbidden !== undefined) {
      this.#options.forbidden?.(stream.call.getPeer(), forbidden);
      this.#fail(stream, status.PERMISSION_DENIED, forbidden);
      return;
    }
    const unwelcome = refusal(hello);
    if (unwelcome === undefined) enter(stream, hello);
    else this.#fail(stream, status.FAILED_PRECONDITION, unwelcome);
  }

  #close(stream: PacedStream<Peer>, reason: string): void {
    if (this.#streams.delete(stream) && stream.peer !== undefined) this.#options.closed(stream.peer, reason);
  }

  #finish(stream: PacedStream<Peer>, reason: string): void {
    if (!this.#streams.has(stream)) return;
    this.#close(stream, reason);
    stream.call.end();
  }

  #fail(stream: PacedStream<Peer>, code: status, details: string): void {
    if (!this.#streams.has(stream)) return;
    this.#close(stream, details);
    // How grpc-js takes the status a stream ends with.
    stream.call.emit('error', { code, details });
  }

  /** Speaks where nothing was said, and ends streams on which nothing was heard. */
  #look(now: number, isLate: boolean): void {
    const { pace, isIntroduced, heartbeat, lookAfter } = this.#options;
    if (isLate) for (const stream of this.#streams) stream.heardAt = now;
    for (const stream of [...this.#streams]) {
      const { peer } = stream;
      const isThere = peer !== undefined && isIntroduced(peer);
      const patience = isThere ? pace.deadAfterMs : INTRODUCTION_MS;
      if (now - stream.heardAt >= patience) this.end(stream, `nothing was heard of it for ${patience} ms`);
      else if (isThere && now - stream.saidAt >= pace.heartbeatMs) this.write(stream, heartbeat(peer));
    }
    this.#isMore = lookAfter?.(now) ?? false;
  }
}
