import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { sluice } from '#xds';

const { ControlMessage, FilterMessage } = sluice.queue.v1;

type Control = sluice.queue.v1.IControlMessage;
type Service = sluice.queue.v1.IService;
type Report = sluice.queue.v1.IServiceReport;
type PodEvent = sluice.queue.v1.IPodEvent;
type Stream = ServerDuplexStream<sluice.queue.v1.FilterMessage, Control>;

const PATH = '/sluice.queue.v1.QueueService/Stream';

/** Sluice's side of the stream, for tests: it knows services, and keeps what it is told. */
export class SluiceSide {
  readonly #services = new Map<string, Service>();
  #server: Server | undefined;
  /** The open streams, one for each worker: what was sent on it, and what of that was acknowledged. */
  readonly #streams = new Map<Stream, { sequence: number; told: number; acked: number; epoch: string }>();
  #heart: NodeJS.Timeout | undefined;
  port = 0;
  /** Whatever came, in its order. */
  readonly messages: sluice.queue.v1.FilterMessage[] = [];
  readonly hellos: sluice.queue.v1.IHello[] = [];
  readonly events: PodEvent[] = [];
  readonly rejected: sluice.queue.v1.IRejected[] = [];
  /** What each service last said of itself; pods are put together from all reports since the hello. */
  readonly reports = new Map<string, Report>();
  readonly pods = new Map<string, sluice.queue.v1.IPodReport>();
  readonly waitingLists: sluice.queue.v1.IWaitingList[] = [];
  streams = 0;
  reportMs = 50;

  /** What each worker last said of a service, by epoch. */
  readonly byEpoch = new Map<string, Map<string, Report>>();

  /** Everything up to this message is applied by all workers. */
  get acked(): number {
    return Math.min(...[...this.#streams.values()].map(({ acked }) => acked), this.#streams.size === 0 ? 0 : Infinity);
  }

  /** Whether all workers have applied all that they were sent. */
  get isKnown(): boolean {
    return [...this.#streams.values()].every(({ told, acked }) => acked >= told);
  }

  /** How many streams are open. */
  get open(): number {
    return this.#streams.size;
  }

  /** Listens on a port, a free one for 0. */
  async start(port = 0): Promise<number> {
    const server = new Server({ 'grpc.max_receive_message_length': 64 << 20 });
    server.addService(
      {
        Stream: {
          path: PATH,
          requestStream: true,
          responseStream: true,
          requestSerialize: (message: sluice.queue.v1.FilterMessage) =>
            Buffer.from(FilterMessage.encode(message).finish()),
          requestDeserialize: (bytes: Buffer) => FilterMessage.decode(bytes),
          responseSerialize: (message: Control) => Buffer.from(ControlMessage.encode(message).finish()),
          responseDeserialize: (bytes: Buffer) => ControlMessage.decode(bytes),
        },
      },
      { Stream: (stream: Stream) => this.#open(stream) },
    );
    this.port = await new Promise((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    this.#server = server;
    return this.port;
  }

  /** Ends, as if it were killed. */
  stop(): void {
    clearInterval(this.#heart);
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#streams.clear();
  }

  /** Says nothing more and reads nothing more, as if it were frozen. */
  freeze(): void {
    clearInterval(this.#heart);
    for (const stream of this.#streams.keys()) stream.pause();
    this.#streams.clear();
  }

  /** Sets a service, now and for each stream that comes. */
  set(service: Service): void {
    this.#services.set(service.name ?? '', service);
    this.send({ service });
  }

  remove(name: string): void {
    this.#services.delete(name);
    this.send({ removeService: { name } });
  }

  /** Sends it to all workers. The number is that of the newest stream. */
  send(message: Omit<Control, 'sequence'>): number {
    let sequence = 0;
    for (const stream of this.#streams.keys()) sequence = this.#sendTo(stream, message);
    return sequence;
  }

  #sendTo(stream: Stream, message: Omit<Control, 'sequence'>): number {
    const state = this.#streams.get(stream);
    if (state === undefined) return 0;
    state.sequence += 1;
    // A heartbeat is not acknowledged.
    if (!message.heartbeat) state.told = state.sequence;
    stream.write({ sequence: state.sequence, ...message });
    return state.sequence;
  }

  #open(stream: Stream): void {
    if (this.#server === undefined) {
      stream.emit('error', { code: status.UNAVAILABLE });
      return;
    }
    this.#streams.set(stream, { sequence: 0, told: 0, acked: 0, epoch: '' });
    this.streams += 1;
    const over = () => {
      this.#streams.delete(stream);
    };
    stream.on('data', (message: sluice.queue.v1.FilterMessage) => this.#receive(stream, message));
    stream.on('error', over);
    stream.on('cancelled', over);
    stream.on('end', () => {
      over();
      stream.end();
    });
  }

  #receive(stream: Stream, message: sluice.queue.v1.FilterMessage): void {
    const state = this.#streams.get(stream);
    if (state === undefined) return;
    this.messages.push(message);
    if (message.hello) {
      this.hellos.push(message.hello);
      state.epoch = String(message.hello.epoch);
      this.byEpoch.set(state.epoch, new Map());
      this.reports.clear();
      this.pods.clear();
    }
    if (message.helloEnd) this.#welcome(stream);
    if (message.memberService) this.#reported(state.epoch, message.memberService);
    for (const service of message.report?.services ?? []) this.#reported(state.epoch, service);
    if (message.podEvent) this.events.push(message.podEvent);
    if (message.ack) state.acked = Number(message.ack.sequence);
    if (message.rejected) this.rejected.push(message.rejected);
    if (message.waitingList) this.waitingLists.push(message.waitingList);
  }

  #welcome(stream: Stream): void {
    this.#sendTo(stream, { welcome: { heartbeatMs: 300, reportMs: this.reportMs, deadAfterMs: 1000 } });
    for (const service of this.#services.values()) this.#sendTo(stream, { service });
    this.#sendTo(stream, { synced: {} });
    clearInterval(this.#heart);
    this.#heart = setInterval(() => this.send({ heartbeat: {} }), 300);
  }

  #reported(epoch: string, service: Report): void {
    this.byEpoch.get(epoch)?.set(service.name ?? '', service);
    this.reports.set(service.name ?? '', service);
    for (const pod of service.pods ?? []) this.pods.set(pod.address ?? '', pod);
  }
}
