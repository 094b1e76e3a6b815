import type { XdsResource } from '../snapshot/resource.ts';
import type { StepFunction } from './push-order.ts';
import { SharedBytes } from './shared-bytes.ts';
import { type DeltaRequest, stepDelta } from './step-delta.ts';
import { type SotwRequest, stepSotw } from './step-sotw.ts';
import type { Held, Response } from './type-state.ts';
import { decodeDelta, decodeSotw, encodeDelta, encodeSotw, type Incoming } from './wire.ts';

/** One of the two forms of the protocol. */
export interface Variant<H extends Held, Request> {
  readonly delta: boolean;
  readonly step: StepFunction<H, Request>;
  readonly decode: (bytes: Uint8Array) => Incoming<Request>;
  readonly encode: (response: Response) => Buffer;
}

/** State of the world; `identifier` names the server in every response. */
export function sotwVariant(identifier: string): Variant<XdsResource, SotwRequest> {
  const shared = new SharedBytes((response) => encodeSotw(response, identifier));
  return { delta: false, step: stepSotw, decode: decodeSotw, encode: (response) => shared.of(response) };
}

/** Delta; `identifier` names the server in every response. */
export function deltaVariant(identifier: string): Variant<Held, DeltaRequest> {
  const shared = new SharedBytes((response) => encodeDelta(response, identifier));
  return { delta: true, step: stepDelta, decode: decodeDelta, encode: (response) => shared.of(response) };
}
