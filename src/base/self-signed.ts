import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A certificate and its key, in PEM. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

/** Between these moments it is valid, in milliseconds since the epoch. */
export interface Validity {
  readonly from: number;
  readonly to: number;
}

/**
 * Makes a certificate for a DNS name that is signed with its own key (X.509 version 3, P-256): an authority for itself, for servers
 * and clients that all have this pair.
 */
export function selfSigned(name: string, { from, to }: Validity): CertificatePair {
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const subject = sequence(set(sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name, 'utf8')))));
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const content = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(serialNumber()),
    algorithm,
    subject,
    sequence(time(from), time(to)),
    subject,
    createPublicKey(pair.publicKey).export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(name))),
  );
  const signature = sign('sha256', content, createPrivateKey(pair.privateKey));
  const bytes = sequence(content, algorithm, bits(0, signature));
  const lines = bytes.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: pair.privateKey,
  };
}

const TRUE = Buffer.of(0x01, 0x01, 0xff);

function extensions(name: string): readonly Buffer[] {
  const critical = (id: string, value: Buffer) => sequence(oid(id), TRUE, der(0x04, value));
  const plain = (id: string, value: Buffer) => sequence(oid(id), der(0x04, value));
  return [
    // It signs, as an authority, what it is itself.
    critical('2.5.29.19', sequence(TRUE)),
    // digitalSignature and keyCertSign.
    critical('2.5.29.15', bits(2, Buffer.of(0b1000_0100))),
    // serverAuth and clientAuth.
    plain('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))),
    plain('2.5.29.17', sequence(der(0x82, Buffer.from(name, 'latin1')))),
  ];
}

/** A value of ASN.1 as DER has it: what it is, how long it is, what it says. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), lengthOf(content), content]);
}

function lengthOf({ length }: Buffer): Buffer {
  if (length < 0x80) return Buffer.of(length);
  return length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function set(...parts: readonly Buffer[]): Buffer {
  return der(0x31, ...parts);
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes);
}

/** `unused`: so many of the last bits say nothing. */
function bits(unused: number, bytes: Buffer): Buffer {
  return der(0x03, Buffer.of(unused), bytes);
}

/** An object identifier: its first two numbers share a byte, the others have seven bits in each. */
function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(number: number): readonly number[] {
  const bytes = [number & 0x7f];
  for (let left = number >> 7; left > 0; left >>= 7) bytes.unshift((left & 0x7f) | 0x80);
  return bytes;
}

/** Years from 2050 on are written with four digits. */
function time(at: number): Buffer {
  const text = new Date(at)
    .toISOString()
    .replace(/\.\d+Z/, 'Z')
    .replace(/[-T:]/g, '');
  return text < '2050' ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

/** Positive, and without a leading zero. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}
