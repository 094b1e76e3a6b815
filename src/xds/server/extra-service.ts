import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';

/** A further gRPC service on the same port. */
export interface ExtraService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /** Ends its open streams: the server is about to stop. */
  end?(): void;
}

/** The names in the paths of a definition's methods. */
export function serviceNames({ definition }: ExtraService): readonly string[] {
  return [...new Set(Object.values(definition).flatMap(({ path }) => path.split('/').slice(1, 2)))];
}
