import {
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { google } from '#xds';
import { rawMethod } from '../../base/raw-method.ts';
import type { ExtraService } from '../server/extra-service.ts';

// `grpc.health.v1.HealthCheckRequest` is a string in field 1, `HealthCheckResponse` an enum in field 1: on the wire
// they are what Google's wrapper messages are.
const { StringValue: HealthCheckRequest, UInt32Value: HealthCheckResponse } = google.protobuf;

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

type WatchCall = ServerWritableStream<Buffer, Buffer>;

/** What a health service answers from. */
export interface HealthSource {
  /** The services that are known, besides the empty name, which stands for the whole server. */
  readonly services: readonly string[];
  /** Whether clients can be served now. */
  readonly isServing: () => boolean;
}

/** gRPC's standard health service, as Kubernetes' gRPC probes and load balancers ask it. */
export class HealthService implements ExtraService {
  readonly definition: ServiceDefinition = {
    Check: rawMethod('/grpc.health.v1.Health/Check', 'neither'),
    Watch: rawMethod('/grpc.health.v1.Health/Watch', 'responses'),
  };
  readonly implementation: UntypedServiceImplementation = {
    Check: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      const state = this.#state(call.request);
      if (state === undefined) callback({ code: status.INVALID_ARGUMENT, details: 'not a HealthCheckRequest' });
      else if (state === SERVICE_UNKNOWN) callback({ code: status.NOT_FOUND, details: 'there is no such service' });
      else callback(null, encode(state));
    },
    Watch: (call: WatchCall) => {
      this.#watch(call);
    },
  };
  readonly #source: HealthSource;
  /** Who watches, and what they were told last. */
  readonly #watchers = new Map<WatchCall, number | undefined>();

  constructor(source: HealthSource) {
    this.#source = source;
  }

  /** Tells those who watch, if it differs from what they know. */
  changed(): void {
    for (const [call, told] of this.#watchers) {
      const state = this.#state(call.request);
      if (state === told) continue;
      this.#watchers.set(call, state);
      if (state !== undefined) call.write(encode(state));
    }
  }

  end(): void {
    for (const call of this.#watchers.keys()) call.end();
    this.#watchers.clear();
  }

  #watch(call: WatchCall): void {
    if (this.#state(call.request) === undefined) {
      // How grpc-js takes the status a stream ends with.
      call.emit('error', { code: status.INVALID_ARGUMENT, details: 'not a HealthCheckRequest' });
      return;
    }
    this.#watchers.set(call, undefined);
    for (const event of ['cancelled', 'error', 'close']) call.on(event, () => this.#watchers.delete(call));
    this.changed();
  }

  #state(request: Buffer): number | undefined {
    let service: string;
    try {
      service = HealthCheckRequest.decode(request).value;
    } catch {
      return undefined;
    }
    if (service !== '' && !this.#source.services.includes(service)) return SERVICE_UNKNOWN;
    return this.#source.isServing() ? SERVING : NOT_SERVING;
  }
}

function encode(value: number): Buffer {
  return Buffer.from(HealthCheckResponse.encode({ value }).finish());
}
