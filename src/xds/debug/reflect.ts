import { type FileRegistry, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { status } from '@grpc/grpc-js';
import { descriptors } from './descriptors.ts';
import { HEALTH_FILE, healthFile } from './health-file.ts';

/** What may be asked: the field numbers of `ServerReflectionRequest`. */
const FILE_BY_FILENAME = 3;
const FILE_CONTAINING_SYMBOL = 4;
const LIST_SERVICES = 7;

/** Field numbers of `ServerReflectionResponse`. */
const ORIGINAL_REQUEST = 2;
const FILE_DESCRIPTOR_RESPONSE = 4;
const LIST_SERVICES_RESPONSE = 6;
const ERROR_RESPONSE = 7;

interface Question {
  readonly field: number;
  readonly text: string;
}

/** The encoded answer to an encoded `ServerReflectionRequest`. Throws on bytes that are not one. */
export function reflect(request: Buffer, services: readonly string[]): Buffer {
  const question = read(request);
  const writer = new BinaryWriter().tag(ORIGINAL_REQUEST, WireType.LengthDelimited).bytes(request);
  if (question.field === LIST_SERVICES) {
    writer.tag(LIST_SERVICES_RESPONSE, WireType.LengthDelimited).fork();
    // What is listed can also be asked for.
    for (const name of services.filter((service) => findFile({ field: FILE_CONTAINING_SYMBOL, text: service })))
      writer.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(name).join();
    return Buffer.from(writer.join().finish());
  }
  const file = findFile(question);
  if (file === undefined) {
    writer.tag(ERROR_RESPONSE, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int32(status.NOT_FOUND);
    writer.tag(2, WireType.LengthDelimited).string(`there is no ${question.text}`);
  } else {
    writer.tag(FILE_DESCRIPTOR_RESPONSE, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).bytes(file);
  }
  return Buffer.from(writer.join().finish());
}

/** The last of the alternatives in a request, as protobuf has it. */
function read(request: Uint8Array): Question {
  const reader = new BinaryReader(request);
  let question: Question = { field: 0, text: 'such question' };
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const isText =
      type === WireType.LengthDelimited && [FILE_BY_FILENAME, FILE_CONTAINING_SYMBOL, LIST_SERVICES].includes(field);
    if (isText) question = { field, text: reader.string() };
    else reader.skip(type);
  }
  return question;
}

function findFile({ field, text }: Question): Uint8Array | undefined {
  if (field === FILE_BY_FILENAME ? text === HEALTH_FILE : /^grpc\.health\.v1\./.test(text)) return healthFile(text);
  const registry = descriptors();
  const file = field === FILE_BY_FILENAME ? registry.getFile(text) : fileOfSymbol(registry, text);
  return file && toBinary(FileDescriptorProtoSchema, file.proto);
}

/** Messages, enums, services and extensions are found by name; fields and methods by what they belong to. */
function fileOfSymbol(registry: FileRegistry, symbol: string): ReturnType<FileRegistry['getFile']> {
  for (let name = symbol; name.includes('.'); name = name.slice(0, name.lastIndexOf('.'))) {
    const found = registry.get(name);
    if (found !== undefined) return found.file;
  }
  return undefined;
}
