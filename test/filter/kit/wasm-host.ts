import { sluice } from '#xds';

const { ControlMessage, FilterMessage, PluginConfig, Role } = sluice.queue.v1;

/** An answer that the filter gave in place of a pod. */
export interface Reply {
  readonly context: number;
  readonly status: number;
  readonly details: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly grpcStatus: number;
}

type Exports = { readonly memory: WebAssembly.Memory } & Readonly<Record<string, (...values: number[]) => number>>;

const REQUEST_HEADERS = 0;
/** What Envoy answers where a record was written meanwhile, a queue is empty, or something is not there. */
const CAS_MISMATCH = 8;
const QUEUE_EMPTY = 7;
const MISSING = 1;
const PLUGIN_CONFIGURATION = 7;
const GRPC_MESSAGE = 5;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Envoy's side of proxy-wasm, pretended: one VM with its three roots, driven call by call. Time stands until it is moved. */
export class WasmHost {
  readonly #exports: Exports;
  #effective = 0;
  #current = 0;
  #buffer: Uint8Array = new Uint8Array();
  #queueRoot = 1;
  #nextRoot = 10;
  #token = 0;
  #metrics: { readonly name: string; value: number }[] = [];
  #tickRoot = 0;
  #period = 0;
  #tickAt = Number.POSITIVE_INFINITY;
  #nextContext = 100;
  #sequence = 0;
  #filled = 0;
  readonly #cluster = new Map<number, string>();
  /** Properties that only some streams have. */
  readonly #properties = new Map<number, Readonly<Record<string, string>>>();
  readonly #upstream = new Map<number, string>();
  /** Contexts of tries that have no connection. */
  readonly #unconnected = new Set<number>();
  readonly #flags = new Map<number, number>();
  readonly headers = new Map<number, Record<string, string>>();
  /** Milliseconds of the monotonic clock, and when the last tick was. */
  time = 1000;
  lastTick = 0;
  resumed: number[] = [];
  replies: Reply[] = [];
  /** What the filter sent over its stream. */
  sent: sluice.queue.v1.FilterMessage[] = [];
  /** Whether a stream is open, and whether opening one works. */
  isStreamOpen = false;
  streamWorks = true;
  /** The records that all VMs see. */
  readonly shared = new Map<string, { readonly value: Uint8Array; readonly cas: number }>();
  selfCalls = 0;
  logs: string[] = [];

  constructor(code: WebAssembly.Module, control: Partial<sluice.queue.v1.IPluginConfig> = {}) {
    const instance = new WebAssembly.Instance(code, {
      env: this.#env(),
      wasi_snapshot_preview1: {
        clock_time_get: (_clock: number, _precision: bigint, at: number) => this.#clock(at),
        random_get: (at: number, size: number) => this.#fill(at, size),
      },
    });
    // What the module exports is fixed by the ABI: functions of numbers, and the memory.
    this.#exports = instance.exports as Exports;
    this.call('_initialize');
    this.call('proxy_on_context_create', this.#queueRoot, 0);
    this.call('proxy_on_vm_start', this.#queueRoot, 0);
    this.configure(this.#queueRoot, { role: Role.ROLE_QUEUE });
    this.call('proxy_on_context_create', 2, 0);
    this.configure(2, { role: Role.ROLE_CONTROL, xdsCluster: 'sluice', selfCluster: 'self', ...control });
    this.call('proxy_on_context_create', 3, 0);
    this.configure(3, { role: Role.ROLE_TRY });
  }

  get memory(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** When the next tick comes. */
  get tickAt(): number {
    return this.#tickAt;
  }

  /** Calls into the VM, in this context. */
  call(name: string, context = 0, ...values: number[]): number {
    this.#current = context;
    this.#effective = 0;
    const callback = this.#exports[name];
    if (callback === undefined) throw new Error(`the module does not export ${name}`);
    return callback(context, ...values);
  }

  configure(root: number, config: sluice.queue.v1.IPluginConfig): number {
    return this.configureBytes(root, PluginConfig.encode(config).finish());
  }

  configureBytes(root: number, config: Uint8Array): number {
    this.#buffer = config;
    return this.call('proxy_on_configure', root, this.#buffer.length);
  }

  /** A new configuration of the queue plugin: another root, while streams of the old one go on. */
  reconfigure(): void {
    const old = this.#queueRoot;
    this.#queueRoot = this.#nextRoot++;
    this.call('proxy_on_context_create', this.#queueRoot, 0);
    this.configure(this.#queueRoot, { role: Role.ROLE_QUEUE });
    this.call('proxy_on_done', old);
  }

  /** All configurations are replaced by others, of other code. */
  retire(): void {
    for (const root of [this.#queueRoot, 2, 3]) this.call('proxy_on_done', root);
    this.#tickAt = Number.POSITIVE_INFINITY;
  }

  /** A request for a service: its context, and whether it may go on at once. */
  request(
    service: string,
    headers: Record<string, string> = {},
    properties: Readonly<Record<string, string>> = {},
  ): { context: number; goesOn: boolean } {
    const context = this.#nextContext++;
    this.#properties.set(context, properties);
    this.headers.set(context, { ':method': 'GET', ':path': '/a?b=c', ...headers });
    this.#cluster.set(context, service);
    this.call('proxy_on_context_create', context, this.#queueRoot);
    return { context, goesOn: this.call('proxy_on_request_headers', context, 3, 1) === 0 };
  }

  /** The router tries a pod for a request, which may have a connection by then: the context of the try, and whether it may go on at once. */
  try(request: number, address: string, isConnected = false): { context: number; goesOn: boolean } {
    const context = this.#nextContext++;
    // The router's filters see the headers of the request itself.
    this.headers.set(context, this.headers.get(request) ?? {});
    this.#upstream.set(context, address);
    if (!isConnected) this.#unconnected.add(context);
    this.call('proxy_on_context_create', context, 3);
    return { context, goesOn: this.call('proxy_on_request_headers', context, 3, 1) === 0 };
  }

  connect(tried: number): void {
    this.#unconnected.delete(tried);
  }

  /** The headers of an answer come to this context: first to the try, then to the request. */
  answer(context: number, headers: Record<string, string>, isEnd: boolean): void {
    const before = this.headers.get(context) ?? {};
    this.headers.set(context, headers);
    this.call('proxy_on_response_headers', context, 3, isEnd ? 1 : 0);
    this.headers.set(context, before);
  }

  /** Envoy answers itself, and says why by its flags. */
  answerLocally(request: number, status: number, flags: number): void {
    this.#flags.set(request, flags);
    this.headers.set(request, { ':status': String(status) });
    this.call('proxy_on_response_headers', request, 3, 0);
    this.call('proxy_on_response_body', request, 9, 1);
  }

  body(request: number, isEnd: boolean): void {
    this.call('proxy_on_response_body', request, 5, isEnd ? 1 : 0);
  }

  trailers(request: number, trailers: Record<string, string>): void {
    this.headers.set(request, trailers);
    this.call('proxy_on_response_trailers', request, 1);
  }

  /** A stream or a try is over. */
  done(context: number, flags = 0): void {
    this.#flags.set(context, flags);
    this.call('proxy_on_done', context);
    for (const map of [this.headers, this.#cluster, this.#upstream, this.#flags, this.#properties]) map.delete(context);
    this.#unconnected.delete(context);
  }

  /** Lets so much time pass, with the ticks in it; `each` is called after each. */
  pass(ms: number, each: () => void = () => {}): void {
    const end = this.time + ms;
    while (this.#tickAt <= end) {
      this.time = this.#tickAt;
      this.#tickAt = this.#period > 0 ? this.time + this.#period : Number.POSITIVE_INFINITY;
      this.lastTick = this.time;
      this.call('proxy_on_tick', this.#tickRoot);
      each();
    }
    this.time = end;
  }

  /** Sluice sends something. */
  send(message: Omit<sluice.queue.v1.IControlMessage, 'sequence'>): number {
    this.#sequence += 1;
    this.sendBytes(ControlMessage.encode({ sequence: this.#sequence, ...message }).finish());
    return this.#sequence;
  }

  sendBytes(bytes: Uint8Array): void {
    this.#buffer = bytes;
    this.call('proxy_on_grpc_receive', 2, this.#token, bytes.length);
  }

  /** The stream ends. */
  breakStream(): void {
    this.isStreamOpen = false;
    this.call('proxy_on_grpc_close', 2, this.#token, 14);
  }

  /** The names of all statistics, in the order of their definition. */
  get statistics(): readonly string[] {
    return this.#metrics.map(({ name }) => name);
  }

  /** What `sluice_queue_NAME.SERVICE` says. */
  statistic(name: string): number {
    return this.#metrics.filter((metric) => metric.name === name).reduce((sum, { value }) => sum + value, 0);
  }

  get #context(): number {
    return this.#effective || this.#current;
  }

  #text(at: number, size: number): string {
    return decoder.decode(new Uint8Array(this.#exports.memory.buffer, at, size));
  }

  /** Hands bytes over, into memory that the VM gives. */
  #give(value: string | Uint8Array, data: number, size: number): number {
    const bytes = typeof value === 'string' ? encoder.encode(value) : value;
    const at = this.#exports['proxy_on_memory_allocate']?.(bytes.length) ?? 0;
    if (at === 0) return 10;
    new Uint8Array(this.#exports.memory.buffer, at, bytes.length).set(bytes);
    const view = new DataView(this.#exports.memory.buffer);
    view.setUint32(data, at, true);
    view.setUint32(size, bytes.length, true);
    return 0;
  }

  #clock(at: number): number {
    new DataView(this.#exports.memory.buffer).setBigUint64(at, BigInt(Math.round(this.time * 1e6)), true);
    return 0;
  }

  /** Bytes that are another number each time. */
  #fill(at: number, size: number): number {
    this.#filled += 1;
    const view = new DataView(this.#exports.memory.buffer, at, size);
    for (let i = 0; i + 4 <= size; i += 4) view.setUint32(i, Math.imul(this.#filled + i, 0x9e3779b1) >>> 0, true);
    return 0;
  }

  #property(path: string): string | Uint8Array | undefined {
    const context = this.#context;
    switch (path) {
      case 'xds\0cluster_name':
        return this.#cluster.get(context);
      case 'upstream\0address':
        return this.#upstream.get(context);
      case 'upstream\0local_address':
        return this.#unconnected.has(context) ? undefined : '127.0.0.1:1';
      case 'response\0flags':
        return new Uint8Array(new BigInt64Array([BigInt(this.#flags.get(context) ?? 0)]).buffer);
      case 'xds\0node\0id':
        return 'node';
      case 'source\0address':
        return '10.1.1.1:4000';
      case 'sluice_request':
        return this.headers.get(context)?.['property sluice_request'];
      default:
        return this.#properties.get(context)?.[path];
    }
  }

  #pairs(at: number, size: number): Record<string, string> {
    if (size === 0) return {};
    const view = new DataView(this.#exports.memory.buffer, at, size);
    const count = view.getUint32(0, true);
    const pairs: Record<string, string> = {};
    let data = at + 4 + count * 8;
    for (let i = 0; i < count; i++) {
      const nameSize = view.getUint32(4 + i * 8, true);
      const valueSize = view.getUint32(8 + i * 8, true);
      pairs[this.#text(data, nameSize)] = this.#text(data + nameSize + 1, valueSize);
      data += nameSize + valueSize + 2;
    }
    return pairs;
  }

  #env() {
    const setHeader = (_map: number, name: number, nameSize: number, value: number, valueSize: number) => {
      const headers = this.headers.get(this.#context);
      if (headers === undefined) return MISSING;
      const key = this.#text(name, nameSize);
      headers[key] = this.#text(value, valueSize);
      return 0;
    };
    return {
      proxy_log: (_level: number, at: number, size: number) => {
        this.logs.push(this.#text(at, size));
        return 0;
      },
      proxy_get_current_time_nanoseconds: (at: number) => {
        new DataView(this.#exports.memory.buffer).setBigUint64(at, 1_790_000_000_123_456_789n, true);
        return 0;
      },
      proxy_set_tick_period_milliseconds: (ms: number) => {
        this.#tickRoot = this.#context;
        this.#period = ms;
        this.#tickAt = ms > 0 ? this.time + ms : Number.POSITIVE_INFINITY;
        return 0;
      },
      proxy_set_effective_context: (context: number) => {
        this.#effective = context;
        return 0;
      },
      proxy_get_property: (path: number, size: number, data: number, dataSize: number) => {
        const value = this.#property(this.#text(path, size));
        return value === undefined ? MISSING : this.#give(value, data, dataSize);
      },
      proxy_set_property: (path: number, size: number, value: number, valueSize: number) => {
        // A property of the stream: its headers stand for it here, because its tries have them as well.
        const headers = this.headers.get(this.#context);
        if (headers !== undefined) headers[`property ${this.#text(path, size)}`] = this.#text(value, valueSize);
        return 0;
      },
      proxy_get_buffer_bytes: (buffer: number, _start: number, _most: number, data: number, dataSize: number) =>
        buffer === PLUGIN_CONFIGURATION || buffer === GRPC_MESSAGE ? this.#give(this.#buffer, data, dataSize) : MISSING,
      proxy_get_header_map_value: (_map: number, name: number, nameSize: number, data: number, dataSize: number) => {
        const value = this.headers.get(this.#context)?.[this.#text(name, nameSize)];
        return value === undefined ? MISSING : this.#give(value, data, dataSize);
      },
      proxy_get_header_map_pairs: (_map: number, data: number, size: number) =>
        this.#give(pairsOf(this.headers.get(this.#context) ?? {}), data, size),
      proxy_replace_header_map_value: setHeader,
      proxy_add_header_map_value: setHeader,
      proxy_remove_header_map_value: (_map: number, name: number, nameSize: number) => {
        delete this.headers.get(this.#context)?.[this.#text(name, nameSize)];
        return 0;
      },
      proxy_continue_stream: (type: number) => {
        if (type === REQUEST_HEADERS) this.resumed.push(this.#context);
        return 0;
      },
      proxy_send_local_response: (...values: number[]) => {
        const [status = 0, details = 0, detailsSize = 0, body = 0, bodySize = 0, headers = 0, headersSize = 0] = values;
        this.replies.push({
          context: this.#context,
          status,
          details: this.#text(details, detailsSize),
          body: this.#text(body, bodySize),
          headers: this.#pairs(headers, headersSize),
          grpcStatus: values[7] ?? -1,
        });
        return 0;
      },
      proxy_http_call: (_cluster: number, _clusterSize: number, headers: number, headersSize: number) => {
        this.selfCalls += 1;
        const vm = this.#pairs(headers, headersSize)['x-sluice-vm'] ?? '';
        // Envoy makes the call when the VM has returned; so does whoever calls `arriveAtSelf`.
        this.#calling = vm;
        return 0;
      },
      proxy_grpc_stream: (...values: number[]) => {
        if (!this.streamWorks) return 10;
        this.#token += 1;
        this.#sequence = 0;
        this.isStreamOpen = true;
        new DataView(this.#exports.memory.buffer).setUint32(values[8] ?? 0, this.#token, true);
        return 0;
      },
      proxy_grpc_send: (token: number, at: number, size: number) => {
        if (token !== this.#token || !this.isStreamOpen) return MISSING;
        const bytes = new Uint8Array(this.#exports.memory.buffer.slice(at, at + size));
        try {
          this.sent.push(FilterMessage.decode(bytes));
        } catch (error) {
          // A name that Sluice sent and that is no text.
          if (!(error instanceof TypeError)) throw error;
        }
        return 0;
      },
      // Spans of waits: only a collector makes something of them.
      proxy_grpc_call: () => 0,
      proxy_grpc_cancel: () => {
        this.isStreamOpen = false;
        return 0;
      },
      proxy_get_shared_data: (key: number, size: number, data: number, dataSize: number, cas: number) => {
        const record = this.shared.get(this.#text(key, size));
        if (record === undefined) return MISSING;
        const status = this.#give(record.value, data, dataSize);
        new DataView(this.#exports.memory.buffer).setUint32(cas, record.cas, true);
        return status;
      },
      proxy_set_shared_data: (key: number, size: number, data: number, dataSize: number, cas: number) => {
        const name = this.#text(key, size);
        const record = this.shared.get(name);
        if (record !== undefined && cas !== 0 && record.cas !== cas) return CAS_MISMATCH;
        const value = new Uint8Array(this.#exports.memory.buffer.slice(data, data + dataSize));
        this.shared.set(name, { value, cas: ++this.#writes });
        return 0;
      },
      proxy_register_shared_queue: (_name: number, _size: number, token: number) => {
        new DataView(this.#exports.memory.buffer).setUint32(token, 1, true);
        return 0;
      },
      proxy_resolve_shared_queue: () => MISSING,
      proxy_enqueue_shared_queue: () => MISSING,
      proxy_dequeue_shared_queue: () => QUEUE_EMPTY,
      proxy_define_metric: (_type: number, name: number, size: number, id: number) => {
        new DataView(this.#exports.memory.buffer).setUint32(id, this.#metrics.length, true);
        this.#metrics.push({ name: this.#text(name, size), value: 0 });
        return 0;
      },
      proxy_increment_metric: (id: number, by: bigint) => {
        const metric = this.#metrics[id];
        if (metric !== undefined) metric.value += Number(by);
        return 0;
      },
      proxy_record_metric: () => 0,
    };
  }
  #calling: string | undefined;
  #writes = 0;

  /** The VM's call to itself arrives, as it does in a worker. */
  arriveAtSelf(): void {
    const context = this.#nextContext++;
    this.headers.set(context, { 'x-sluice-vm': this.#calling ?? '' });
    this.call('proxy_on_context_create', context, 2);
    this.call('proxy_on_request_headers', context, 3, 1);
    this.done(context);
    this.replies = this.replies.filter((reply) => reply.context !== context);
  }
}

/** Headers as proxy-wasm has them: how many, the sizes of each, then their bytes. */
function pairsOf(headers: Readonly<Record<string, string>>): Uint8Array {
  const pairs = Object.entries(headers).map(([name, value]) => [encoder.encode(name), encoder.encode(value)] as const);
  const data = pairs.flatMap(([name, value]) => [...name, 0, ...value, 0]);
  const bytes = new Uint8Array(4 + pairs.length * 8 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, pairs.length, true);
  for (const [index, [name, value]] of pairs.entries()) {
    view.setUint32(4 + index * 8, name.length, true);
    view.setUint32(8 + index * 8, value.length, true);
  }
  bytes.set(data, 4 + pairs.length * 8);
  return bytes;
}
