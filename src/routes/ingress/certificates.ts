import { X509Certificate } from 'node:crypto';
import { remember } from '../../base/remember.ts';
import type { Certificate } from '../../model/listener.ts';
import { type InlineCertificate, tlsCertificate } from '../objects/certificate.ts';
import { keyOf, type Objects } from '../objects/object.ts';
import type { Remarks } from '../objects/remark.ts';
import type { IngressTls } from './read.ts';

/** For whom certificates are, as it was read before: with a thousand of them, one that changes is read. */
export type ReadCertificates = WeakMap<InlineCertificate, X509Certificate>;

/** The certificates that clients are shown; of several Envoy takes the one for the name that a client asks for. */
export class IngressCertificates {
  readonly #objects: Objects;
  readonly #memory: ReadCertificates;
  readonly #all = new Map<string, Certificate>();
  /** Whether there is one for those who ask for a name that no other one has. */
  readonly hasDefault: boolean;

  /** `byDefault`: `namespace/name` of the Secret for clients that ask for no known name. */
  constructor(objects: Objects, memory: ReadCertificates, byDefault: string | undefined) {
    this.#objects = objects;
    this.#memory = memory;
    const found = byDefault === undefined ? undefined : tlsCertificate(objects, byDefault);
    this.hasDefault = typeof found === 'object';
    if (typeof found === 'object') this.#all.set(found.name, found);
  }

  /** The default one first, then as Ingresses named them. */
  get all(): readonly Certificate[] {
    return [...this.#all.values()];
  }

  /** The hosts for which an Ingress has a certificate; `undefined` among them: every host. What is wrong is told. */
  hostsOf(tls: readonly IngressTls[], namespace: string, remarks: Remarks): ReadonlySet<string | undefined> {
    return new Set(
      tls.flatMap((one): readonly (string | undefined)[] => {
        const hosts = one.hosts.length === 0 ? [undefined] : one.hosts;
        if (one.secret === undefined) {
          if (this.hasDefault) return hosts;
          const fix = 'write secretName, or start Sluice with --ingress-certificate';
          remarks.refuse(one.place, 'TLS without secretName: there is no default certificate', fix);
          return [];
        }
        const key = keyOf({ namespace, name: one.secret });
        const found = tlsCertificate(this.#objects, key);
        if (typeof found === 'string') {
          remarks.refuse(one.place, found, 'make a Secret of type kubernetes.io/tls with tls.crt and tls.key');
          return this.hasDefault ? hosts : [];
        }
        this.#all.set(found.name, found);
        const x509 = remember(this.#memory, found, ({ cert }) => new X509Certificate(cert));
        const others = one.hosts.filter((host) => !isFor(x509, host));
        if (others.length > 0) {
          const fix = `clients that ask for it get another certificate; have it made for ${others.join(', ')}`;
          remarks.refuse(one.place, `the certificate in Secret ${key} is not for ${others.join(', ')}`, fix);
        }
        return hosts;
      }),
    );
  }
}

function isFor(certificate: X509Certificate, host: string): boolean {
  // Any name that the wildcard takes.
  return certificate.checkHost(host.replace(/^\*\./, 'any.')) !== undefined;
}
