import { readFileSync } from 'node:fs';
import { createFileRegistry, type FileRegistry, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { EncodedResource } from '../../snapshot/resource.ts';

let registry: FileRegistry | undefined;

/** Descriptors of all messages that are served, read from gen/ on first use (50 ms). */
export function descriptors(): FileRegistry {
  if (registry === undefined) {
    const bytes = readFileSync(new URL('../../../gen/xds.binpb', import.meta.url));
    registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
  }
  return registry;
}

/**
 * A resource in protobuf's JSON form with Envoy's own field names: what stands in Envoy's documentation, and
 * what Envoy takes in a static configuration. Throws on bytes that are no such message.
 */
export function describeResource({ typeUrl, body }: EncodedResource): { [key: string]: JsonValue } {
  const registry = descriptors();
  const schema = registry.getMessage(typeUrl.slice(typeUrl.indexOf('/') + 1));
  if (schema === undefined) throw new Error(`no descriptor for ${typeUrl}`);
  const json = toJson(schema, fromBinary(schema, body), { registry, useProtoFieldName: true });
  // A message's JSON form is an object, but for the well-known types, which are never resources.
  return typeFirst({ '@type': typeUrl, ...(json as { [key: string]: JsonValue }) });
}

/** Puts every `@type` in front, where readers look for it. */
function typeFirst(object: { [key: string]: JsonValue }): { [key: string]: JsonValue } {
  const { '@type': type, ...others } = object;
  const fields = Object.entries(others).map(([key, value]) => [key, typeFirstInside(value)]);
  return { ...(type === undefined ? {} : { '@type': type }), ...Object.fromEntries(fields) };
}

function typeFirstInside(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(typeFirstInside);
  return typeof value === 'object' && value !== null ? typeFirst(value) : value;
}
