import type { ServerUnaryCall, ServiceDefinition, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import { type NodeGuard, openToAll } from '../../base/node-guard.ts';
import { rawMethod } from '../../base/raw-method.ts';

const EMPTY = Buffer.alloc(0);

/** Names the pod on whose answer Envoy waits: `PodsId address`. */
const POD_HEADER = 'x-sluice-draining';

/**
 * Takes note that a request on `pod` (as `formatAddress` writes it) of the pods `podsId` is about to end, at an Envoy that
 * `isCaller`: the call does not say which one it is.
 */
export type OnRequestEnded = (podsId: string, pod: string, isCaller: (nodeId: string) => boolean) => Promise<void>;

/**
 * The gRPC service through which Envoy says that a request on a draining pod is about to end. Envoy holds the
 * end of the answer until this has answered: by then the slot is taken out of the gate's limit.
 */
export class RequestEnded {
  readonly definition: ServiceDefinition = {
    RequestEnded: rawMethod('/sluice.v1.Slots/RequestEnded', 'neither'),
  };
  readonly implementation: UntypedServiceImplementation;

  constructor(onEnded: OnRequestEnded, guard: NodeGuard = openToAll) {
    this.implementation = {
      RequestEnded: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        const [podsId = '', pod = ''] = String(call.metadata.get(POD_HEADER)[0] ?? '').split(' ');
        onEnded(podsId, pod, (nodeId) => guard(call, nodeId) === undefined).then(
          () => done(null, EMPTY),
          (error: Error) => done(error),
        );
      },
    };
  }
}
