import { createPrivateKey, X509Certificate } from 'node:crypto';
import { remember } from '../../base/remember.ts';
import type { Certificate } from '../../model/listener.ts';
import { SECRETS, type SecretObject } from './core.ts';
import { keyOf, type Objects } from './object.ts';

/** A certificate whose texts are known. */
export type InlineCertificate = Extract<Certificate, { readonly kind: 'inline' }>;

/** Secrets as they were read before: with a thousand of them, one that changes is read. */
const known = new WeakMap<SecretObject, InlineCertificate | string>();

/** The certificate in the Secret `namespace/name`, or why there is none. */
export function tlsCertificate(objects: Objects, key: string): InlineCertificate | string {
  const [namespace = '', name = ''] = key.split('/');
  const secret = objects.get(SECRETS, namespace, name);
  if (secret === undefined) return `there is no Secret ${key} of type kubernetes.io/tls`;
  const found = remember(known, secret, readCertificate);
  return typeof found === 'string' ? `Secret ${key}: ${found}` : found;
}

function readCertificate({ metadata, data = {} }: SecretObject): InlineCertificate | string {
  const cert = Buffer.from(data['tls.crt'] ?? '', 'base64').toString('utf8');
  const key = Buffer.from(data['tls.key'] ?? '', 'base64').toString('utf8');
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
      return 'tls.key is not the private key of the certificate in tls.crt';
    }
  } catch {
    return 'tls.crt and tls.key are not a PEM certificate and its private key';
  }
  return { kind: 'inline', name: keyOf(metadata), cert, key };
}
