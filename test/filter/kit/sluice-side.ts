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
  #stream: Stream | undefined;
  #sequence = 0;
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
  acked = 0;
  streams = 0;
  reportMs = 50;

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
    this.#stream = undefined;
  }

  /** Says nothing more and reads nothing more, as if it were frozen. */
  freeze(): void {
    clearInterval(this.#heart);
    this.#stream?.pause();
    this.#stream = undefined;
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

  send(message: Omit<Control, 'sequence'>): number {
    if (this.#stream === undefined) return 0;
    this.#sequence += 1;
    this.#stream.write({ sequence: this.#sequence, ...message });
    return this.#sequence;
  }

  #open(stream: Stream): void {
    if (this.#server === undefined) {
      stream.emit('error', { code: status.UNAVAILABLE });
      return;
    }
    this.#stream = stream;
    this.#sequence = 0;
    this.acked = 0;
    this.streams += 1;
    stream.on('data', (message: sluice.queue.v1.FilterMessage) => this.#receive(message));
    stream.on('error', () => {});
    stream.on('end', () => stream.end());
  }

  #receive(message: sluice.queue.v1.FilterMessage): void {
    this.messages.push(message);
    if (message.hello) {
      this.hellos.push(message.hello);
      this.reports.clear();
      this.pods.clear();
    }
    if (message.helloEnd) this.#welcome();
    if (message.memberService) this.#reported(message.memberService);
    for (const service of message.report?.services ?? []) this.#reported(service);
    if (message.podEvent) this.events.push(message.podEvent);
    if (message.ack) this.acked = Number(message.ack.sequence);
    if (message.rejected) this.rejected.push(message.rejected);
    if (message.waitingList) this.waitingLists.push(message.waitingList);
  }

  #welcome(): void {
    this.send({ welcome: { heartbeatMs: 300, reportMs: this.reportMs, deadAfterMs: 1000 } });
    for (const service of this.#services.values()) this.send({ service });
    this.send({ synced: {} });
    clearInterval(this.#heart);
    this.#heart = setInterval(() => this.send({ heartbeat: {} }), 300);
  }

  #reported(service: Report): void {
    this.reports.set(service.name ?? '', service);
    for (const pod of service.pods ?? []) this.pods.set(pod.address ?? '', pod);
  }
}
