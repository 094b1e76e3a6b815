import type { NodeStatus, ServiceStatus, Status } from './status.ts';

/** Whether requests can be expected to work; if not, every reason. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reasons: readonly string[] };

/** What readiness depends on. */
export interface ReadinessInput {
  readonly routeFile: Pick<Status['routeFile'], 'path' | 'state'>;
  /** There is a configuration to give to Envoys. */
  readonly configured: boolean;
  readonly nodes: readonly NodeStatus[];
  /** The filters of its Envoys have been in contact with whoever coordinates the slots, or there is nothing to share. */
  readonly takesPart: boolean;
  readonly services: () => readonly Pick<ServiceStatus, 'name' | 'source'>[];
}

/** The type every first configuration ends with: Envoy asks for listeners once its clusters are warm. */
const LAST_TYPE = 'Listener';

/**
 * Ready: some Envoy has taken a whole configuration, and its filter has told whoever coordinates the slots what it holds, if they are shared.
 * While the coordinator is away it stays ready: it goes on with the slots that it has.
 */
export function readinessOf({ nodes, routeFile, configured, services, takesPart }: ReadinessInput): Readiness {
  if (nodes.some((node) => lacksOf(node).length === 0)) {
    return takesPart ? { ready: true } : { ready: false, reasons: [NO_PART] };
  }
  if (configured) {
    if (nodes.length === 0) return { ready: false, reasons: ['no Envoy is connected'] };
    return { ready: false, reasons: nodes.map((node) => `Envoy ${node.id}: ${lacksOf(node).join(', ')}`) };
  }
  if (routeFile.state === 'pending') return { ready: false, reasons: [`${routeFile.path} cannot be used`] };
  const silent = services()
    .filter(({ source }) => source.state === 'pending')
    .map(({ name }) => name);
  const why = silent.length === 0 ? '' : `: waiting for the pods of ${silent.join(', ')}`;
  return { ready: false, reasons: [`no configuration yet${why}`] };
}

const NO_PART =
  'its queue filter gets no slots yet: no Sluice is known to coordinate them, or it is not reached; `sluice status` says more';

/** What the names of Sluice's own listeners begin with: no client gets there. */
const OWN_LISTENERS = 'sluice.';

/** What a node still lacks before it takes requests with all that there is for it. A type that is rejected is there if an earlier version of it was taken. */
export function lacksOf({ types }: Pick<NodeStatus, 'types'>): readonly string[] {
  const lacking = types
    .filter((type) => type.status === 'pending' || (type.status === 'rejected' && !isThere(type)))
    .map(({ type, status, rejection }) => {
      const why = rejection === undefined ? '' : `: ${rejection.message}`;
      return `${type} is ${status}${why}`;
    });
  const last = types.find(({ type }) => type === LAST_TYPE);
  if (last === undefined) return [...lacking, `${LAST_TYPE} is not asked for yet`];
  return last.status === 'in sync' && isClosed(last)
    ? [...lacking, 'takes no requests yet: its queue filter does not know all services']
    : lacking;
}

/** The filter's own listener comes alone at first; one for clients, or one that stands for them, follows. */
function isClosed({ active = [] }: NodeStatus['types'][number]): boolean {
  return active.length === 1 && active.every((name) => name.startsWith(OWN_LISTENERS));
}

/** Of listeners one for clients is enough: of several, one that cannot be opened takes nothing from the others. */
function isThere({ ackedVersion, active }: NodeStatus['types'][number]): boolean {
  return ackedVersion !== '' && (active === undefined || active.some((name) => !name.startsWith(OWN_LISTENERS)));
}

/**
 * Ready once means ready for good. An Envoy works on with what it has while its stream is down, or while it refuses a
 * change; to take it out of the traffic for that, as a failing readiness probe would, can only do harm.
 */
export function readyForGood(readiness: () => Readiness): () => Readiness {
  let ready = false;
  return () => {
    if (ready) return { ready };
    const now = readiness();
    ready = now.ready;
    return now;
  };
}
