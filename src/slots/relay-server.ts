import {
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import { type NodeGuard, openToAll } from '../base/node-guard.ts';
import { rawMethod } from '../base/raw-method.ts';
import { Timers } from '../base/timers.ts';
import type { ServiceName } from '../model/service.ts';
import type { CoordinatorMessage } from './coordinator.ts';
import type { JobEvent, MemberId } from './events.ts';
import type { Peer, PeerEvent, PeerHello } from './peer.ts';
import { RELAY_PATH } from './relay-channel.ts';
import {
  type FromCoordinator,
  type FromFollower,
  type RelayedJob,
  type RelayHello,
  readFromFollower,
  writeFromCoordinator,
} from './relay-messages.ts';
import { DEFAULT_PACE } from './server.ts';
import type { Pace } from './write-message.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

/** What the filters of other Sluices are told to. */
export interface RelayListeners {
  readonly enter: (peer: Peer) => void;
  readonly tell: (peer: Peer, event: PeerEvent) => void;
  /** Whether that was its newest stream. */
  readonly left: (peer: Peer) => boolean;
}

/** What the server of relayed streams works with. */
export interface RelayServerOptions extends RelayListeners {
  readonly clock: Clock;
  /** Who may speak for which node: a following Sluice for those of its Envoys. Anybody for any by default. */
  readonly guard?: NodeGuard | undefined;
  readonly pace?: Pace | undefined;
  /** Why a filter is not welcome; undefined: it is. */
  readonly refusal: (hello: PeerHello) => string | undefined;
  /** Told which jobs a filter has when it comes, and what happens to them. */
  readonly jobs: {
    readonly hello: (member: MemberId, jobs: readonly RelayedJob[]) => void;
    readonly happened: (member: MemberId, event: JobEvent) => void;
    readonly gone: (member: MemberId) => void;
  };
}

/** An open stream. */
interface Stream {
  readonly call: Call;
  peer: RemotePeer | undefined;
  heardAt: number;
  saidAt: number;
}

/** The version of the protocol. */
export const RELAY_PROTOCOL = 1;

/** Who has not introduced itself by then is no Sluice. */
const INTRODUCTION_MS = 5000;

/** More than this at a time, and a client makes them up. */
const MOST_STREAMS = 2000;

const NO_PODS: ReadonlySet<string> = new Set();

/** A filter that is connected to another Sluice. */
class RemotePeer implements Peer {
  readonly hello: PeerHello;
  readonly via: string;
  readonly #usable = new Map<ServiceName, ReadonlySet<string>>();
  readonly #write: (message: FromCoordinator) => void;
  readonly #end: (reason: string) => void;

  constructor(
    { node, epoch, process, stream, shares, sluice }: RelayHello,
    write: (message: FromCoordinator) => void,
    end: (reason: string) => void,
  ) {
    this.hello = { node, epoch, process, stream, shares };
    this.via = sluice;
    this.#write = write;
    this.#end = end;
  }

  get services(): Iterable<ServiceName> {
    return this.#usable.keys();
  }

  usable(name: ServiceName): ReadonlySet<string> {
    return this.#usable.get(name) ?? NO_PODS;
  }

  setUsable(name: ServiceName, pods: ReadonlySet<string>): void {
    if (pods.size === 0) this.#usable.delete(name);
    else this.#usable.set(name, pods);
  }

  say(messages: readonly CoordinatorMessage[]): void {
    this.#write({ kind: 'say', messages });
  }

  askEnded(epoch: string): void {
    this.#write({ kind: 'ask ended', epoch });
  }

  tellLacking(services: readonly ServiceName[]): void {
    this.#write({ kind: 'lacks', services });
  }

  end(reason: string): void {
    this.#end(reason);
  }
}

/** The service whose streams following Sluices open, one for each of their filters: reads, writes and keeps time. */
export class RelayServer {
  readonly definition: ServiceDefinition = { Stream: rawMethod(RELAY_PATH, 'both') };
  readonly implementation: UntypedServiceImplementation = { Stream: (call: Call) => this.#open(call) };
  readonly #options: RelayServerOptions;
  readonly #pace: Pace;
  readonly #streams = new Set<Stream>();
  readonly #timers: Timers;
  #isWatching = false;
  /** When was looked round last. */
  #lookedAt = 0;

  constructor(options: RelayServerOptions) {
    this.#options = options;
    this.#pace = options.pace ?? DEFAULT_PACE;
    this.#timers = new Timers(options.clock);
  }

  /** Ends all streams in order: the server is about to stop. */
  end(): void {
    this.#timers.stop();
    for (const stream of [...this.#streams]) this.#end(stream, 'the coordinator stops');
  }

  #open(call: Call): void {
    const now = this.#options.clock.monotonic();
    const stream: Stream = { call, peer: undefined, heardAt: now, saidAt: now };
    if (this.#streams.size >= MOST_STREAMS) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `more than ${MOST_STREAMS} streams are open` });
      return;
    }
    this.#streams.add(stream);
    call.on('data', (bytes: Buffer) => this.#receive(stream, bytes));
    call.on('end', () => this.#end(stream));
    call.on('cancelled', () => this.#close(stream));
    call.on('error', () => this.#close(stream));
    this.#watch();
  }

  #receive(stream: Stream, bytes: Buffer): void {
    if (!this.#streams.has(stream)) return;
    stream.heardAt = this.#options.clock.monotonic();
    let message: FromFollower;
    try {
      message = readFromFollower(bytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#fail(stream, status.INVALID_ARGUMENT, `not a FollowerMessage: ${reason}`);
      return;
    }
    if (stream.peer === undefined) this.#introduce(stream, message);
    else this.#take(stream.peer, message);
  }

  #introduce(stream: Stream, message: FromFollower): void {
    if (message.kind !== 'hello') {
      this.#fail(stream, status.FAILED_PRECONDITION, 'the first message must be hello');
      return;
    }
    const { guard = openToAll, refusal, enter, jobs } = this.#options;
    if (message.protocol !== RELAY_PROTOCOL) {
      const details = `protocol ${message.protocol} is not known; this is ${RELAY_PROTOCOL}`;
      this.#fail(stream, status.UNIMPLEMENTED, details);
      return;
    }
    const forbidden = guard(stream.call, message.node);
    if (forbidden !== undefined) {
      this.#fail(stream, status.PERMISSION_DENIED, forbidden);
      return;
    }
    const unwelcome = refusal(message);
    if (unwelcome !== undefined) {
      this.#fail(stream, status.FAILED_PRECONDITION, unwelcome);
      return;
    }
    stream.peer = new RemotePeer(
      message,
      (said) => this.#write(stream, said),
      (reason) => this.#end(stream, reason),
    );
    const { heartbeatMs, deadAfterMs } = this.#pace;
    this.#write(stream, { kind: 'welcome', heartbeatMs, deadAfterMs });
    enter(stream.peer);
    jobs.hello(stream.peer.hello, message.jobs);
  }

  #take(peer: RemotePeer, message: FromFollower): void {
    const { tell, jobs } = this.#options;
    switch (message.kind) {
      case 'usable':
        for (const [name, pods] of message.services) peer.setUsable(name, pods);
        tell(peer, { kind: 'usable', services: message.services.map(([name]) => name) });
        return;
      case 'job':
        jobs.happened(peer.hello, message.event);
        return;
      case 'holding':
      case 'changes':
      case 'ended':
      case 'received':
        tell(peer, message);
        return;
      case 'hello':
      case 'heartbeat':
      case 'unknown':
        return;
    }
  }

  #close(stream: Stream): void {
    if (!this.#streams.delete(stream) || stream.peer === undefined) return;
    if (this.#options.left(stream.peer)) this.#options.jobs.gone(stream.peer.hello);
  }

  /** `reason`: why it is this side that ends it. */
  #end(stream: Stream, reason?: string): void {
    if (!this.#streams.has(stream)) return;
    if (reason !== undefined) {
      this.#fail(stream, status.ABORTED, reason);
      return;
    }
    this.#close(stream);
    stream.call.end();
  }

  #fail(stream: Stream, code: status, details: string): void {
    if (!this.#streams.has(stream)) return;
    this.#close(stream);
    // How grpc-js takes the status a stream ends with.
    stream.call.emit('error', { code, details });
  }

  #write(stream: Stream, message: FromCoordinator): void {
    if (!this.#streams.has(stream)) return;
    stream.saidAt = this.#options.clock.monotonic();
    for (const bytes of writeFromCoordinator(message)) stream.call.write(bytes);
  }

  /** Speaks where nothing was said, and ends streams on which nothing was heard, while there are any. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#lookedAt = this.#options.clock.monotonic();
    this.#timers.after(this.#pace.heartbeatMs / 2, () => {
      this.#isWatching = false;
      this.#lookRound();
      if (this.#streams.size > 0) this.#watch();
    });
  }

  #lookRound(): void {
    const now = this.#options.clock.monotonic();
    // Who was frozen, or busy, has not heard what came meanwhile: it is read next.
    const isLate = now - this.#lookedAt >= this.#pace.deadAfterMs / 2;
    for (const stream of [...this.#streams]) {
      if (isLate) stream.heardAt = now;
      const patience = stream.peer === undefined ? INTRODUCTION_MS : this.#pace.deadAfterMs;
      if (now - stream.heardAt >= patience) this.#end(stream, `nothing was heard of it for ${patience} ms`);
      else if (stream.peer !== undefined && now - stream.saidAt >= this.#pace.heartbeatMs)
        this.#write(stream, { kind: 'heartbeat' });
    }
  }
}
