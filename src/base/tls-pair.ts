import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { reasonOf } from './reason.ts';

/** A certificate with its chain, and its private key, as PEM texts, and what to call the two in messages. */
export interface TlsPair {
  readonly certificate: string;
  readonly key: string;
  readonly names: { readonly certificate: string; readonly key: string };
}

/** What is wrong with a pair, each with what to do. */
export interface PairFault {
  readonly of: 'certificate' | 'key';
  readonly message: string;
  readonly fix: string;
}

/** What was found out about a pair. */
export interface PairCheck {
  /** What keeps TLS from working at all. */
  readonly errors: readonly PairFault[];
  /** What clients will refuse, today or soon. */
  readonly warnings: readonly PairFault[];
}

const SOON_MS = 7 * 24 * 3_600_000;

/** Smaller ones Envoy refuses. */
const SMALLEST_RSA = 2048;

const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** Whether Envoy can serve TLS with this pair; `now` is in milliseconds since the epoch. */
export function checkPair({ certificate, key, names }: TlsPair, now: number): PairCheck {
  const chain = readChain(certificate);
  const read = readKey(key);
  const errors = [
    ...(chain.fault === undefined ? [] : [{ of: 'certificate' as const, ...chain.fault }]),
    ...('fault' in read ? [{ of: 'key' as const, ...read.fault }] : keyFaults(read.key)),
  ];
  const [leaf] = chain.certificates;
  if (leaf === undefined || 'fault' in read || errors.length > 0) return { errors, warnings: [] };
  if (!leaf.checkPrivateKey(read.key)) {
    const message = `is not the key of the certificate in ${names.certificate}`;
    const place = chain.certificates.findIndex((other) => other.checkPrivateKey(read.key));
    const fix =
      place > 0
        ? 'put the certificate of this key first in its file: those that signed it follow'
        : 'name the two that belong together';
    return { errors: [{ of: 'key', message, fix }], warnings: [] };
  }
  return { errors: [], warnings: validity(leaf, now) };
}

interface Fault {
  readonly message: string;
  readonly fix: string;
}

function readChain(pem: string): { readonly certificates: readonly X509Certificate[]; readonly fault?: Fault } {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const fix = 'write PEM: -----BEGIN CERTIFICATE----- and what follows';
  if (blocks.length === 0) {
    const isKey = pem.includes('PRIVATE KEY-----');
    const message = isKey ? 'holds a private key and no certificate' : 'holds no certificate in PEM form';
    return { certificates: [], fault: { message, fix: isKey ? 'are the two files swapped?' : fix } };
  }
  const certificates: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(block));
    } catch (error) {
      return {
        certificates,
        fault: { message: `certificate ${index + 1} in it cannot be read: ${reasonOf(error)}`, fix },
      };
    }
  }
  return { certificates };
}

function readKey(pem: string): { readonly key: KeyObject } | { readonly fault: Fault } {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(pem)) {
    const fix = 'store it without a passphrase (openssl pkey -in KEY -out KEY), readable by Sluice alone';
    return { fault: { message: 'the key is encrypted, and nobody is there to give the passphrase', fix } };
  }
  try {
    return { key: createPrivateKey(pem) };
  } catch (error) {
    const isCertificate = pem.includes('-----BEGIN CERTIFICATE-----') && !pem.includes('PRIVATE KEY-----');
    const message = isCertificate
      ? 'holds a certificate and no private key'
      : `holds no private key in PEM form (${reasonOf(error)})`;
    const fix = isCertificate
      ? 'are the two files swapped?'
      : 'write PEM: -----BEGIN PRIVATE KEY----- and what follows';
    return { fault: { message, fix } };
  }
}

/** Envoy takes RSA and the three curves of NIST. */
function keyFaults({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): readonly PairFault[] {
  const fix = 'use a key of RSA with 2048 bits or more, or of ECDSA with P-256';
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    if (bits >= SMALLEST_RSA) return [];
    return [{ of: 'key', message: `an RSA key of ${bits} bits is too small for Envoy`, fix }];
  }
  if (type === 'ec' && CURVES.has(details?.namedCurve ?? '')) return [];
  return [{ of: 'key', message: `Envoy serves no TLS with a key of ${details?.namedCurve ?? type}`, fix }];
}

function validity({ validFrom, validTo }: X509Certificate, now: number): readonly PairFault[] {
  const of = 'certificate';
  const fix = 'renew it: clients refuse it';
  if (Date.parse(validTo) < now) return [{ of, message: `expired on ${validTo}`, fix }];
  if (Date.parse(validFrom) > now) return [{ of, message: `is not valid before ${validFrom}`, fix }];
  if (Date.parse(validTo) - now < SOON_MS) return [{ of, message: `expires on ${validTo}`, fix: 'renew it soon' }];
  return [];
}
