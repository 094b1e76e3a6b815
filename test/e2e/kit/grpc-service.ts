import type { MethodDefinition } from '@grpc/grpc-js';

/** The four kinds of gRPC call. */
export type GrpcKind = 'unary' | 'serverStream' | 'clientStream' | 'bidi';

const identity = (bytes: Buffer): Buffer => bytes;

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  const codec = { serialize: identity, deserialize: identity };
  return {
    path: `/sluice.test.Pod/${name}`,
    requestStream,
    responseStream,
    requestSerialize: codec.serialize,
    requestDeserialize: codec.deserialize,
    responseSerialize: codec.serialize,
    responseDeserialize: codec.deserialize,
  };
}

/** The service of the gRPC pods; messages are plain bytes, so no proto file is needed. Route it by `/sluice.test.Pod/`. */
export const podService = {
  unary: method('Unary', false, false),
  serverStream: method('ServerStream', false, true),
  clientStream: method('ClientStream', true, false),
  bidi: method('Bidi', true, true),
} as const;
