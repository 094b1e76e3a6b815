import { X509Certificate } from 'node:crypto';
import { formatObject } from '../../model/origin.ts';
import type { Problem } from '../../model/problem.ts';
import type { PodTls } from '../../model/service.ts';
import { type Finding, fails, holds, toConditions } from '../objects/condition.ts';
import { CONFIG_MAPS, type ServicePort } from '../objects/core.ts';
import { keyOf, type Objects, originOf } from '../objects/object.ts';
import type { StatusWish } from '../objects/translation.ts';
import {
  BACKEND_TLS_POLICIES,
  type BackendTlsPolicy,
  CONTROLLER,
  type Gateway,
  GROUP,
  type ParentReference,
} from './objects.ts';
import type { ShownToPods } from './pod-certificates.ts';

/** What BackendTLSPolicies say of the pods behind a port; undefined: nothing. */
export type SaidOfTls =
  | { readonly kind: 'tls'; readonly tls: PodTls }
  | { readonly kind: 'fault'; readonly message: string };

/** What all BackendTLSPolicies come to. */
export interface BackendTls {
  /** `service`: its key (see `keyOf`). */
  of(service: string, port: ServicePort): SaidOfTls | undefined;
  statuses(now: string): readonly StatusWish[];
  readonly problems: readonly Problem[];
}

/** As many as the API takes. */
const MOST_ANCESTORS = 16;

interface Judged {
  readonly policy: BackendTlsPolicy;
  readonly findings: readonly Finding[];
  /** Keys of the Services it is about. */
  readonly services: readonly string[];
}

/** Who leads to the Services that policies are about. */
export interface LeadingGateways {
  /** Those whose routes lead to a Service (its key). */
  readonly of: (service: string) => readonly Gateway[];
  readonly shownBy: (gateways: readonly Gateway[]) => ShownToPods;
}

/** For each port the oldest policy counts; one that names the port goes before one for the whole Service. */
export function backendTls(objects: Objects, gateways: LeadingGateways): BackendTls {
  const said = new Map<string, SaidOfTls>();
  const judged = objects.all(BACKEND_TLS_POLICIES).map((policy) => {
    const one = judge(policy, objects, said);
    const torn = one.services.flatMap((service) => {
      const shown = gateways.shownBy(gateways.of(service));
      return shown.kind === 'torn' ? [`Service ${service}: ${shown.message}`] : [];
    });
    return { ...one, torn };
  });
  return {
    of: (service, { name = '' }) => {
      const found = said.get(targetKey(service, name)) ?? said.get(targetKey(service, undefined));
      if (found?.kind !== 'tls') return found;
      const shown = gateways.shownBy(gateways.of(service));
      if (shown.kind === 'torn' || shown.certificate === undefined) return found;
      return { kind: 'tls', tls: { ...found.tls, certificate: shown.certificate } };
    },
    statuses: (now) =>
      judged.flatMap((one) => {
        const findings = withMessages(one.findings, one.torn);
        return policyStatus({ ...one, findings }, [...new Set(one.services.flatMap(gateways.of))], now);
      }),
    problems: judged.flatMap((one) => {
      const subject = formatObject(originOf('BackendTLSPolicy', one.policy));
      const fix = 'give them the same, or lead to it through one of them';
      return one.torn.map((message): Problem => ({ severity: 'warning', subject, message, fix }));
    }),
  };
}

/** The policy is followed all the same. */
function withMessages(findings: readonly Finding[], messages: readonly string[]): readonly Finding[] {
  if (messages.length === 0) return findings;
  return findings.map((one) =>
    one.type === 'Accepted' && one.status === 'True' ? { ...one, message: messages.join('; ') } : one,
  );
}

function targetKey(service: string, port: string | undefined): string {
  return port === undefined ? service : `${service} ${port}`;
}

function judge(policy: BackendTlsPolicy, objects: Objects, said: Map<string, SaidOfTls>): Judged {
  const namespace = policy.metadata.namespace ?? '';
  const targets = policy.spec.targetRefs.filter(({ group, kind }) => group === '' && kind === 'Service');
  const services = targets.map(({ name }) => keyOf({ namespace, name }));
  const keys = targets.map(({ name, sectionName }) => targetKey(keyOf({ namespace, name }), sectionName));
  const free = keys.filter((key) => !said.has(key));
  const read = readValidation(policy, objects);
  const value: SaidOfTls = read.kind === 'tls' ? read : { kind: 'fault', message: read.message };
  for (const key of free) said.set(key, value);
  if (keys.length > 0 && free.length === 0) {
    const message = 'an older BackendTLSPolicy is about the same ports: that one counts';
    return { policy, services, findings: [fails('Accepted', 'Conflicted', message), resolved(read)] };
  }
  const accepted =
    read.kind === 'tls'
      ? holds('Accepted', 'Accepted')
      : fails('Accepted', 'NoValidCACertificate', `no authority that can be read: ${read.message}`);
  return { policy, services, findings: [accepted, resolved(read)] };
}

type Read =
  | { readonly kind: 'tls'; readonly tls: PodTls; readonly message: string; readonly reason?: Unresolved }
  | { readonly kind: 'unread'; readonly message: string; readonly reason: Unresolved };

type Unresolved = 'InvalidKind' | 'InvalidCACertificateRef';

function resolved({ reason, message }: Read): Finding {
  return reason === undefined ? holds('ResolvedRefs', 'ResolvedRefs') : fails('ResolvedRefs', reason, message);
}

function readValidation({ metadata, spec: { validation } }: BackendTlsPolicy, objects: Objects): Read {
  const { hostname, caCertificateRefs = [], wellKnownCACertificates, subjectAltNames = [] } = validation;
  const names =
    subjectAltNames.length === 0
      ? [{ kind: 'dns' as const, value: hostname }]
      : subjectAltNames.map((one) =>
          one.type === 'URI'
            ? { kind: 'uri' as const, value: one.uri ?? '' }
            : { kind: 'dns' as const, value: one.hostname ?? '' },
        );
  const common = { serverName: hostname, names };
  if (wellKnownCACertificates === 'System') {
    return { kind: 'tls', tls: { ...common, authorities: { kind: 'system' } }, message: '' };
  }
  const read = caCertificateRefs.map(({ group, kind, name }) => {
    if (group !== '' || kind !== 'ConfigMap') {
      return { reason: 'InvalidKind', message: `${kind} ${name} is no ConfigMap` } as const;
    }
    const pem = objects.get(CONFIG_MAPS, metadata.namespace ?? '', name)?.data?.['ca.crt'];
    const bad = { reason: 'InvalidCACertificateRef' } as const;
    if (pem === undefined) return { ...bad, message: `there is no ConfigMap ${name} with ca.crt` };
    return isCertificate(pem) ? { pem } : { ...bad, message: `ca.crt of ConfigMap ${name} is no PEM certificate` };
  });
  const pem = read.flatMap((one) => ('pem' in one ? [one.pem] : [])).join('\n');
  const faults = read.flatMap((one) => ('pem' in one ? [] : [one]));
  const message = faults.map((one) => one.message).join('; ');
  const [first] = faults;
  if (pem === '') return { kind: 'unread', message, reason: first?.reason ?? 'InvalidCACertificateRef' };
  const tls: PodTls = { ...common, authorities: { kind: 'pem', pem } };
  return { kind: 'tls', tls, message, ...(first === undefined ? {} : { reason: first.reason }) };
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

/** One entry for each Gateway that its Services are reached through; those of other controllers stay. */
function policyStatus({ policy, findings }: Judged, gateways: readonly Gateway[], now: string): readonly StatusWish[] {
  const before = policy.status?.ancestors ?? [];
  const ours = before.filter(({ controllerName }) => controllerName === CONTROLLER);
  if (gateways.length === 0 && ours.length === 0) return [];
  const stamp = { generation: policy.metadata.generation ?? 1, now };
  const others = before.filter(({ controllerName }) => controllerName !== CONTROLLER);
  const ancestors = gateways.slice(0, MOST_ANCESTORS - others.length).map(({ metadata: { name, namespace = '' } }) => {
    const ancestorRef: ParentReference = { group: GROUP, kind: 'Gateway', namespace, name };
    const was = ours.find(({ ancestorRef: ref }) => ref.name === name && ref.namespace === namespace);
    return {
      ancestorRef,
      controllerName: CONTROLLER,
      conditions: toConditions(findings, was?.conditions ?? [], stamp),
    };
  });
  return [{ resource: BACKEND_TLS_POLICIES, object: policy, status: { ancestors: [...others, ...ancestors] } }];
}
