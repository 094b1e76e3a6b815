import type { ListenerName } from '../../model/listener.ts';
import { type Condition, type Finding, fails, holds, type Stamp, toConditions } from '../objects/condition.ts';
import type { KubeObject, Resource } from '../objects/object.ts';
import type { StatusWish } from '../objects/translation.ts';
import { type AssignedAddresses, addressesOf, type GatewayAddresses } from './addresses.ts';
import type { Attachment } from './attach.ts';
import { SUPPORTED_FEATURES } from './features.ts';
import type { AttachedSet, GatewayListener } from './listeners.ts';
import {
  CONTROLLER,
  GATEWAY_CLASSES,
  GATEWAYS,
  type Gateway,
  type GatewayClass,
  GROUP,
  LISTENER_SETS,
  type ListenerStatus,
  type ParentReference,
  type RouteParentStatus,
} from './objects.ts';
import type { PodCertificates } from './pod-certificates.ts';

function stampOf({ metadata }: KubeObject, now: string): Stamp {
  return { generation: metadata.generation ?? 1, now };
}

/** The statuses of classes that are ours. */
export function classStatuses(classes: readonly GatewayClass[], now: string): readonly StatusWish[] {
  return classes
    .filter(({ spec }) => spec.controllerName === CONTROLLER)
    .map((object) => {
      const { parametersRef } = object.spec;
      const accepted =
        parametersRef === undefined
          ? holds('Accepted', 'Accepted')
          : fails('Accepted', 'InvalidParameters', 'parametersRef: there are no parameters; remove it');
      const conditions = toConditions([accepted], object.status?.conditions ?? [], stampOf(object, now));
      const supportedFeatures = SUPPORTED_FEATURES.map((name) => ({ name }));
      return { resource: GATEWAY_CLASSES, object, status: { conditions, supportedFeatures } };
    });
}

/** What the statuses of Gateways and ListenerSets are made of. */
export interface GatewayFindings {
  readonly gateways: readonly Gateway[];
  readonly sets: readonly AttachedSet[];
  readonly listeners: readonly GatewayListener[];
  readonly addresses: GatewayAddresses;
  readonly podCertificates: PodCertificates;
  /** How many routes are attached to each listener. */
  readonly attached: ReadonlyMap<string, number>;
  /** Listeners that Envoy could not open, and why. */
  readonly closed: ReadonlyMap<ListenerName, string>;
  readonly now: string;
}

/** The statuses of all Gateways and ListenerSets. */
export function gatewayStatuses(found: GatewayFindings): readonly StatusWish[] {
  return [
    ...found.gateways.map((gateway) => gatewayStatus(gateway, found)),
    ...found.sets.map((set) => setStatus(set, found)),
  ];
}

function gatewayStatus(gateway: Gateway, found: GatewayFindings): StatusWish {
  const { addresses, sets, listeners, now } = found;
  const assigned = addressesOf(gateway, addresses);
  const own = listeners.filter(({ parent }) => parent.object === gateway);
  const stamp = stampOf(gateway, now);
  const attachedListenerSets = sets.filter(
    (set) =>
      set.allowed &&
      set.gateway === gateway &&
      listeners.some((one) => one.parent.object === set.object && isValid(one)),
  ).length;
  const accepted = gatewayAccepted(gateway, own, assigned);
  const resolved = found.podCertificates.findingOf(gateway);
  const rare = [...insecure(gateway), ...(resolved === undefined ? [] : [resolved])];
  const findings = [accepted, gatewayProgrammed(accepted, own, assigned, found), ...rare];
  // Ours as well, and gone when there is nothing to say.
  const kept = (gateway.status?.conditions ?? []).filter(
    ({ type }) => !RARE.includes(type) || rare.some((one) => one.type === type),
  );
  const before = { ...gateway.status, conditions: kept };
  return {
    resource: GATEWAYS,
    object: gateway,
    status: {
      addresses: assigned.published,
      attachedListenerSets,
      conditions: toConditions(findings, before.conditions, stamp),
      listeners: own.map((one) => listenerStatus(one, before.listeners ?? [], found, stamp)),
    },
  };
}

const INSECURE = 'InsecureFrontendValidationMode';

/** Conditions that few Gateways have. */
const RARE: readonly string[] = [INSECURE, 'ResolvedRefs'];

/** Whether clients of some port are served whatever certificate they show. */
function insecure({ spec }: Gateway): readonly Finding[] {
  const { default: all, perPort = [] } = spec.tls?.frontend ?? {};
  const modes = [all?.validation?.mode, ...perPort.map(({ tls }) => tls.validation?.mode)];
  if (!modes.includes('AllowInsecureFallback')) return [];
  const message = 'AllowInsecureFallback: clients are served whatever certificate they show, or none';
  return [holds(INSECURE, 'ConfigurationChanged', message)];
}

function gatewayAccepted(gateway: Gateway, own: readonly GatewayListener[], { fault }: AssignedAddresses): Finding {
  if (gateway.spec.infrastructure?.parametersRef !== undefined) {
    const message = 'infrastructure.parametersRef: there are no parameters; remove it';
    return fails('Accepted', 'InvalidParameters', message);
  }
  if (fault?.condition === 'Accepted') return fails('Accepted', fault.reason, fault.message);
  const bad = own.filter(({ accepted }) => accepted.status !== 'True');
  if (bad.length === 0) return holds('Accepted', 'Accepted');
  const message = bad.map(({ spec, accepted }) => `listener ${spec.name}: ${accepted.message}`).join('; ');
  return bad.length === own.length
    ? fails('Accepted', 'ListenersNotValid', message)
    : holds('Accepted', 'ListenersNotValid', message);
}

function gatewayProgrammed(
  accepted: Finding,
  own: readonly GatewayListener[],
  { fault, bind }: AssignedAddresses,
  { closed }: GatewayFindings,
): Finding {
  if (accepted.status !== 'True') return fails('Programmed', 'Invalid', accepted.message);
  if (fault !== undefined) return fails('Programmed', fault.reason, fault.message);
  if (bind.length === 0) return fails('Programmed', 'AddressNotAssigned', 'there is no address for it');
  const isOpen = own.some(({ served }) => served.some(({ name }) => !closed.has(name)));
  const reasons = own.flatMap(({ served }) => served.flatMap(({ name }) => closed.get(name) ?? []));
  return isOpen || own.length === 0
    ? holds('Programmed', 'Programmed')
    : fails('Programmed', 'Invalid', ['none of its listeners is served', ...new Set(reasons)].join(': '));
}

function setStatus({ object, allowed, gateway }: AttachedSet, found: GatewayFindings): StatusWish {
  const { listeners, now } = found;
  const stamp = stampOf(object, now);
  const own = listeners.filter(({ parent }) => parent.object === object);
  const before = object.status ?? {};
  const findings = setFindings(gateway, allowed, own, found);
  return {
    resource: LISTENER_SETS,
    object,
    status: {
      conditions: toConditions(findings, before.conditions ?? [], stamp),
      listeners: own.map((one) => listenerStatus(one, before.listeners ?? [], found, stamp)),
    },
  };
}

function setFindings(
  gateway: Gateway,
  allowed: boolean,
  own: readonly GatewayListener[],
  { closed }: GatewayFindings,
): readonly Finding[] {
  const both = (reason: string, message: string) => [
    fails('Accepted', reason, message),
    fails('Programmed', reason, message),
  ];
  if (!allowed) {
    const { name } = gateway.metadata;
    return both('NotAllowed', `Gateway ${name} does not take ListenerSets of this namespace: see its allowedListeners`);
  }
  const bad = own.filter((listener) => !isValid(listener));
  const message = bad
    .map((one) => `listener ${one.spec.name}: ${one.accepted.message || one.resolvedRefs.message}`)
    .join('; ');
  if (bad.length === own.length && own.length > 0) return both('ListenersNotValid', message);
  const isOpen = own.some(({ served }) => served.some(({ name }) => !closed.has(name)));
  return [
    holds('Accepted', bad.length === 0 ? 'Accepted' : 'ListenersNotValid', message),
    isOpen ? holds('Programmed', 'Programmed') : fails('Programmed', 'Invalid', 'none of its listeners is served'),
  ];
}

/** Whether a ListenerSet counts for the sake of this listener. */
function isValid({ accepted, resolvedRefs }: GatewayListener): boolean {
  return accepted.status === 'True' && resolvedRefs.status === 'True';
}

function listenerStatus(
  listener: GatewayListener,
  before: readonly ListenerStatus[],
  { attached, closed }: GatewayFindings,
  stamp: Stamp,
): ListenerStatus {
  const { name, spec, kinds, accepted, conflicted, resolvedRefs, served } = listener;
  const was: readonly Condition[] = before.find((one) => one.name === spec.name)?.conditions ?? [];
  const findings = [accepted, conflicted, resolvedRefs, programmed()];
  return {
    name: spec.name,
    supportedKinds: kinds.map(({ kind }) => ({ group: GROUP, kind })),
    attachedRoutes: attached.get(name) ?? 0,
    conditions: toConditions(findings, was, stamp),
  };

  function programmed(): Finding {
    if (conflicted.status === 'True') return fails('Programmed', conflicted.reason, conflicted.message);
    if (accepted.status !== 'True') return fails('Programmed', 'Invalid', accepted.message);
    const why = served.flatMap((one) => closed.get(one.name) ?? []);
    if (why.length > 0) return fails('Programmed', 'Invalid', why.join('; '));
    if (served.length > 0 && resolvedRefs.status === 'True') return holds('Programmed', 'Programmed');
    return fails('Programmed', 'Invalid', resolvedRefs.message || 'the Gateway has no address');
  }
}

interface RouteFindings {
  readonly resource: Omit<Resource<KubeObject>, 'read'>;
  readonly object: KubeObject & { readonly status?: { readonly parents?: readonly RouteParentStatus[] } };
  readonly attachments: readonly Attachment[];
  readonly findings: readonly Finding[];
}

/** The status of a route: one entry for each parent of ours; those of other controllers stay. */
export function routeStatus(
  { resource, object, attachments, findings }: RouteFindings,
  now: string,
): readonly StatusWish[] {
  const before = object.status?.parents ?? [];
  const ours = before.filter(({ controllerName }) => controllerName === CONTROLLER);
  // A route that has never been ours is none of our business.
  if (attachments.length === 0 && ours.length === 0) return [];
  const stamp = stampOf(object, now);
  const parents = attachments.map(({ parentRef, accepted }): RouteParentStatus => {
    const was = ours.find((one) => isSameParent(one.parentRef, parentRef));
    // A condition that is not found any more is not kept: all of these are ours.
    const known = (was?.conditions ?? []).filter(({ type }) =>
      [accepted, ...findings].some((one) => one.type === type),
    );
    return {
      parentRef,
      controllerName: CONTROLLER,
      conditions: toConditions([accepted, ...findings], known, stamp),
    };
  });
  const others = before.filter(({ controllerName }) => controllerName !== CONTROLLER);
  return [{ resource, object, status: { parents: [...others, ...parents] } }];
}

function isSameParent(a: ParentReference, b: ParentReference): boolean {
  return (
    (a.group ?? GROUP) === (b.group ?? GROUP) &&
    (a.kind ?? 'Gateway') === (b.kind ?? 'Gateway') &&
    a.namespace === b.namespace &&
    a.name === b.name &&
    a.sectionName === b.sectionName &&
    a.port === b.port
  );
}
