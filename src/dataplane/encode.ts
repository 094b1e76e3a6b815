import type { google } from '#xds';
import type { Millis } from '../base/duration.ts';
import { type EncodedResource, TYPE_URLS, type TypeUrl } from '../snapshot/resource.ts';

/** The part of a generated message class that encoding needs. `shared`: what was written itself, and not a copy of it. */
interface MessageClass<Properties> {
  encode(message: Properties): { finish(shared: true): Uint8Array };
  getTypeUrl(prefix?: string): string;
}

/** A message inside an `Any`, under its own type URL. */
export function pack<P>(message: MessageClass<P>, properties: P): google.protobuf.Any.$Properties {
  return { typeUrl: message.getTypeUrl(), value: message.encode(properties).finish(true) };
}

/** A named extension, as Envoy's `TypedExtensionConfig` and filters have them. */
export function extension<P>(name: string, message: MessageClass<P>, properties: P) {
  return { name, typedConfig: pack(message, properties) };
}

/** A resource as it goes over the wire. Throws when the class is not of a served type: a bug. */
export function resource<P>(message: MessageClass<P>, name: string, properties: P): EncodedResource {
  const typeUrl = message.getTypeUrl();
  if (!isServed(typeUrl)) throw new Error(`${typeUrl} is not a type that is served`);
  // A copy of its own: small bodies come out of Node's pool, and each that is kept would keep 64 KiB of it.
  return { typeUrl, name, body: new Uint8Array(message.encode(properties).finish(true)) };
}

function isServed(typeUrl: string): typeUrl is TypeUrl {
  return Object.values<string>(TYPE_URLS).includes(typeUrl);
}

/**
 * Encoded messages of one type as one message, with the fields of all of them: so protobuf reads them when they follow
 * one another ("Encoding", last one wins). What many messages have in common need not be encoded for each.
 */
export function merged(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** An encoded message as field `number` of another one: tag, length, and the message itself (wire type 2). */
export function field(number: number, message: Uint8Array): readonly Uint8Array[] {
  return [Uint8Array.from([...varint(number * 8 + 2), ...varint(message.length)]), message];
}

function varint(value: number): readonly number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

/** A resource whose encoded form is there already. See `resource`. */
export function encodedResource<P>(message: MessageClass<P>, name: string, body: Uint8Array): EncodedResource {
  const typeUrl = message.getTypeUrl();
  if (!isServed(typeUrl)) throw new Error(`${typeUrl} is not a type that is served`);
  return { typeUrl, name, body };
}

/** Milliseconds as a protobuf duration. */
export function duration(ms: Millis | number): google.protobuf.Duration.$Properties {
  return { seconds: Math.floor(ms / 1000), nanos: Math.round((ms % 1000) * 1e6) };
}

/** Fields that tell "unset" from their zero value have a message around them. */
export function wrap<T>(value: T): { value: T } {
  return { value };
}

/** A JSON-like object as a protobuf struct, with its keys sorted: their order is part of the bytes. */
export function struct(
  object: Readonly<Record<string, string | number | boolean>>,
): google.protobuf.Struct.$Properties {
  const fields: Record<string, google.protobuf.Value.$Properties> = {};
  for (const [key, value] of Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))) {
    fields[key] = scalar(value);
  }
  return { fields };
}

function scalar(value: string | number | boolean): google.protobuf.Value.$Properties {
  switch (typeof value) {
    case 'string':
      return { stringValue: value };
    case 'number':
      return { numberValue: value };
    case 'boolean':
      return { boolValue: value };
  }
}
