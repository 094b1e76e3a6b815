import { status } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import type { NodeGuard } from '../base/node-guard.ts';
import type { ServiceName } from '../model/service.ts';
import type { CoordinatorMessage } from './coordinator.ts';
import type { JobEvent, MemberId } from './events.ts';
import { type PacedStream, PacedStreams } from './paced-streams.ts';
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
  /** Told of clients that the guard refuses: their address, and why. */
  readonly forbidden?: ((peer: string, reason: string) => void) | undefined;
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

/** The version of the protocol. */
export const RELAY_PROTOCOL = 1;

/** One says what all say. */
const HEARTBEAT = Buffer.concat(writeFromCoordinator({ kind: 'heartbeat' }));

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

type Stream = PacedStream<RemotePeer>;

/** The service whose streams following Sluices open, one for each of their filters: reads and writes. */
export class RelayServer {
  readonly #options: RelayServerOptions;
  readonly #pace: Pace;
  readonly #streams: PacedStreams<FromFollower, RelayHello, RemotePeer>;

  constructor(options: RelayServerOptions) {
    const { clock, guard, forbidden, pace = DEFAULT_PACE, refusal, left, jobs } = options;
    this.#options = options;
    this.#pace = pace;
    this.#streams = new PacedStreams<FromFollower, RelayHello, RemotePeer>({
      ...{ clock, pace, guard, forbidden, refusal, path: RELAY_PATH, protocol: RELAY_PROTOCOL },
      messageName: 'FollowerMessage',
      client: 'Sluice that follows',
      // It tells the reason on, and comes back.
      endStatus: status.ABORTED,
      read: readFromFollower,
      helloOf: (message) => (message.kind === 'hello' ? message : undefined),
      enter: (stream, hello) => this.#enter(stream, hello),
      take: (_, peer, message) => this.#take(peer, message),
      closed: (peer) => {
        if (left(peer)) jobs.gone(peer.hello);
      },
      isIntroduced: () => true,
      heartbeat: () => HEARTBEAT,
    });
  }

  get definition() {
    return this.#streams.definition;
  }

  get implementation() {
    return this.#streams.implementation;
  }

  /** Ends all streams in order: the server is about to stop. */
  end(): void {
    this.#streams.endAll('the coordinator stops');
  }

  #enter(stream: Stream, hello: RelayHello): void {
    const { enter, jobs } = this.#options;
    const peer = new RemotePeer(
      hello,
      (said) => this.#write(stream, said),
      (reason) => this.#streams.end(stream, reason),
    );
    stream.peer = peer;
    const { heartbeatMs, deadAfterMs } = this.#pace;
    this.#write(stream, { kind: 'welcome', heartbeatMs, deadAfterMs });
    enter(peer);
    jobs.hello(peer.hello, hello.jobs);
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

  #write(stream: Stream, message: FromCoordinator): void {
    for (const bytes of writeFromCoordinator(message)) this.#streams.write(stream, bytes);
  }
}
