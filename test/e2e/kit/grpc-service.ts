import { rawMethod } from '../../../src/base/raw-method.ts';

/** The four kinds of gRPC call. */
export type GrpcKind = 'unary' | 'serverStream' | 'clientStream' | 'bidi';

/** The service of the gRPC pods; messages are plain bytes, so no proto file is needed. Route it by `/sluice.test.Pod/`. */
export const podService = {
  unary: rawMethod('/sluice.test.Pod/Unary', 'neither'),
  serverStream: rawMethod('/sluice.test.Pod/ServerStream', 'responses'),
  clientStream: rawMethod('/sluice.test.Pod/ClientStream', 'requests'),
  bidi: rawMethod('/sluice.test.Pod/Bidi', 'both'),
} as const;
