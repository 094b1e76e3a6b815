import type { EventEmitter } from 'node:events';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerErrorResponse,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { podService } from './grpc-service.ts';
import type { Answer, Held, Pod, Protocol } from './pod.ts';
import { readAsked } from './pod-ask.ts';

/** Messages that a server stream sends when the metadata `x-messages` does not say how many. */
const STREAM_MESSAGES = 3;

type Unary = ServerUnaryCall<Buffer, Buffer>;
type ServerStream = ServerWritableStream<Buffer, Buffer>;
type ClientStream = ServerReadableStream<Buffer, Buffer>;
type Bidi = ServerDuplexStream<Buffer, Buffer>;
type AnyCall = EventEmitter & Pick<Unary, 'metadata' | 'sendMetadata' | 'getPath'>;
type Reply = sendUnaryData<Buffer>;

/**
 * gRPC by grpc-js. Unary echoes; a server stream spreads its messages evenly over the work; a client stream answers the
 * number of its messages after the work; bidi echoes each message at once and ends after the work once its client has
 * ended. Every good answer ends with the trailer `x-done: 1`. Half an answer is what was sent so far, then DATA_LOSS.
 */
export function grpc(pod: Pod): Protocol {
  const server = new Server({ 'grpc.max_concurrent_streams': 1000 });
  server.addService(podService, {
    unary: (call: Unary, reply: Reply) => unary(accept(pod, call), call, reply),
    serverStream: (call: ServerStream) => serverStream(accept(pod, call), call),
    clientStream: (call: ClientStream, reply: Reply) => clientStream(accept(pod, call), call, reply),
    bidi: (call: Bidi) => bidi(accept(pod, call), call),
  });
  const door = server.createConnectionInjector(ServerCredentials.createInsecure());
  return { serve: (socket) => door.injectConnection(socket), close: () => server.forceShutdown() };
}

function accept(pod: Pod, call: AnyCall): Held {
  const held = pod.hold(readAsked(textOf(call.metadata), call.getPath()));
  call.on('cancelled', () => held.leave());
  return held;
}

/** Headers go out with the first message, as most servers send them; a second call is ignored by grpc-js. */
function sendHeaders(call: AnyCall, { address }: Held): void {
  const metadata = new Metadata();
  metadata.set('x-pod', address);
  call.sendMetadata(metadata);
}

function textOf(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.getMap()).map(([name, value]) => [name, String(value)]));
}

function unary(held: Held, call: Unary, reply: Reply): void {
  held.work((how) => replyOnce(held, how, { call, reply, message: call.request }));
}

interface Single {
  readonly call: AnyCall;
  readonly reply: Reply;
  readonly message: Buffer;
}

function replyOnce(held: Held, how: Answer, { call, reply, message }: Single): void {
  if (held.ended) return;
  sendHeaders(call, held);
  held.finish(how);
  const fault = faultOf(how);
  if (fault === undefined) reply(null, message, done());
  else reply(fault);
}

function endStream(held: Held, how: Answer, call: ServerStream | Bidi): void {
  if (held.ended) return;
  sendHeaders(call, held);
  held.finish(how);
  const fault = faultOf(how);
  if (fault === undefined) call.end(done());
  else call.emit('error', fault);
}

function serverStream(held: Held, call: ServerStream): void {
  const messages = Number(call.metadata.get('x-messages')[0] ?? STREAM_MESSAGES);
  const step = (left: number) =>
    held.work((how) => {
      if (held.ended) return;
      sendHeaders(call, held);
      if (how.kind !== 'status') call.write(Buffer.from(String(messages - left)));
      if (how.kind === 'ok' && left > 1) step(left - 1);
      else endStream(held, how, call);
    }, held.workMs / messages);
  step(messages);
}

function clientStream(held: Held, call: ClientStream, reply: Reply): void {
  let messages = 0;
  call.on('data', () => {
    messages += 1;
  });
  call.on('end', () =>
    held.work((how) => replyOnce(held, how, { call, reply, message: Buffer.from(String(messages)) })),
  );
}

function bidi(held: Held, call: Bidi): void {
  call.on('data', (message: Buffer) => {
    sendHeaders(call, held);
    call.write(message);
  });
  call.on('end', () => held.work((how) => endStream(held, how, call)));
}

function done(): Metadata {
  const trailer = new Metadata();
  trailer.set('x-done', '1');
  return trailer;
}

function faultOf(how: Answer): ServerErrorResponse | undefined {
  if (how.kind === 'ok') return undefined;
  const code = how.kind === 'half' ? status.DATA_LOSS : status.UNAVAILABLE;
  return { name: 'Error', code, message: `this pod was told to answer ${JSON.stringify(how)}`, details: 'as told' };
}
