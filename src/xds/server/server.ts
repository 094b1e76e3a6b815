import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../base/clock.ts';
import { openToAll } from '../../base/node-guard.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { TypeUrl } from '../../snapshot/resource.ts';
import { clientStatusService } from '../debug/csds.ts';
import { HealthService } from '../debug/health.ts';
import { reflectionService } from '../debug/reflection.ts';
import type { Holdings } from '../protocol/holdings.ts';
import { DEFAULT_LIMITS } from '../protocol/limits.ts';
import { answered, type NodeState, nodeStates, type ResourceState, resourceStates } from '../protocol/node-state.ts';
import { TurnQueue } from '../protocol/turn-queue.ts';
import type { Held } from '../protocol/type-state.ts';
import { deltaVariant, sotwVariant } from '../protocol/variant.ts';
import type { BindAddress } from './address.ts';
import { type ExtraService, serviceNames } from './extra-service.ts';
import { listen, shutDown } from './listen.ts';
import type { StreamHost, XdsStream } from './open-stream.ts';
import { type AckResult, channelOptions, streamAge, type XdsServerOptions } from './server-options.ts';
import { DISCOVERY_SERVICES, type DiscoveryService, definitionOf } from './services.ts';
import { GrpcXdsStream } from './stream.ts';

/** With more bytes than this on their way to all clients together, pushes slow down. */
const MUCH_IN_FLIGHT = 8 * 1024 * 1024;

/** No stop takes longer, whatever the clients do, in milliseconds. */
const LONGEST_STOP_MS = 9000;

/** Serves snapshots to Envoys and other xDS clients: all discovery services, state of the world and delta. */
export class XdsServer {
  readonly #options: XdsServerOptions;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #health = new HealthService({
    services: DISCOVERY_SERVICES.map((service) => service.name),
    // Before the first snapshot clients would wait in vain.
    isServing: () => this.#options.cache.changes > 0 && !this.#stopping,
  });
  readonly #streams = new Map<number, XdsStream>();
  /** The streams of each node that has introduced itself. */
  readonly #byNode = new Map<string, Set<XdsStream>>();
  /** Ends the wait for the age at which a stream is to end. */
  readonly #ages = new Map<XdsStream, () => void>();
  readonly #waits = new Set<() => void>();
  readonly #queue = new TurnQueue(
    () => this.#inFlight > MUCH_IN_FLIGHT,
    () => {
      for (const check of [...this.#waits]) check();
    },
  );
  readonly #unsubscribe: () => void;
  readonly #extras: readonly ExtraService[];
  readonly #host: StreamHost;
  readonly #sotw: ReturnType<typeof sotwVariant>;
  readonly #delta: ReturnType<typeof deltaVariant>;
  /** When each version of a resource was first sent to any client, in milliseconds since the epoch. */
  readonly #firstSent = new WeakMap<Held, number>();
  #stopping = false;
  /** Bytes on their way to all clients together. */
  #inFlight = 0;
  #opened = 0;
  #stopped: Promise<void> | undefined;

  constructor(options: XdsServerOptions) {
    this.#options = options;
    this.#server = new Server(channelOptions(options.maxAgeMs));
    this.#clock = options.clock ?? systemClock;
    this.#sotw = sotwVariant(options.identifier ?? 'sluice');
    this.#delta = deltaVariant(options.identifier ?? 'sluice');
    const guard = options.guard ?? openToAll;
    this.#host = {
      cache: options.cache,
      clock: this.#clock,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      emit: options.onEvent ?? (() => {}),
      sequence: () => options.cache.changes,
      guard,
      sent: (resources) => {
        const now = this.#clock.now();
        for (const resource of resources) if (!this.#firstSent.has(resource)) this.#firstSent.set(resource, now);
      },
      written: (bytes) => {
        this.#inFlight += bytes;
      },
      wake: (stream) => this.#queue.add(stream),
      introduced: (stream, nodeId) => {
        const own = this.#byNode.get(nodeId);
        if (own === undefined) this.#byNode.set(nodeId, new Set([stream]));
        else own.add(stream);
      },
      closed: (stream) => {
        this.#streams.delete(stream.id);
        this.#leave(stream);
        this.#ages.get(stream)?.();
        this.#ages.delete(stream);
        this.#queue.remove(stream);
      },
    };
    for (const service of DISCOVERY_SERVICES)
      this.#server.addService(definitionOf(service), this.#implementation(service));
    const described = [clientStatusService(this, options.cache, guard), ...(options.extraServices ?? [])];
    const services = [
      ...DISCOVERY_SERVICES.map((service) => service.name),
      ...[...described, this.#health].flatMap(serviceNames),
    ];
    this.#extras = [
      ...described,
      this.#health,
      reflectionService('v1', services),
      reflectionService('v1alpha', services),
    ];
    for (const { definition, implementation } of this.#extras) this.#server.addService(definition, implementation);
    this.#unsubscribe = options.cache.subscribe({
      changed: () => {
        this.#health.changed();
        for (const stream of this.#streams.values()) this.#queue.add(stream);
      },
      changedFor: (nodes) => {
        for (const node of nodes) for (const stream of this.#byNode.get(node) ?? []) this.#queue.add(stream);
      },
    });
  }

  /** Binds all addresses, or none. Returns them with their real ports, or every one that failed and why. */
  async start(): Promise<Result<readonly BindAddress[], string>> {
    const { addresses, credentials = ServerCredentials.createInsecure() } = this.#options;
    const results = await Promise.all(addresses.map((address) => listen(this.#server, address, credentials)));
    const bound = results.flatMap((result) => (result.ok ? [result.value] : []));
    const errors = results.flatMap((result) => (result.ok ? [] : result.errors));
    if (errors.length === 0) return ok(bound);
    await this.stop(0);
    return fail(...errors);
  }

  /** All connected nodes, by id. */
  nodes(): readonly NodeState[] {
    return nodeStates(this.#streams.values(), this.#options.cache.changes);
  }

  /** Every resource that was sent to a node and is still subscribed. */
  resources(nodeId: string): readonly ResourceState[] {
    return resourceStates(this.#byNode.get(nodeId) ?? [], this.#firstSent);
  }

  /** What the client of a stream has taken by now; undefined: there is no such stream. */
  holdings(stream: number): Holdings | undefined {
    return this.#stream(stream)?.holdings();
  }

  /** Makes the client of a stream answer something if it is alive; false: there is no way now, or no such stream. */
  ask(stream: number): boolean {
    return this.#stream(stream)?.ask() ?? false;
  }

  /** Ends a stream in order. */
  drop(stream: number, reason: string): void {
    this.#stream(stream)?.end(reason);
  }

  /**
   * Waits until every connected node has answered all it subscribes to of `types` in what the cache holds now; the
   * answer to something newer counts as well. Call it right after the cache was changed. An Envoy that has not asked for
   * listeners yet has not answered for them.
   *
   * `acked`: all took it. `nacked`: all is answered, and a refusal of one of these types stands, new or old; `nodes()`
   * tells which. `timeout`: somebody has not answered within `timeoutMs`. `no nodes`: nobody is connected, or left.
   */
  waitForAck(types: readonly TypeUrl[], timeoutMs: number): Promise<AckResult> {
    const target = this.#options.cache.changes;
    return new Promise((resolve) => {
      const finish = (result: AckResult) => {
        cancel();
        this.#waits.delete(check);
        resolve(result);
      };
      const check = () => {
        const result = answered(this.#streams.values(), types, target);
        if (result !== undefined) finish(result);
      };
      const cancel = this.#clock.after(timeoutMs, () => finish('timeout'));
      this.#waits.add(check);
      check();
    });
  }

  /**
   * Ends all streams in order, then the server, by force after `graceMs`. Resolves when nothing is left, within 10 s
   * however long the grace. A second call waits for the first.
   */
  stop(graceMs = 5000): Promise<void> {
    this.#stopped ??= this.#stop(Math.min(graceMs, LONGEST_STOP_MS));
    return this.#stopped;
  }

  #stop(graceMs: number): Promise<void> {
    this.#unsubscribe();
    this.#stopping = true;
    this.#health.changed();
    for (const stream of [...this.#streams.values()]) stream.end('the server stops');
    for (const service of this.#extras) service.end?.();
    return shutDown(this.#server, this.#clock, graceMs);
  }

  #implementation(service: DiscoveryService): UntypedServiceImplementation {
    const methods: UntypedServiceImplementation = {
      [service.stream]: (call: ServerDuplexStream<Buffer, Buffer>) => {
        this.#open(call, service, false);
      },
      [service.delta]: (call: ServerDuplexStream<Buffer, Buffer>) => {
        this.#open(call, service, true);
      },
    };
    if (service.fetch !== undefined) {
      const details = `polling is not served; use ${service.stream} or ${service.delta}`;
      methods[service.fetch] = (_: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        callback({ code: status.UNIMPLEMENTED, details });
      };
    }
    return methods;
  }

  #open(call: ServerDuplexStream<Buffer, Buffer>, service: DiscoveryService, delta: boolean): void {
    const { streams } = this.#host.limits;
    if (this.#streams.size >= streams) {
      // How grpc-js takes the status a stream ends with.
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `more than ${streams} streams are open` });
      return;
    }
    const common = { id: ++this.#opened, call, service, host: this.#host };
    const stream: XdsStream = delta
      ? new GrpcXdsStream({ ...common, variant: this.#delta })
      : new GrpcXdsStream({ ...common, variant: this.#sotw });
    this.#streams.set(stream.id, stream);
    const { maxAgeMs } = this.#options;
    if (maxAgeMs === undefined) return;
    const cancel = this.#clock.after(streamAge(maxAgeMs), () => stream.end('its connection is too old'));
    this.#ages.set(stream, cancel);
  }

  #leave(stream: XdsStream): void {
    const nodeId = stream.introduction?.node.id;
    const own = nodeId === undefined ? undefined : this.#byNode.get(nodeId);
    own?.delete(stream);
    if (nodeId !== undefined && own?.size === 0) this.#byNode.delete(nodeId);
  }

  #stream(id: number): XdsStream | undefined {
    return this.#streams.get(id);
  }
}
