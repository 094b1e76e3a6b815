import { narrowerHost } from '../../model/host.ts';
import { type Finding, fails, holds } from '../objects/condition.ts';
import { NAMESPACES } from '../objects/core.ts';
import { type KubeObject, keyOf, type Objects } from '../objects/object.ts';
import type { AttachedSet, GatewayListener } from './listeners.ts';
import { type Gateway, GROUP, type ParentReference } from './objects.ts';
import { takesNamespace } from './references.ts';

/** A route and one of those it wants to be attached to. */
export interface Attachment {
  readonly parentRef: ParentReference;
  readonly accepted: Finding;
  /** Empty unless accepted. */
  readonly listeners: readonly GatewayListener[];
}

/** A route of any kind, as far as attaching goes. */
export interface AttachingRoute extends KubeObject {
  readonly spec: { readonly parentRefs?: readonly ParentReference[]; readonly hostnames?: readonly string[] };
}

/** Everything that routes can be attached to. */
export interface Parents {
  readonly gateways: readonly Gateway[];
  readonly sets: readonly AttachedSet[];
  readonly listeners: readonly GatewayListener[];
}

/** What comes of each parent that a route names; parents that are not ours are left out. */
export function attach(
  kind: 'HTTPRoute' | 'GRPCRoute',
  route: AttachingRoute,
  parents: Parents,
  objects: Objects,
): readonly Attachment[] {
  return (route.spec.parentRefs ?? []).flatMap((parentRef): readonly Attachment[] => {
    const candidates = candidatesOf(parentRef, route.metadata.namespace ?? '', parents);
    if (candidates === undefined) return [];
    return [{ parentRef, ...choose(kind, route, parentRef, { candidates, objects }) }];
  });
}

/** The listeners of the parent that is meant; undefined: it is none of ours. */
function candidatesOf(
  { group = GROUP, kind = 'Gateway', name, namespace }: ParentReference,
  own: string,
  { gateways, sets, listeners }: Parents,
): readonly GatewayListener[] | undefined {
  if (group !== GROUP) return undefined;
  const key = keyOf({ name, namespace: namespace ?? own });
  const isMeant = ({ metadata }: KubeObject) => keyOf(metadata) === key;
  const isOurs =
    (kind === 'Gateway' && gateways.some(isMeant)) ||
    (kind === 'ListenerSet' && sets.some(({ object }) => isMeant(object)));
  return isOurs ? listeners.filter(({ parent }) => parent.kind === kind && isMeant(parent.object)) : undefined;
}

interface Choice {
  readonly candidates: readonly GatewayListener[];
  readonly objects: Objects;
}

function choose(
  kind: string,
  route: AttachingRoute,
  { sectionName, port, name }: ParentReference,
  { candidates, objects }: Choice,
): Omit<Attachment, 'parentRef'> {
  const refused = (reason: string, message: string) => ({
    accepted: fails('Accepted', reason, message),
    listeners: [],
  });
  const named = candidates.filter(
    ({ spec }) =>
      (sectionName === undefined || spec.name === sectionName) && (port === undefined || spec.port === port),
  );
  if (named.length === 0) {
    const which = [
      ...(sectionName === undefined ? [] : [`called ${sectionName}`]),
      ...(port === undefined ? [] : [`at port ${port}`]),
    ].join(' ');
    const known = candidates.map(({ spec }) => `${spec.name} (port ${spec.port})`).join(', ');
    const there = known === '' ? 'it has none that is accepted' : `it has ${known}`;
    return refused('NoMatchingParent', `${name} has no listener ${which || 'at all'}; ${there}`);
  }
  const namespaces = (one: string) => objects.get(NAMESPACES, '', one);
  const allowing = named.filter(
    ({ spec, kinds, parent }) =>
      kinds.some((one) => one.kind === kind) &&
      takesNamespace(
        spec.allowedRoutes?.namespaces ?? {},
        parent.object.metadata.namespace ?? '',
        route.metadata.namespace ?? '',
        namespaces,
      ),
  );
  if (allowing.length === 0) {
    const message = `no listener of ${name} takes a ${kind} of namespace ${route.metadata.namespace ?? ''}: see allowedRoutes`;
    return refused('NotAllowedByListeners', message);
  }
  const { hostnames = [] } = route.spec;
  const fitting = allowing.filter(
    ({ spec }) =>
      hostnames.length === 0 || hostnames.some((host) => narrowerHost(host, spec.hostname || undefined) !== undefined),
  );
  if (fitting.length === 0) {
    const hosts = allowing.map(({ spec }) => spec.hostname).join(', ');
    return refused('NoMatchingListenerHostname', `none of ${hostnames.join(', ')} is a host of ${name}: ${hosts}`);
  }
  return { accepted: holds('Accepted', 'Accepted'), listeners: fitting };
}
