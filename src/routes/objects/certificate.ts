import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Certificate } from '../../model/listener.ts';
import type { SecretObject } from './core.ts';
import { keyOf } from './object.ts';

type InlineCertificate = Extract<Certificate, { readonly kind: 'inline' }>;

/** The certificate in a Secret, or what is wrong with it. */
export function readCertificate({ metadata, data = {} }: SecretObject): InlineCertificate | string {
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
