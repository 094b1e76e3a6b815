import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { rawMethod } from '../../../src/base/raw-method.ts';
import { useWorld } from './world.ts';

// A service of which there is no description is served, and not listed.
const world = useWorld({
  extraServices: [{ definition: { Ask: rawMethod('/sluice.unknown.v1.Service/Ask', 'neither') }, implementation: {} }],
});
const [BY_FILENAME, BY_SYMBOL, LIST] = [3, 4, 7];
const [FILES, SERVICES, ERROR] = [4, 6, 7];

function question(field: number, text: string): Buffer {
  return Buffer.from(new BinaryWriter().tag(field, WireType.LengthDelimited).string(text).finish());
}

/** The fields of a message that are messages or texts themselves. */
function fields(message: Uint8Array): readonly (readonly [number, Uint8Array])[] {
  const reader = new BinaryReader(message);
  const found: [number, Uint8Array][] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited) found.push([field, reader.bytes()]);
    else reader.skip(type);
  }
  return found;
}

const only = (message: Uint8Array, wanted: number) =>
  fields(message).flatMap(([field, bytes]) => (field === wanted ? [bytes] : []));

test.each(['v1', 'v1alpha'])('%s lists the services, and gives the file of each', async (version) => {
  const stream = world().client().raw(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);
  stream.send(question(LIST, '*'));
  const [list] = only(await stream.next(), SERVICES);
  const names = only(list ?? new Uint8Array(), 1).map((service) => Buffer.from(only(service, 1)[0] ?? '').toString());
  expect(names).toContain('envoy.service.discovery.v3.AggregatedDiscoveryService');
  expect(names).toContain('envoy.service.status.v3.ClientStatusDiscoveryService');
  expect(names).toContain('grpc.health.v1.Health');
  expect(names).not.toContain('sluice.unknown.v1.Service');
  for (const name of names) {
    stream.send(question(BY_SYMBOL, name));
    const [files] = only(await stream.next(), FILES);
    const file = fromBinary(FileDescriptorProtoSchema, only(files ?? new Uint8Array(), 1)[0] ?? new Uint8Array());
    expect(file.service.map((service) => `${file.package}.${service.name}`)).toContain(name);
    const [dependency = file.name] = file.dependency;
    stream.send(question(BY_FILENAME, dependency));
    const [found] = only(await stream.next(), FILES);
    expect(fromBinary(FileDescriptorProtoSchema, only(found ?? new Uint8Array(), 1)[0] ?? new Uint8Array()).name).toBe(
      dependency,
    );
  }
  stream.halfClose();
  expect(await stream.end()).toMatchObject({ code: status.OK });
});

test('a method is found by its service; what nobody knows is said to be unknown', async () => {
  const stream = world().client().raw('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
  stream.send(question(BY_SYMBOL, 'envoy.service.extension.v3.ExtensionConfigDiscoveryService.StreamExtensionConfigs'));
  expect(only(await stream.next(), FILES)).toHaveLength(1);
  for (const [field, text] of [
    [BY_SYMBOL, 'no.such.Thing'],
    [BY_FILENAME, 'no/such.proto'],
    [6, 'extensions'],
  ] as const) {
    stream.send(question(field, text));
    expect(only(await stream.next(), ERROR)).toHaveLength(1);
  }
  const gone = world().client().raw('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
  gone.send(question(LIST, ''));
  await gone.next();
  gone.cancel();
  stream.send(Buffer.from([0xff]));
  expect(await stream.end()).toMatchObject({ code: status.INVALID_ARGUMENT });
});
