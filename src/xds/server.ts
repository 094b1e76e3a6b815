import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type Clock, systemClock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { SnapshotCache } from '../snapshot/cache.ts';
import type { TypeUrl } from '../snapshot/resource.ts';
import { type BindAddress, grpcTarget, removeDeadSocket } from './address.ts';
import type { XdsEvent } from './event.ts';
import { DEFAULT_LIMITS, type StreamLimits } from './limits.ts';
import { type NodeState, nodeStates, type ResourceState, resourceStates } from './node-state.ts';
import type { StreamHost, XdsStream } from './open-stream.ts';
import { DISCOVERY_SERVICES, type DiscoveryService, definitionOf } from './services.ts';
import { GrpcXdsStream } from './stream.ts';
import { TurnQueue } from './turn-queue.ts';
import { isSettled } from './type-state.ts';
import { DELTA, SOTW } from './variant.ts';

/** A further gRPC service on the same port. */
export interface ExtraService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /** Ends its open streams: the server is about to stop. */
  end?(): void;
}

/** How an `XdsServer` is set up. */
export interface XdsServerOptions {
  readonly addresses: readonly BindAddress[];
  readonly cache: SnapshotCache;
  readonly clock?: Clock;
  /** Plaintext by default. */
  readonly credentials?: ServerCredentials;
  /** Told of everything that happens; must not throw. */
  readonly onEvent?: (event: XdsEvent) => void;
  readonly extraServices?: readonly ExtraService[];
  /** `control_plane.identifier` of every response; `sluice` by default. */
  readonly identifier?: string;
  readonly limits?: Partial<StreamLimits>;
}

/** How a wait for answers ended; see `XdsServer.waitForAck`. */
export type AckResult = 'acked' | 'nacked' | 'timeout' | 'no nodes';

/** Why each setting is there: measured with grpc-js 1.14. */
const CHANNEL_OPTIONS = {
  // Off by default, and then a frozen peer stays for ever.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // 4 MiB by default; a client that reconnects with many resources names them all in one request.
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

/** No stop takes longer, whatever the clients do, in milliseconds. */
const LONGEST_STOP_MS = 9000;

/** Serves snapshots to Envoys and other xDS clients: all discovery services, state of the world and delta. */
export class XdsServer {
  readonly #options: XdsServerOptions;
  readonly #clock: Clock;
  readonly #server = new Server(CHANNEL_OPTIONS);
  readonly #streams = new Set<XdsStream>();
  readonly #waits = new Set<() => void>();
  readonly #queue = new TurnQueue(() => this.#checkWaits());
  readonly #unsubscribe: () => void;
  readonly #host: StreamHost;
  #sequence = 0;
  #opened = 0;
  #stopped: Promise<void> | undefined;

  constructor(options: XdsServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#host = {
      cache: options.cache,
      clock: this.#clock,
      identifier: options.identifier ?? 'sluice',
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      emit: options.onEvent ?? (() => {}),
      sequence: () => this.#sequence,
      wake: (stream) => this.#queue.add(stream),
      closed: (stream) => {
        this.#streams.delete(stream);
        this.#queue.remove(stream);
      },
    };
    for (const service of DISCOVERY_SERVICES)
      this.#server.addService(definitionOf(service), this.#implementation(service));
    for (const { definition, implementation } of options.extraServices ?? []) {
      this.#server.addService(definition, implementation);
    }
    this.#unsubscribe = options.cache.subscribe(() => {
      this.#sequence++;
      for (const stream of this.#streams) this.#queue.add(stream);
    });
  }

  /** Binds all addresses, or none. Returns them with their real ports, or every one that failed and why. */
  async start(): Promise<Result<readonly BindAddress[], string>> {
    const results = await Promise.all(this.#options.addresses.map((address) => this.#bind(address)));
    const bound = results.flatMap((result) => (result.ok ? [result.value] : []));
    const errors = results.flatMap((result) => (result.ok ? [] : result.errors));
    if (errors.length === 0) return ok(bound);
    await this.stop(0);
    return fail(...errors);
  }

  /** All connected nodes, by id. */
  nodes(): readonly NodeState[] {
    return nodeStates(this.#streams, this.#sequence);
  }

  /** Every resource that was sent to a node and is still subscribed. */
  resources(nodeId: string): readonly ResourceState[] {
    return resourceStates([...this.#streams].filter((stream) => stream.introduction?.node.id === nodeId));
  }

  /**
   * Waits until every connected node has answered all it subscribes to of `types` in what the cache holds now; the
   * answer to something newer counts as well. Call it right after the cache was changed.
   *
   * `acked`: all took it. `nacked`: all is answered, and a refusal of one of these types stands, new or old; `nodes()`
   * tells which. `timeout`: somebody has not answered within `timeoutMs`. `no nodes`: nobody is connected, or left.
   */
  waitForAck(types: readonly TypeUrl[], timeoutMs: number): Promise<AckResult> {
    const target = this.#sequence;
    return new Promise((resolve) => {
      const finish = (result: AckResult) => {
        cancel();
        this.#waits.delete(check);
        resolve(result);
      };
      const check = () => {
        const result = this.#answered(types, target);
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
    for (const stream of [...this.#streams]) stream.end('the server stops');
    for (const service of this.#options.extraServices ?? []) service.end?.();
    return new Promise((resolve) => {
      const force = () => {
        this.#server.forceShutdown();
        resolve();
      };
      const cancel = this.#clock.after(graceMs, force);
      // It waits for every stream, those of a client that reads nothing included.
      this.#server.tryShutdown(() => {
        cancel();
        resolve();
      });
    });
  }

  async #bind(address: BindAddress): Promise<Result<BindAddress, string>> {
    if (address.kind === 'unix') await removeDeadSocket(address.path);
    const target = grpcTarget(address);
    return new Promise((resolve) => {
      this.#server.bindAsync(target, this.#options.credentials ?? ServerCredentials.createInsecure(), (error, port) => {
        if (error) resolve(fail(`cannot listen on ${target}: ${error.message}`));
        else resolve(ok(address.kind === 'tcp' ? { ...address, port } : address));
      });
    });
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
    const common = { id: ++this.#opened, call, service, host: this.#host };
    const stream: XdsStream = delta
      ? new GrpcXdsStream({ ...common, variant: DELTA })
      : new GrpcXdsStream({ ...common, variant: SOTW });
    this.#streams.add(stream);
  }

  #answered(types: readonly TypeUrl[], target: number): AckResult | undefined {
    const streams = [...this.#streams].filter((stream) => stream.introduction !== undefined);
    if (streams.length === 0) return 'no nodes';
    const states = streams
      .filter((stream) => stream.hasSnapshot())
      .flatMap((stream) => types.map((typeUrl) => stream.type(typeUrl)))
      .filter((state) => state !== undefined);
    if (!states.every((state) => isSettled(state, target))) return undefined;
    return states.some((state) => state.nacks.size > 0) ? 'nacked' : 'acked';
  }

  #checkWaits(): void {
    for (const check of [...this.#waits]) check();
  }
}
