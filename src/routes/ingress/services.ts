import type { Backend } from '../../model/route.ts';
import type { PodTls, ServiceName } from '../../model/service.ts';
import { tlsCertificate } from '../objects/certificate.ts';
import { SECRETS, SERVICES, type SecretObject, type ServiceObject, type ServicePort } from '../objects/core.ts';
import { keyOf, type Objects } from '../objects/object.ts';
import { appProtocolOf, externalFault, type ObjectServices, serviceNameOf } from '../objects/object-services.ts';
import type { Remarks } from '../objects/remark.ts';
import type { Words } from '../objects/service-settings.ts';
import type { IngressSettings, PodTlsSaid } from './annotations.ts';
import type { IngressBackend } from './read.ts';

/** Who leads to a Service, and what it says of it. */
export interface IngressLead {
  /** `Ingress shop/web` */
  readonly subject: string;
  readonly namespace: string;
  readonly settings: IngressSettings;
  /** What its annotations say of its Services; undefined: nothing that can be read. */
  readonly words: Words | undefined;
  readonly remarks: Remarks;
}

/** Leads Ingresses to Services: of two that say different things of one port the older counts. */
export class IngressServices {
  readonly #objects: Objects;
  readonly #services: ObjectServices;
  readonly #said = new Map<string, { readonly subject: string; readonly key: string }>();

  constructor(objects: Objects, services: ObjectServices) {
    this.#objects = objects;
    this.#services = services;
  }

  /** To whom a backend leads; what keeps it from leading to anybody is told. */
  lead(backend: IngressBackend, from: IngressLead, weight: number): Backend {
    const { namespace, remarks } = from;
    const missing: Backend = { kind: 'missing', weight };
    const refuse = (message: string): Backend => {
      remarks.refuse(backend.place, message, 'until then its requests are answered with 500');
      return missing;
    };
    const key = keyOf({ namespace, name: backend.service });
    const object = this.#objects.get(SERVICES, namespace, backend.service);
    if (object === undefined) return refuse(`there is no Service ${key}`);
    const external = externalFault(object);
    if (external !== undefined) return refuse(external);
    const port = portOf(object, backend.port);
    if (port === undefined) {
      const known = (object.spec?.ports ?? []).map(
        (one) => `${one.port}${one.name === undefined ? '' : ` (${one.name})`}`,
      );
      return refuse(`Service ${key} has no TCP port ${backend.port}; it has ${known.join(', ') || 'none'}`);
    }
    const tls = this.#tls(from);
    if (typeof tls === 'string') return refuse(tls);
    const said = appProtocolOf(port);
    const made = this.#services.make({
      object,
      port,
      words: from.words,
      protocol: said?.protocol,
      tls: tls ?? (said?.tls === true && from.words?.keys['protocol'] === undefined ? UNCHECKED : undefined),
    });
    if (made.kind !== 'made') return refuse(made.message);
    this.#compare(serviceNameOf(namespace, backend.service, port.port), from);
    return { kind: 'service', service: made.service.name, weight };
  }

  #compare(name: ServiceName, { subject, settings, words, remarks }: IngressLead): void {
    const key = JSON.stringify([words?.keys, settings.tls?.name, settings.tls?.verify, settings.tls?.secret?.value]);
    const before = this.#said.get(name);
    if (before === undefined) this.#said.set(name, { subject, key });
    const place = [...settings.places.values()][0];
    if (before === undefined || before.key === key || words === undefined || place === undefined) return;
    const message = `${before.subject} is older and says something else of the pods of ${name}, which counts`;
    remarks.refuse(place, message, 'write the same annotations at both, or those of sluice.dev at the Service');
  }

  /** Undefined: in the clear, as far as the Ingress says. A text: why they cannot be spoken to. */
  #tls({ settings: { tls }, namespace }: IngressLead): PodTls | string | undefined {
    if (tls === undefined) return undefined;
    const shown = this.#shown(tls, namespace);
    if (typeof shown === 'string') return shown;
    const asked = { ...(tls.name !== undefined && { serverName: tls.name }), ...shown };
    if (!tls.verify) return { ...UNCHECKED, ...asked };
    const names = tls.name === undefined ? [] : [{ kind: 'dns' as const, value: tls.name }];
    if (tls.secret === undefined) return { ...asked, authorities: { kind: 'system' }, names };
    const pem = textIn(this.#secret(tls, namespace), 'ca.crt');
    return pem === ''
      ? `there is no Secret ${tls.secret.value} of type kubernetes.io/tls with ca.crt, to check the pods by`
      : { ...asked, authorities: { kind: 'pem', pem }, names };
  }

  /** What pods are shown; a text: why it cannot be had. */
  #shown(tls: PodTlsSaid, own: string): Pick<PodTls, 'certificate'> | string {
    if (tls.secret === undefined) return {};
    const secret = this.#secret(tls, own);
    if (secret === undefined)
      return `there is no Secret ${tls.secret.value} of type kubernetes.io/tls in namespace ${own}`;
    // One that holds nothing but an authority.
    if (textIn(secret, 'tls.crt') === '') return {};
    const certificate = tlsCertificate(this.#objects, keyOf(secret.metadata));
    return typeof certificate === 'string' ? certificate : { certificate };
  }

  #secret({ secret }: PodTlsSaid, own: string): SecretObject | undefined {
    const [namespace = '', name] = (secret?.value ?? '').split('/');
    // An Ingress may not use what is in another namespace.
    if (name !== undefined && namespace !== own) return undefined;
    return this.#objects.get(SECRETS, own, name ?? namespace);
  }
}

function textIn(secret: SecretObject | undefined, key: string): string {
  return Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8');
}

/** As ingress-nginx does it where nothing is said. */
const UNCHECKED: PodTls = { authorities: { kind: 'any' }, names: [] };

function portOf({ spec }: ServiceObject, wanted: string): ServicePort | undefined {
  const ports = (spec?.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  return ports.find(({ name, port }) => name === wanted || String(port) === wanted);
}
