import type { XdsResource } from '../snapshot/resource.ts';
import type { StepFunction } from './push-order.ts';
import { type DeltaRequest, stepDelta } from './step-delta.ts';
import { type SotwRequest, stepSotw } from './step-sotw.ts';
import type { Held, Response } from './type-state.ts';
import { decodeDelta, decodeSotw, encodeDelta, encodeSotw, type Incoming } from './wire.ts';

/** One of the two forms of the protocol. */
export interface Variant<H extends Held, Request> {
  readonly delta: boolean;
  readonly step: StepFunction<H, Request>;
  readonly decode: (bytes: Uint8Array) => Incoming<Request>;
  readonly encode: (response: Response, identifier: string) => Buffer;
}

/** State of the world. */
export const SOTW: Variant<XdsResource, SotwRequest> = {
  delta: false,
  step: stepSotw,
  decode: decodeSotw,
  encode: encodeSotw,
};

/** Delta. */
export const DELTA: Variant<Held, DeltaRequest> = {
  delta: true,
  step: stepDelta,
  decode: decodeDelta,
  encode: encodeDelta,
};
