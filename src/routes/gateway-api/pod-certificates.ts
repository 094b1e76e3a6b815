import type { InlineCertificate } from '../objects/certificate.ts';
import { type Finding, fails, holds } from '../objects/condition.ts';
import { keyOf, type Objects } from '../objects/object.ts';
import type { Gateway } from './objects.ts';
import { secretCertificate } from './references.ts';

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

function readCertificate(gateway: Gateway, objects: Objects): InlineCertificate | Finding | undefined {
  const ref = gateway.spec.tls?.backend?.clientCertificateRef;
  if (ref === undefined) return undefined;
  const read = secretCertificate({ kind: 'Gateway', object: gateway }, ref, objects);
  if (!('refusal' in read)) return read;
  const reason = read.refusal === 'not permitted' ? 'RefNotPermitted' : 'InvalidClientCertificateRef';
  return fails('ResolvedRefs', reason, `tls.backend: ${read.message}`);
}
