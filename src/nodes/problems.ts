import { formatDuration, type Millis } from '../base/duration.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import type { ChosenServices } from './chosen-services.ts';
import type { NodeId } from './ownership.ts';
import { OLDEST_ENVOY } from './release.ts';
import type { SameNodeId } from './same-node-id.ts';

/** What is known of one Envoy. */
export interface EnvoyState extends ChosenServices {
  readonly id: NodeId;
  /** Open streams; empty: it has lost its connection. */
  readonly streams: ReadonlySet<number>;
  /** Which of its streams are of other Envoys that say they are this one. */
  readonly sameId: Pick<SameNodeId, 'others'>;
  /** The release it says it is, where that is one that breaks what Sluice promises. */
  readonly tooOld: string | undefined;
}

/** What problems are looked for in. */
export interface EnvoyProblemsInput {
  readonly envoys: readonly EnvoyState[];
  /** Those of them that take requests and have a stream. */
  readonly listening: readonly EnvoyState[];
  /** The services with a limit that each Envoy has: nobody else gets them. */
  readonly byOwner: ReadonlyMap<NodeId, ReadonlySet<ServiceName>>;
  /** The services of the route file; undefined while they are not known. */
  readonly existing: ReadonlySet<string> | undefined;
  /** How long an Envoy without a stream keeps its services. */
  readonly graceMs: Millis;
}

/** More services than this are counted, not named. */
const MOST_NAMED = 5;

/** Everything about the Envoys that somebody has to mend. */
export function envoyProblems(input: EnvoyProblemsInput): readonly Problem[] {
  return [
    ...withheldFrom(input),
    ...input.envoys.flatMap((envoy) => [
      ...unreadable(envoy),
      ...unknownServices(envoy, input),
      ...twins(envoy),
      ...tooOld(envoy),
    ]),
  ];
}

/** Who does not get services that another Envoy has. */
function withheldFrom({ envoys, listening, byOwner, graceMs }: EnvoyProblemsInput): readonly Problem[] {
  // Once for all of them: there may be thousands.
  const lost = new Set(envoys.filter(({ streams }) => streams.size === 0).map(({ id }) => id));
  const fix = 'name the services of each Envoy in its node metadata (sluice bootstrap --service), or run one Envoy';
  const message = (owner: NodeId, names: readonly ServiceName[]) => {
    const isLost = lost.has(owner)
      ? ` (it has lost its connection, and keeps them for ${formatDuration(graceMs)})`
      : '';
    return `does not get ${listed(names)}, which Envoy ${owner} has${isLost}: slots are not shared between Envoys yet, so with both of them pods would get twice the limit`;
  };
  const ofAll = new Map([...byOwner].map(([owner, names]) => [owner, message(owner, [...names])]));
  return listening.flatMap(({ id, services }) =>
    [...byOwner].flatMap(([owner, all]): readonly Problem[] => {
      if (owner === id) return [];
      const names = services === undefined ? undefined : [...all].filter((name) => services.has(name));
      if (names?.length === 0) return [];
      const text = names === undefined ? ofAll.get(owner) : message(owner, names);
      return text === undefined ? [] : [{ severity: 'error', subject: `Envoy ${id}`, message: text, fix }];
    }),
  );
}

function unreadable(envoy: EnvoyState): readonly Problem[] {
  if (!envoy.unreadable) return [];
  return [
    {
      severity: 'error',
      subject: `Envoy ${envoy.id}`,
      message: 'gets no service: sluice.services in its node metadata is not a list of names',
      fix: 'write it as metadata: {sluice: {services: [codec]}}',
    },
  ];
}

function unknownServices({ id, services }: EnvoyState, { existing }: EnvoyProblemsInput): readonly Problem[] {
  const missing = existing === undefined ? [] : [...(services ?? [])].filter((name) => !existing.has(name));
  if (missing.length === 0) return [];
  const message = `is there for ${listed(missing)} by its node metadata; the route file has no such service`;
  return [{ severity: 'warning', subject: `Envoy ${id}`, message }];
}

function twins({ id, sameId: { others } }: EnvoyState): readonly Problem[] {
  if (others === 0) return [];
  return [
    {
      severity: 'error',
      subject: `Envoy ${id}`,
      message: `${others + 1} Envoys say that this is their node id; only the first gets services with a limit, as slots are not shared between Envoys yet`,
      fix: 'give each Envoy a node id of its own (sluice bootstrap --node-id)',
    },
  ];
}

function tooOld({ id, tooOld }: EnvoyState): readonly Problem[] {
  if (tooOld === undefined) return [];
  return [
    {
      severity: 'error',
      subject: `Envoy ${id}`,
      message: `gets no configuration: it is Envoy ${tooOld}, and the limits hold from ${OLDEST_ENVOY} on`,
      fix: `run Envoy ${OLDEST_ENVOY} or newer`,
    },
  ];
}

function listed(names: readonly string[]): string {
  const named = names.slice(0, MOST_NAMED).join(', ');
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.length > 1 ? 'services' : 'service'} ${named}${more}`;
}
