import { status } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import type { ClientGuard } from '../base/node-guard.ts';
import {
  LINK_PATH,
  LINK_PROTOCOL,
  type LinkHello,
  type LinkMessage,
  readLink,
  type ToldOrder,
  type ToldShares,
  writeLink,
} from './link-messages.ts';
import { type PacedStream, PacedStreams } from './paced-streams.ts';
import { DEFAULT_PACE } from './server.ts';
import type { Pace } from './write-message.ts';

/** What operators have ordered, as Sluices tell each other. */
export interface ToldOrders {
  /** All that is in force, and what was taken back lately. */
  readonly all: () => readonly ToldOrder[];
  /** Another Sluice, which calls itself so, has told these. */
  readonly take: (orders: readonly ToldOrder[], from: string) => void;
}

/** What the server of links works with. */
export interface LinkServerOptions {
  readonly clock: Clock;
  /** How this Sluice calls itself. */
  readonly name: string;
  /** Which clients may be other Sluices; anybody by default. */
  readonly guard?: ClientGuard | undefined;
  /** Told of clients that the guard refuses: their address, and why. */
  readonly forbidden?: ((peer: string, reason: string) => void) | undefined;
  readonly pace?: Pace | undefined;
  /** Why nobody is welcome; undefined: others are. */
  readonly refusal: () => string | undefined;
  readonly orders: ToldOrders;
  /** Who holds the slots of each service. */
  readonly shares: () => Iterable<readonly [string, ToldShares]>;
}

/** A Sluice that follows, as it is known by its link. */
interface Follower {
  readonly name: string;
}

type Stream = PacedStream<Follower>;
type Introduced = LinkHello & { readonly node: string };

/** How often those that follow are told who holds what, which they only show; with hundreds of services less often. */
const SHARES_MS = 2000;
const SHARES_MS_EACH = 10;

const HEARTBEAT = writeLink({ kind: 'heartbeat' });

/** The service whose streams Sluices open that follow this one: each has one, whether it has filters or not. */
export class LinkServer {
  readonly #options: LinkServerOptions;
  readonly #pace: Pace;
  readonly #open = new Set<Stream>();
  readonly #streams: PacedStreams<LinkMessage | Introduced, Introduced, Follower>;
  /** What all that are there have been told of each service. */
  readonly #told = new Map<string, { readonly shares: ToldShares; readonly text: string }>();
  #sharesAt = Number.NEGATIVE_INFINITY;

  constructor(options: LinkServerOptions) {
    const { clock, guard, forbidden, pace = DEFAULT_PACE, refusal } = options;
    this.#options = options;
    this.#pace = pace;
    this.#streams = new PacedStreams<LinkMessage | Introduced, Introduced, Follower>({
      ...{ clock, pace, forbidden, path: LINK_PATH, protocol: LINK_PROTOCOL },
      guard: (caller) => guard?.(caller),
      refusal: () => refusal(),
      messageName: 'LinkMessage',
      client: 'Sluice that follows',
      endStatus: status.ABORTED,
      read: readLink,
      helloOf: (message) => (message.kind === 'hello' ? { ...message, node: '' } : undefined),
      enter: (stream, hello) => this.#enter(stream, hello),
      take: (stream, follower, message) => this.#take(stream, follower, message),
      closed: (follower) => this.#closed(follower),
      isIntroduced: () => true,
      heartbeat: () => HEARTBEAT,
      lookAfter: (now) => this.#tellShares(now),
    });
  }

  get definition() {
    return this.#streams.definition;
  }

  get implementation() {
    return this.#streams.implementation;
  }

  /** How those that follow call themselves. */
  get followers(): readonly string[] {
    return [...this.#open].flatMap(({ peer }) => (peer === undefined ? [] : [peer.name]));
  }

  /** Tells all that follow what was ordered here. */
  tell(orders: readonly ToldOrder[]): void {
    for (const stream of this.#open) this.#write(stream, { kind: 'orders', orders });
  }

  /** Ends the streams where nobody is welcome any more: another Sluice coordinates. */
  review(): void {
    const reason = this.#options.refusal();
    if (reason !== undefined) for (const stream of [...this.#open]) this.#streams.end(stream, reason);
  }

  /** Ends all streams in order: the server is about to stop. */
  end(): void {
    this.#streams.endAll('the coordinator stops');
  }

  #enter(stream: Stream, { sluice }: Introduced): void {
    const { name, orders } = this.#options;
    stream.peer = { name: sluice };
    this.#write(stream, { kind: 'hello', protocol: LINK_PROTOCOL, sluice: name, ...paceOf(this.#pace) });
    this.#write(stream, { kind: 'orders', orders: orders.all() });
    // What is old of that is told anew in a moment.
    if (this.#open.size === 0) this.#told.clear();
    const services = [...this.#told].map(([service, { shares }]) => [service, shares] as const);
    if (services.length > 0) this.#write(stream, { kind: 'shares', services });
    this.#open.add(stream);
    this.#sharesAt = Number.NEGATIVE_INFINITY;
  }

  #take(stream: Stream, { name }: Follower, message: LinkMessage): void {
    if (message.kind !== 'orders') return;
    this.#options.orders.take(message.orders, name);
    for (const other of this.#open) if (other !== stream && message.orders.length > 0) this.#write(other, message);
  }

  #closed(follower: Follower): void {
    for (const stream of this.#open) if (stream.peer === follower) this.#open.delete(stream);
  }

  /** All are told the same, so that is written once. Whether it has to be asked again. */
  #tellShares(now: number): boolean {
    const pause = Math.max(SHARES_MS, this.#told.size * SHARES_MS_EACH);
    if (this.#open.size === 0 || now - this.#sharesAt < pause) return false;
    this.#sharesAt = now;
    const services: (readonly [string, ToldShares | undefined])[] = [];
    const gone = new Set(this.#told.keys());
    for (const [service, shares] of this.#options.shares()) {
      const text = JSON.stringify(shares);
      gone.delete(service);
      if (this.#told.get(service)?.text === text) continue;
      this.#told.set(service, { shares, text });
      services.push([service, shares]);
    }
    for (const service of gone) {
      this.#told.delete(service);
      services.push([service, undefined]);
    }
    if (services.length === 0) return false;
    const bytes = writeLink({ kind: 'shares', services });
    for (const stream of this.#open) this.#streams.write(stream, bytes);
    return false;
  }

  #write(stream: Stream, message: LinkMessage): void {
    this.#streams.write(stream, writeLink(message));
  }
}

function paceOf({ heartbeatMs, deadAfterMs }: Pace) {
  return { heartbeatMs, deadAfterMs };
}
