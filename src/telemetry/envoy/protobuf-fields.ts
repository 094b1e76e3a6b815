import protobuf from 'protobufjs/minimal.js';

/** Reads a message of protobuf's wire format from its beginning. */
export type Reader = protobuf.Reader;

/** Reads the field with this number if it wants it, and says so. */
export type Field = (number: number, reader: Reader) => boolean;

/** Reads all of `bytes`, field by field; those that nobody wants are skipped. Throws on what is no message. */
export function readMessage(bytes: Uint8Array, field: Field): void {
  const reader = protobuf.Reader.create(bytes);
  readFields(reader, reader.len, field);
}

/** Reads a message inside a message: its length comes first. */
export function readInner(reader: Reader, field: Field): true {
  const length = reader.uint32();
  readFields(reader, reader.pos + length, field);
  return true;
}

function readFields(reader: Reader, end: number, field: Field): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (!field(tag >>> 3, reader)) reader.skipType(tag & 7);
  }
}

/** The tag of a field of variable length: a string, bytes or a message. */
export function bytesField(number: number): number {
  return (number << 3) | 2;
}

/** The tag of a field that is a varint: a number, a boolean or an enum. */
export function varintField(number: number): number {
  return number << 3;
}

/** Where the message inside a message ends that begins here with its length. */
export function endOf(reader: Reader): number {
  const length = reader.uint32();
  return reader.pos + length;
}
