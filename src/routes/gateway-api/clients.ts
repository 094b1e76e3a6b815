import { X509Certificate } from 'node:crypto';
import type { ClientCertificates } from '../../model/listener.ts';
import { CONFIG_MAPS } from '../objects/core.ts';
import type { Objects } from '../objects/object.ts';
import { type Gateway, GROUP, REFERENCE_GRANTS, type Reference } from './objects.ts';
import { isGranted } from './references.ts';

/** Why authorities of client certificates cannot be used. */
export interface ClientFault {
  readonly reason: 'InvalidCACertificateRef' | 'InvalidCACertificateKind' | 'RefNotPermitted';
  readonly message: string;
}

/** What a Gateway asks of the clients of a port. */
export interface AskedOfClients {
  /** Undefined: nothing, or nothing that can be asked. */
  readonly clients: ClientCertificates | undefined;
  readonly faults: readonly ClientFault[];
}

/** What clients of HTTPS listeners at a port have to show: as the Gateway says for the port, else for all. */
export function askedOfClients({ metadata, spec }: Gateway, port: number, objects: Objects): AskedOfClients {
  const { default: all, perPort = [] } = spec.tls?.frontend ?? {};
  const own = perPort.find((one) => one.port === port);
  const validation = own === undefined ? all?.validation : own.tls.validation;
  if (validation === undefined) return { clients: undefined, faults: [] };
  const read = (validation.caCertificateRefs ?? []).map((ref) => authorityOf(metadata.namespace ?? '', ref, objects));
  const pem = read.flatMap((one) => ('pem' in one ? [one.pem] : []));
  const faults = read.flatMap((one) => ('pem' in one ? [] : [one]));
  const required = validation.mode !== 'AllowInsecureFallback';
  return { clients: pem.length === 0 ? undefined : { authorities: pem.join('\n'), required }, faults };
}

function authorityOf(
  own: string,
  { group = '', kind = 'ConfigMap', name, namespace = own }: Reference,
  objects: Objects,
): ClientFault | { readonly pem: string } {
  if (group !== '' || kind !== 'ConfigMap') {
    return { reason: 'InvalidCACertificateKind', message: `${kind} ${name} is no ConfigMap` };
  }
  const from = { group: GROUP, kind: 'Gateway', namespace: own };
  if (!isGranted(from, { group, kind, name, namespace }, objects.all(REFERENCE_GRANTS))) {
    const message = `no ReferenceGrant in namespace ${namespace} lets a Gateway of ${own} use ConfigMap ${name}`;
    return { reason: 'RefNotPermitted', message };
  }
  const pem = objects.get(CONFIG_MAPS, namespace, name)?.data?.['ca.crt'];
  const reason = 'InvalidCACertificateRef';
  if (pem === undefined) return { reason, message: `there is no ConfigMap ${namespace}/${name} with ca.crt` };
  try {
    return new X509Certificate(pem).subject === undefined ? { reason, message: `${name} is empty` } : { pem };
  } catch {
    return { reason, message: `ca.crt of ConfigMap ${namespace}/${name} is no PEM certificate` };
  }
}
