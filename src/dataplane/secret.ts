import { dirname } from 'node:path';
import { envoy } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import type { Certificate } from '../model/listener.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { PUBLIC } from './contract.ts';
import { resource } from './encode.ts';

const { Secret } = envoy.extensions.transport_sockets.tls.v3;

type TlsCertificate = envoy.extensions.transport_sockets.tls.v3.TlsCertificate.$Properties;

/** The public listener's certificate. */
export function publicSecret(certificate: Certificate): EncodedResource {
  return resource(Secret, PUBLIC, { name: PUBLIC, tlsCertificate: tlsCertificate(certificate) });
}

function tlsCertificate(certificate: Certificate): TlsCertificate {
  const { kind, cert, key } = certificate;
  switch (kind) {
    // Envoy reads the files, and both together again once something was moved into their folder, as Kubernetes and ACME
    // clients do.
    case 'files':
      return {
        certificateChain: { filename: cert },
        privateKey: { filename: key },
        watchedDirectory: { path: dirname(cert) },
      };
    // What the files held when they were last read and found to be good: Envoy need not reach them.
    case 'inline':
      return { certificateChain: { inlineString: cert }, privateKey: { inlineString: key } };
    default:
      return assertNever(kind);
  }
}
