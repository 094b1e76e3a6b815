import type { MethodDefinition } from '@grpc/grpc-js';

/** Which side of a gRPC method says more than one thing. */
export type Streaming = 'neither' | 'requests' | 'responses' | 'both';

const same = (bytes: Buffer): Buffer => bytes;

/**
 * A gRPC method whose messages are bytes. What goes out is encoded already, so that all streams share the bytes; what
 * comes in is decoded by whoever takes it, who can say what is wrong with it.
 */
export function rawMethod(path: string, streaming: Streaming): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream: streaming === 'requests' || streaming === 'both',
    responseStream: streaming === 'responses' || streaming === 'both',
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}
