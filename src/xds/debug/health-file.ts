import { create, createFileRegistry, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';

/** What gRPC's health service calls its file. */
export const HEALTH_FILE = 'grpc/health/v1/health.proto';

const PACKAGE = 'grpc.health.v1';

const label = FieldDescriptorProto_Label.OPTIONAL;

/** Google's health.proto, of which the server speaks Check and Watch. */
const FILE = create(FileDescriptorProtoSchema, {
  name: HEALTH_FILE,
  package: PACKAGE,
  syntax: 'proto3',
  messageType: [
    {
      name: 'HealthCheckRequest',
      field: [{ name: 'service', number: 1, label, type: FieldDescriptorProto_Type.STRING, jsonName: 'service' }],
    },
    {
      name: 'HealthCheckResponse',
      field: [
        {
          name: 'status',
          number: 1,
          label,
          type: FieldDescriptorProto_Type.ENUM,
          typeName: `.${PACKAGE}.HealthCheckResponse.ServingStatus`,
          jsonName: 'status',
        },
      ],
      enumType: [
        {
          name: 'ServingStatus',
          value: ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'].map((name, number) => ({ name, number })),
        },
      ],
    },
  ],
  service: [
    {
      name: 'Health',
      method: ['Check', 'Watch'].map((name) => ({
        name,
        inputType: `.${PACKAGE}.HealthCheckRequest`,
        outputType: `.${PACKAGE}.HealthCheckResponse`,
        serverStreaming: name === 'Watch',
      })),
    },
  ],
});

/** The encoded file, if `asked` is its name or something in it. */
export function healthFile(asked: string): Uint8Array | undefined {
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [FILE] }));
  // Methods, fields and values are found by what they belong to.
  const parent = asked.slice(0, asked.lastIndexOf('.'));
  const known = asked === HEALTH_FILE || [asked, parent].some((name) => registry.get(name) !== undefined);
  return known ? toBinary(FileDescriptorProtoSchema, FILE) : undefined;
}
