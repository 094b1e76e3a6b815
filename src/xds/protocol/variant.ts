import { reasonOf } from '../../base/reason.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { StepFunction } from './push-order.ts';
import { SharedBytes } from './shared-bytes.ts';
import { type DeltaRequest, stepDelta } from './step-delta.ts';
import { type SotwRequest, stepSotw } from './step-sotw.ts';
import type { Held, Response, TypeState } from './type-state.ts';
import { decodeDelta, decodeSotw, encodeDelta, encodeSotw, type Incoming } from './wire.ts';

/** One of the two forms of the protocol. */
export interface Variant<H extends Held, Request> {
  readonly delta: boolean;
  readonly step: StepFunction<H, Request>;
  /** Errors: the bytes are no request. */
  readonly read: (bytes: Uint8Array) => Result<Incoming<Request>, string>;
  readonly encode: (response: Response) => Buffer;
  /** What a response has to carry that changes nothing; undefined: every response would change something. */
  readonly repeat: (type: TypeState<H>) => readonly XdsResource[] | undefined;
}

/** State of the world; `identifier` names the server in every response. */
export function sotwVariant(identifier: string): Variant<XdsResource, SotwRequest> {
  const shared = new SharedBytes((response) => encodeSotw(response, identifier));
  return {
    delta: false,
    step: stepSotw,
    read: reader('DiscoveryRequest', decodeSotw),
    encode: (response) => shared.of(response),
    repeat: ({ sentVersion, held }) => (sentVersion === '' ? undefined : [...held.values()]),
  };
}

/** Delta; `identifier` names the server in every response. */
export function deltaVariant(identifier: string): Variant<Held, DeltaRequest> {
  const shared = new SharedBytes((response) => encodeDelta(response, identifier));
  return {
    delta: true,
    step: stepDelta,
    read: reader('DeltaDiscoveryRequest', decodeDelta),
    encode: (response) => shared.of(response),
    repeat: () => [],
  };
}

function reader<Request>(
  what: string,
  decode: (bytes: Uint8Array) => Incoming<Request>,
): Variant<Held, Request>['read'] {
  return (bytes) => {
    try {
      return ok(decode(bytes));
    } catch (error) {
      return fail(`not a ${what}: ${reasonOf(error)}`);
    }
  };
}
