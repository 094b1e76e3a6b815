import { type InlineCertificate, tlsCertificate } from '../objects/certificate.ts';
import { type Finding, fails, holds } from '../objects/condition.ts';
import { keyOf, type Objects } from '../objects/object.ts';
import { type Gateway, GROUP, REFERENCE_GRANTS } from './objects.ts';
import { isGranted } from './references.ts';

/** What the pods of a Service are shown. */
export type ShownToPods =
  | { readonly kind: 'shown'; readonly certificate: InlineCertificate | undefined }
  /** Its Gateways do not agree, so nothing is shown: none of them may lend its certificate to another one. */
  | { readonly kind: 'torn'; readonly message: string };

/** The certificates that Gateways show to pods that are spoken to by TLS (`spec.tls.backend`). */
export class PodCertificates {
  readonly #read: ReadonlyMap<Gateway, InlineCertificate | Finding>;

  constructor(gateways: readonly Gateway[], objects: Objects) {
    this.#read = new Map(
      gateways.flatMap((gateway) => {
        const read = readCertificate(gateway, objects);
        return read === undefined ? [] : [[gateway, read] as const];
      }),
    );
  }

  /** What a Gateway is told; undefined: it has none. */
  findingOf(gateway: Gateway): Finding | undefined {
    const read = this.#read.get(gateway);
    return read === undefined || isFinding(read) ? read : holds('ResolvedRefs', 'ResolvedRefs');
  }

  /** What pods that these Gateways lead to are shown: a Service is one service with one queue, whoever leads to it. */
  shownBy(gateways: readonly Gateway[]): ShownToPods {
    // Nearly always nobody has one.
    if (this.#read.size === 0) return { kind: 'shown', certificate: undefined };
    const certificates = new Set(gateways.map((gateway) => this.#certificateOf(gateway)));
    const [certificate] = certificates;
    if (certificates.size <= 1) return { kind: 'shown', certificate };
    const names = gateways.map(({ metadata }) => keyOf(metadata)).join(' and ');
    const message = `its pods are shown no certificate, for the Gateways ${names} lead to it and do not have the same clientCertificateRef`;
    return { kind: 'torn', message };
  }

  #certificateOf(gateway: Gateway): InlineCertificate | undefined {
    const read = this.#read.get(gateway);
    return read === undefined || isFinding(read) ? undefined : read;
  }
}

function isFinding(read: InlineCertificate | Finding): read is Finding {
  return 'reason' in read;
}

function readCertificate({ metadata, spec }: Gateway, objects: Objects): InlineCertificate | Finding | undefined {
  const ref = spec.tls?.backend?.clientCertificateRef;
  if (ref === undefined) return undefined;
  const own = metadata.namespace ?? '';
  const { group = '', kind = 'Secret', name, namespace = own } = ref;
  const invalid = (message: string) => fails('ResolvedRefs', 'InvalidClientCertificateRef', message);
  if (group !== '' || kind !== 'Secret') return invalid(`tls.backend: ${kind} ${name} is no Secret`);
  const from = { group: GROUP, kind: 'Gateway', namespace: own };
  if (!isGranted(from, { group, kind, name, namespace }, objects.all(REFERENCE_GRANTS))) {
    const message = `tls.backend: no ReferenceGrant in namespace ${namespace} lets a Gateway of ${own} use Secret ${name}`;
    return fails('ResolvedRefs', 'RefNotPermitted', message);
  }
  const read = tlsCertificate(objects, keyOf({ namespace, name }));
  return typeof read === 'string' ? invalid(`tls.backend: ${read}`) : read;
}
