import { dirname } from 'node:path';
import { envoy } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import type { Certificate } from '../model/listener.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { certificateName } from './contract.ts';
import { resource } from './encode.ts';

const { Secret } = envoy.extensions.transport_sockets.tls.v3;

/** A certificate of a listener, or one that pods are shown. */
export function certificateSecret(certificate: Certificate): EncodedResource {
  const name = certificateName(certificate);
  return resource(Secret, name, { name, tlsCertificate: tlsCertificate(certificate) });
}

function tlsCertificate(
  certificate: Certificate,
): envoy.extensions.transport_sockets.tls.v3.TlsCertificate.$Properties {
  switch (certificate.kind) {
    case 'files':
      // Envoy reads the files, and reads them again when their folder changes.
      return {
        certificateChain: { filename: certificate.cert },
        privateKey: { filename: certificate.key },
        // Both are read together once something was moved into this folder, as Kubernetes and ACME clients do.
        watchedDirectory: { path: dirname(certificate.cert) },
      };
    case 'inline':
      return {
        certificateChain: { inlineString: certificate.cert },
        privateKey: { inlineString: certificate.key },
      };
    default:
      return assertNever(certificate);
  }
}
