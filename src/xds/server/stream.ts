import { status } from '@grpc/grpc-js';
import { reasonOf } from '../../base/reason.ts';
import { TYPE_URLS } from '../../snapshot/resource.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import type { StreamIdentity } from '../protocol/event.ts';
import { Holdings } from '../protocol/holdings.ts';
import { excessOf, MOST_IN_FLIGHT } from '../protocol/limits.ts';
import {
  isHeldBack,
  newStreamState,
  nextPush,
  question,
  release,
  retryRefused,
  type StreamState,
  takeRequest,
} from '../protocol/push-order.ts';
import { RequestRate } from '../protocol/request-rate.ts';
import type { Effect, Held, Response, TypeState } from '../protocol/type-state.ts';
import type { Incoming, Introduction } from '../protocol/wire.ts';
import type { StreamOptions, XdsStream } from './open-stream.ts';

const ENDED_BY_CLIENT = 'the client ended the stream';

/** A client that says no more has so many milliseconds to take the last answers. */
const LAST_ANSWER_MS = 5000;

/** Ties a gRPC stream to the steps: it reads, writes and keeps time, and decides nothing about the protocol. */
export class GrpcXdsStream<H extends Held, Request> implements XdsStream {
  readonly id: number;
  readonly connectedSince: number;
  readonly #options: StreamOptions<H, Request>;
  readonly #peer: string;
  readonly #rate: RequestRate;
  readonly #nackedAt = new Map<string, number>();
  readonly #ackedSince = new Map<string, number>();
  #state: StreamState<H> = newStreamState();
  #introduction: Introduction | undefined;
  /** Bytes written that the client has not taken. */
  #inFlight = 0;
  /** The nonce of what its client was asked, and has not answered yet. */
  #question: string | undefined;
  #limited = false;
  #closed = false;
  #cancelWait: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #retryMs = 0;
  /** The client says no more: the stream ends once it has what it asked for. */
  #isLast = false;
  #cancelEnd: (() => void) | undefined;

  constructor(options: StreamOptions<H, Request>) {
    const { call, host } = options;
    this.#options = options;
    this.id = options.id;
    this.#peer = call.getPeer();
    this.connectedSince = host.clock.now();
    const { requestsPerSecond: perSecond, requestBurst: burst } = host.limits;
    this.#rate = new RequestRate({ perSecond, burst, clock: host.clock });
    call.on('data', (bytes: Buffer) => this.#guard(() => this.#receive(bytes)));
    // The client has nothing more to say; without our own end() its stream would stay open for ever.
    call.on('end', () => this.#endOnceAnswered());
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

  get isAggregated(): boolean {
    return this.#options.service.typeUrl === undefined;
  }

  types(): Iterable<TypeState> {
    return this.#state.types.values();
  }

  type(typeUrl: string): TypeState | undefined {
    return this.#state.types.get(typeUrl);
  }

  holdings(): Holdings {
    return new Holdings(this.#state.types);
  }

  nackedAt(typeUrl: string): number | undefined {
    return this.#nackedAt.get(typeUrl);
  }

  ackedSince(typeUrl: string): number | undefined {
    return this.#ackedSince.get(typeUrl);
  }

  hasSnapshot(): boolean {
    return this.#snapshot() !== undefined;
  }

  takeTurn(): void {
    this.#guard(() => this.#push());
  }

  ask(): boolean {
    const asking = question(this.#state, this.#options.variant.repeat);
    if (this.#closed || asking === undefined) return false;
    const [state, response] = asking;
    this.#state = state;
    this.#question = response.nonce;
    this.#send(response);
    return true;
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
    let isDone = false;
    while (!isDone && this.#inFlight < MOST_IN_FLIGHT) {
      const target = { snapshot, sequence: host.sequence(), maxBytes: host.limits.responseBytes };
      const [state, response] = nextPush(variant.step, this.#state, target);
      this.#state = state;
      isDone = response === undefined;
      if (response !== undefined) this.#send(response);
    }
    if (isDone && this.#isLast) this.end(ENDED_BY_CLIENT);
    else this.#boundWait(snapshot);
  }

  #endOnceAnswered(): void {
    if (this.#closed) return;
    if (!this.hasSnapshot()) {
      this.end(ENDED_BY_CLIENT);
      return;
    }
    this.#isLast = true;
    // It will not acknowledge its clusters any more.
    this.#state = release(this.#state);
    this.#cancelEnd = this.#options.host.clock.after(LAST_ANSWER_MS, () => this.end(ENDED_BY_CLIENT));
    this.#options.host.wake(this);
  }

  #snapshot(): Snapshot | undefined {
    return this.#introduction && this.#options.host.cache.get(this.#introduction.node, this.#options.id);
  }

  #receive(bytes: Buffer): void {
    if (this.#closed) return;
    const read = this.#options.variant.read(bytes);
    if (!read.ok) {
      this.#fail(status.INVALID_ARGUMENT, read.errors.join());
      return;
    }
    if (this.#introduction === undefined) this.#introduce(read.value);
    this.#take(read.value);
    this.#options.host.wake(this);
    this.#slowDown();
  }

  #introduce({ introduction, returning }: Incoming<Request>): void {
    const { call, variant, service, host } = this.#options;
    const refusal = host.guard(call, introduction.node.id);
    if (refusal !== undefined) {
      host.emit({ kind: 'refused', ...this.identity, node: introduction.node, reason: refusal });
      this.#fail(status.PERMISSION_DENIED, refusal);
      return;
    }
    this.#introduction = introduction;
    host.introduced(this, introduction.node.id);
    const { userAgent } = introduction;
    this.#state = newStreamState(userAgent.startsWith('envoy'));
    const how = { delta: variant.delta, service: service.name, userAgent, returning };
    host.emit({ kind: 'connected', ...this.identity, ...how });
  }

  #take({ typeUrl: named, request, holds }: Incoming<Request>): void {
    const { variant, service, host } = this.#options;
    if (this.#closed) return;
    const typeUrl = named === '' ? service.typeUrl : named;
    if (typeUrl === undefined) {
      this.#fail(status.INVALID_ARGUMENT, 'type_url is required on an aggregated stream');
    } else if (service.typeUrl !== undefined && typeUrl !== service.typeUrl) {
      this.#fail(status.INVALID_ARGUMENT, `${service.name} serves ${service.typeUrl} only, not ${typeUrl}`);
    } else {
      const isFirst = !this.#state.types.has(typeUrl);
      const [state, effects] = takeRequest(variant.step, this.#state, typeUrl, request);
      this.#state = state;
      if (isFirst) host.emit({ kind: 'asked', ...this.identity, typeUrl });
      if (isFirst && holds.length > 0) host.emit({ kind: 'holds', ...this.identity, names: holds });
      for (const effect of effects) this.#report(effect);
      this.#noteAnswer();
      const excess = excessOf(host.limits, state.types);
      if (excess !== undefined) this.#fail(status.RESOURCE_EXHAUSTED, excess);
    }
  }

  /** Only what answers the question shows that the client is there now: an answer to something older may have been on its way. */
  #noteAnswer(): void {
    const nonce = this.#question;
    if (nonce === undefined) return;
    const { unanswered = [] } = this.#state.types.get(TYPE_URLS.cluster) ?? {};
    if (unanswered.some((response) => response.nonce === nonce)) return;
    this.#question = undefined;
    this.#options.host.emit({ kind: 'alive', ...this.identity });
  }

  #report(effect: Effect): void {
    if (effect.kind === 'send') return;
    const { host } = this.#options;
    const { names: resources, ...rest } = effect;
    if (effect.kind === 'acked' && !this.#ackedSince.has(effect.typeUrl))
      this.#ackedSince.set(effect.typeUrl, host.clock.now());
    if (effect.kind === 'nacked') {
      this.#nackedAt.set(effect.typeUrl, host.clock.now());
      if (this.#introduction?.userAgent.startsWith('envoy')) this.#retryLater(effect.again);
    }
    host.emit({ ...this.identity, ...rest, resources });
  }

  /** A port may be free soon, an address come up: what keeps an Envoy from taking something often goes by itself. */
  #retryLater(again: boolean): void {
    const { clock, limits, wake } = this.#options.host;
    if (this.#cancelRetry !== undefined) return;
    this.#retryMs = again ? Math.min(this.#retryMs * 1.5, limits.retryMs.longest) : limits.retryMs.first;
    this.#cancelRetry = clock.after(Math.round(this.#retryMs), () => {
      this.#cancelRetry = undefined;
      const retrying = retryRefused(this.#state);
      if (this.#closed || retrying === undefined) return;
      this.#state = retrying;
      wake(this);
    });
  }

  #send(response: Response): void {
    const { call, variant, host } = this.#options;
    const bytes = variant.encode(response);
    this.#account(bytes.length);
    // Called once the client has room for more: gRPC's own queue would take sixteen messages before it says so.
    call.write(bytes, () => {
      const wasFull = this.#inFlight >= MOST_IN_FLIGHT;
      this.#account(-bytes.length);
      if (wasFull && !this.#closed) host.wake(this);
    });
    const { typeUrl, version, removed } = response;
    host.sent(response.resources);
    const resources = response.resources.map((resource) => resource.name);
    host.emit({ kind: 'sent', ...this.identity, typeUrl, version, resources, removed, bytes: bytes.length });
  }

  #account(bytes: number): void {
    // After the end the rest is given back at once, as nobody tells of it any more.
    if (this.#closed) return;
    this.#inFlight += bytes;
    this.#options.host.written(bytes);
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
    this.#account(-this.#inFlight);
    this.#closed = true;
    this.#cancelWait?.();
    this.#cancelPause?.();
    this.#cancelRetry?.();
    this.#cancelEnd?.();
    if (this.#introduction !== undefined) this.#options.host.emit({ kind: 'disconnected', ...this.identity, reason });
    this.#options.host.closed(this);
  }
}
