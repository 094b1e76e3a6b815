import { dirname } from 'node:path';
import { envoy } from '#xds';
import type { EncodedResource } from '../snapshot/resource.ts';
import { PUBLIC } from './contract.ts';
import { resource } from './encode.ts';

const { Secret } = envoy.extensions.transport_sockets.tls.v3;

/** The public listener's certificate: Envoy reads the files, and reads them again when their folder changes. */
export function publicSecret({ cert, key }: { readonly cert: string; readonly key: string }): EncodedResource {
  return resource(Secret, PUBLIC, {
    name: PUBLIC,
    tlsCertificate: {
      certificateChain: { filename: cert },
      privateKey: { filename: key },
      // Both are read together once something was moved into this folder, as Kubernetes and ACME clients do.
      watchedDirectory: { path: dirname(cert) },
    },
  });
}
