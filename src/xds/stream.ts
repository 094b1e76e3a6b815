import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { StreamIdentity } from './event.ts';
import type { StreamHost, XdsStream } from './open-stream.ts';
import { isHeldBack, newStreamState, nextPush, release, type StreamState, takeRequest } from './push-order.ts';
import { RequestRate } from './request-rate.ts';
import type { DiscoveryService } from './services.ts';
import type { Effect, Held, Response, TypeState } from './type-state.ts';
import type { Variant } from './variant.ts';
import type { Incoming, Introduction } from './wire.ts';

/** Writes that may be on their way before the client has taken them: enough to keep a fast one busy, and all that a stalled one costs. */
const MOST_IN_FLIGHT = 4;

/** Everything a stream is opened with. */
export interface StreamOptions<H extends Held, Request> {
  readonly id: number;
  readonly call: ServerDuplexStream<Buffer, Buffer>;
  readonly service: DiscoveryService;
  readonly variant: Variant<H, Request>;
  readonly host: StreamHost;
}

/** Ties a gRPC stream to the steps: it reads, writes and keeps time, and decides nothing about the protocol. */
export class GrpcXdsStream<H extends Held, Request> implements XdsStream {
  readonly connectedSince: number;
  readonly #options: StreamOptions<H, Request>;
  readonly #peer: string;
  readonly #rate: RequestRate;
  readonly #nackedAt = new Map<string, number>();
  #state: StreamState<H> = newStreamState();
  #introduction: Introduction | undefined;
  #inFlight = 0;
  #limited = false;
  #closed = false;
  #cancelWait: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;

  constructor(options: StreamOptions<H, Request>) {
    const { call, host } = options;
    this.#options = options;
    this.#peer = call.getPeer();
    this.connectedSince = host.clock.now();
    const { requestsPerSecond: perSecond, requestBurst: burst } = host.limits;
    this.#rate = new RequestRate({ perSecond, burst, clock: host.clock });
    call.on('data', (bytes: Buffer) => this.#guard(() => this.#receive(bytes)));
    // The client has nothing more to say; without our own end() its stream would stay open for ever.
    call.on('end', () => this.end('the client ended the stream'));
    call.on('cancelled', () => this.#close('the client went away'));
    call.on('error', (error: Error) => this.#close(error.message));
    call.on('close', () => this.#close('closed'));
  }

  get identity(): StreamIdentity {
    const node = this.#introduction?.node ?? { id: '', cluster: '', metadata: {} };
    return { stream: this.#options.id, node, peer: this.#peer };
  }

  get introduction(): Introduction | undefined {
    return this.#introduction;
  }

  types(): Iterable<TypeState> {
    return this.#state.types.values();
  }

  type(typeUrl: string): TypeState | undefined {
    return this.#state.types.get(typeUrl);
  }

  nackedAt(typeUrl: string): number | undefined {
    return this.#nackedAt.get(typeUrl);
  }

  hasSnapshot(): boolean {
    return this.#snapshot() !== undefined;
  }

  takeTurn(): void {
    this.#guard(() => this.#push());
  }

  end(reason: string): void {
    if (this.#closed) return;
    this.#close(reason);
    this.#options.call.end();
  }

  /** A bug that one client's requests bring to light must not take the others down. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(status.INTERNAL, `a bug of the server: ${reasonOf(error)}`);
    }
  }

  #push(): void {
    const { variant, host } = this.#options;
    const snapshot = this.#snapshot();
    if (this.#closed || snapshot === undefined) return;
    while (this.#inFlight < MOST_IN_FLIGHT) {
      const target = { snapshot, sequence: host.sequence(), maxBytes: host.limits.responseBytes };
      const [state, response] = nextPush(variant.step, this.#state, target);
      this.#state = state;
      if (response === undefined) break;
      this.#send(response);
    }
    this.#boundWait(snapshot);
  }

  #snapshot(): Snapshot | undefined {
    return this.#introduction && this.#options.host.cache.get(this.#introduction.node);
  }

  #receive(bytes: Buffer): void {
    if (this.#closed) return;
    const incoming = this.#decode(bytes);
    if (incoming === undefined) return;
    if (this.#introduction === undefined) this.#introduce(incoming.introduction);
    this.#take(incoming);
    this.#options.host.wake(this);
    this.#slowDown();
  }

  #decode(bytes: Buffer): Incoming<Request> | undefined {
    const { variant } = this.#options;
    try {
      return variant.decode(bytes);
    } catch (error) {
      this.#fail(status.INVALID_ARGUMENT, `not a ${variant.delta ? 'Delta' : ''}DiscoveryRequest: ${reasonOf(error)}`);
      return undefined;
    }
  }

  #introduce(introduction: Introduction): void {
    const { variant, service, host } = this.#options;
    this.#introduction = introduction;
    const { userAgent } = introduction;
    this.#state = newStreamState(userAgent.startsWith('envoy'));
    host.emit({ kind: 'connected', ...this.identity, delta: variant.delta, service: service.name, userAgent });
  }

  #take({ typeUrl: named, request }: Incoming<Request>): void {
    const { variant, service } = this.#options;
    const typeUrl = named === '' ? service.typeUrl : named;
    if (typeUrl === undefined) {
      this.#fail(status.INVALID_ARGUMENT, 'type_url is required on an aggregated stream');
    } else if (service.typeUrl !== undefined && typeUrl !== service.typeUrl) {
      this.#fail(status.INVALID_ARGUMENT, `${service.name} serves ${service.typeUrl} only, not ${typeUrl}`);
    } else {
      const [state, effects] = takeRequest(variant.step, this.#state, typeUrl, request);
      this.#state = state;
      for (const effect of effects) this.#report(effect);
      this.#checkLimits(typeUrl);
    }
  }

  #checkLimits(typeUrl: string): void {
    const { limits } = this.#options.host;
    const { types } = this.#state;
    const names = types.get(typeUrl)?.subscription.names.size ?? 0;
    if (names > limits.names) this.#fail(status.RESOURCE_EXHAUSTED, `more than ${limits.names} names of ${typeUrl}`);
    if (types.size > limits.types) this.#fail(status.RESOURCE_EXHAUSTED, `more than ${limits.types} types`);
  }

  #report(effect: Effect): void {
    if (effect.kind === 'send') return;
    const { names: resources, ...rest } = effect;
    if (effect.kind === 'nacked') this.#nackedAt.set(effect.typeUrl, this.#options.host.clock.now());
    this.#options.host.emit({ ...this.identity, ...rest, resources });
  }

  #send(response: Response): void {
    const { call, variant, host } = this.#options;
    const bytes = variant.encode(response, host.identifier);
    this.#inFlight++;
    // Called once the client has room for more: gRPC's own queue would take sixteen messages before it says so.
    call.write(bytes, () => {
      if (this.#inFlight-- === MOST_IN_FLIGHT && !this.#closed) host.wake(this);
    });
    const { typeUrl, version, removed } = response;
    const resources = response.resources.map((resource) => resource.name);
    host.emit({ kind: 'sent', ...this.identity, typeUrl, version, resources, removed, bytes: bytes.length });
  }

  /** A client that never answers must not keep its listeners and routes back for ever. */
  #boundWait(snapshot: Snapshot): void {
    const { host } = this.#options;
    if (!isHeldBack(this.#state, snapshot)) {
      this.#cancelWait?.();
      this.#cancelWait = undefined;
    } else {
      this.#cancelWait ??= host.clock.after(host.limits.clusterWaitMs, () => {
        this.#cancelWait = undefined;
        this.#state = release(this.#state);
        host.wake(this);
      });
    }
  }

  #slowDown(): void {
    const { call, host } = this.#options;
    const wait = this.#rate.take();
    if (wait === 0) {
      this.#limited = false;
      return;
    }
    if (!this.#limited)
      host.emit({ kind: 'limited', ...this.identity, requestsPerSecond: host.limits.requestsPerSecond });
    this.#limited = true;
    call.pause();
    this.#cancelPause?.();
    this.#cancelPause = host.clock.after(wait, () => call.resume());
  }

  #fail(code: status, details: string): void {
    if (this.#closed) return;
    this.#close(details);
    // How grpc-js takes the status a stream ends with.
    this.#options.call.emit('error', { code, details });
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelWait?.();
    this.#cancelPause?.();
    if (this.#introduction !== undefined) this.#options.host.emit({ kind: 'disconnected', ...this.identity, reason });
    this.#options.host.closed(this);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
