import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { rawMethod } from '../../base/raw-method.ts';
import { reasonOf } from '../../base/reason.ts';
import type { ExtraService } from '../server/extra-service.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

/**
 * gRPC's server reflection, so that `grpcurl` and its like can call the server without its protos. `version` is `v1` or
 * the `v1alpha` before it, which differ in nothing but their names; `services` are what is listed.
 */
export function reflectionService(version: 'v1' | 'v1alpha', services: readonly string[]): ExtraService {
  const open = new Set<Call>();
  return {
    definition: {
      ServerReflectionInfo: rawMethod(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`, 'both'),
    },
    implementation: {
      ServerReflectionInfo: (call: Call) => {
        open.add(call);
        for (const event of ['close', 'error']) call.on(event, () => open.delete(call));
        void converse(call, services);
      },
    },
    end: () => {
      for (const call of open) call.end();
    },
  };
}

/** Answers one question after the other, and reads the next one only when the answer before it was taken. */
async function converse(call: Call, services: readonly string[]): Promise<void> {
  try {
    // Kept after an error, to tell the client of it.
    for await (const request of call.iterator({ destroyOnReturn: false })) {
      // Descriptors of everything take 20 MB, and nobody asks for them in production.
      const { reflect } = await import('./reflect.ts');
      const answer = reflect(request, services);
      await new Promise<void>((resolve) => call.write(answer, () => resolve()));
    }
    call.end();
  } catch (error) {
    // Of a call that went away nobody hears this; otherwise it is how grpc-js takes the status a stream ends with.
    call.emit('error', { code: status.INVALID_ARGUMENT, details: `not a ServerReflectionRequest: ${reasonOf(error)}` });
  }
}
