import {
  Client,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { abortLater, askedHeaders, nothing, type Target } from './client-http1.ts';
import { podService } from './grpc-service.ts';
import { instant } from './instant.ts';
import type { LoadClient, LoadResult } from './load.ts';
import type { Planned } from './load-plan.ts';

/** Messages that a call with a streaming request sends. */
const MESSAGES = 3;

const identity = (bytes: Buffer): Buffer => bytes;

/** gRPC by grpc-js over `connections` channels in turn. The body of a result is all messages of the answer, joined. */
export function grpcClient(target: Target & { readonly connections?: number }): LoadClient {
  const { host = '127.0.0.1', port, connections = 1 } = target;
  const clients = Array.from(
    { length: connections },
    () => new Client(`${host}:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 }),
  );
  // A call on a channel that is not connected yet would count as sent while it waits for us.
  const ready = Promise.all(clients.map(connected));
  let turn = 0;
  return {
    async send(planned) {
      await ready;
      turn = (turn + 1) % clients.length;
      const client = clients[turn];
      if (client === undefined) throw new Error('a client has at least one channel');
      return exchange(client, planned, target);
    },
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

/** Resolves when the client's channel is connected or could not be, within 5 s: its calls then say why. */
function connected(client: Client): Promise<void> {
  const channel = client.getChannel();
  const deadline = Date.now() + 5000;
  return new Promise((resolve) => {
    const look = (late?: Error) => {
      const state = channel.getConnectivityState(true);
      const moving = state === connectivityState.IDLE || state === connectivityState.CONNECTING;
      if (late === undefined && moving) channel.watchConnectivityState(state, deadline, look);
      else resolve();
    };
    look();
  });
}

function exchange(client: Client, planned: Planned, target: Target): Promise<LoadResult> {
  return new Promise((resolve) => {
    const sent = instant();
    const metadata = new Metadata();
    const asked = { ...target.headers, ...askedHeaders(planned), ...planned.headers };
    for (const [name, value] of Object.entries(asked)) metadata.set(name, value);
    const call = begin(client, planned, metadata);
    const chunks: Buffer[] = [];
    let first: number | undefined;
    let headers: Record<string, string> = {};
    const finish = abortLater(
      planned,
      () => call.cancel(),
      (rest) => resolve({ ...nothing(planned, sent), first, headers, body: Buffer.concat(chunks).toString(), ...rest }),
    );
    call.on('metadata', (received: Metadata) => {
      first = instant();
      headers = plain(received);
    });
    call.on('data', (chunk: Buffer) => chunks.push(chunk));
    call.on('error', (_error: ServiceError) => undefined); // `status` says the same
    call.on('status', ({ code, details, metadata: trailer }: StatusObject) => {
      const error = code === status.OK ? undefined : details;
      finish({ outcome: 'answered', status: 200, grpcStatus: code, trailers: plain(trailer), error });
    });
  });
}

/** Makes the call as a bidirectional one, whatever its kind: on the wire there is no difference. */
function begin(client: Client, planned: Planned, metadata: Metadata) {
  const kind = planned.call ?? 'unary';
  const { path, requestStream } = podService[kind];
  const call = client.makeBidiStreamRequest(planned.path ?? path, identity, identity, metadata);
  const message = planned.body ?? Buffer.from('hello');
  for (let sent = 0; sent < (requestStream ? MESSAGES : 1); sent += 1) call.write(message);
  call.end();
  return call;
}

function plain(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.getMap()).map(([name, value]) => [name, String(value)]));
}
