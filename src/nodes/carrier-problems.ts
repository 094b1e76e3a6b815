import { formatDuration, type Millis } from '../base/duration.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import type { ChosenServices } from './chosen-services.ts';
import { type NodeId, type Ownership, wants } from './ownership.ts';
import type { Seats } from './seats.ts';

/** What is known of one Envoy. */
export interface CarrierState extends ChosenServices {
  readonly id: NodeId;
  /** Open streams; empty: it has lost its connection. */
  readonly streams: ReadonlySet<number>;
  /** Which of its streams are of other Envoys that say they are this one. */
  readonly seats: Pick<Seats, 'seconds'>;
}

/** What problems are looked for in. */
export interface CarrierProblemsInput {
  readonly carriers: readonly CarrierState[];
  /** By node, the services with a limit that it does not get as another Envoy has them. */
  readonly withheld: ReadonlyMap<NodeId, readonly ServiceName[]>;
  readonly owners: Ownership;
  /** The services of the route file; undefined while they are not known. */
  readonly existing: ReadonlySet<string> | undefined;
  /** How long an Envoy without a stream keeps its services. */
  readonly graceMs: Millis;
}

/** More services than this are counted, not named. */
const MOST_NAMED = 5;

/** By carrier, the services it is there for and whose owner makes it one that does not get them. */
export function withheld<C extends CarrierState>(
  carriers: readonly C[],
  owners: Ownership,
  isWithout: (carrier: C, owner: NodeId) => boolean,
): ReadonlyMap<NodeId, readonly ServiceName[]> {
  return new Map(
    carriers.map((carrier) => {
      const without = [...owners].filter(([name, owner]) => isWithout(carrier, owner) && wants(carrier, name));
      return [carrier.id, without.map(([name]) => name)];
    }),
  );
}

/** Everything about the Envoys that somebody has to mend. */
export function carrierProblems(input: CarrierProblemsInput): readonly Problem[] {
  return [
    ...[...input.withheld].flatMap(([id, names]) => withheldFrom(id, names, input)),
    ...input.carriers.flatMap((carrier) => [
      ...unreadable(carrier),
      ...unknownServices(carrier, input),
      ...twins(carrier),
    ]),
  ];
}

function withheldFrom(
  id: NodeId,
  names: readonly ServiceName[],
  { owners, carriers, graceMs }: CarrierProblemsInput,
): readonly Problem[] {
  return [...Map.groupBy(names, (name) => owners.get(name))].map(([owner = '', services]) => {
    const isLost = carriers.some((carrier) => carrier.id === owner && carrier.streams.size === 0);
    const lost = isLost ? ` (it has lost its connection, and keeps them for ${formatDuration(graceMs)})` : '';
    return {
      severity: 'error',
      subject: `Envoy ${id}`,
      message: `does not get ${listed(services)}, which Envoy ${owner} carries${lost}: slots are not shared between Envoys yet, so with both of them pods would get twice the limit`,
      fix: 'name the services of each Envoy in its node metadata (sluice bootstrap --service), or run one Envoy',
    };
  });
}

function unreadable(carrier: CarrierState): readonly Problem[] {
  if (!carrier.unreadable) return [];
  return [
    {
      severity: 'error',
      subject: `Envoy ${carrier.id}`,
      message: 'gets no service: sluice.services in its node metadata is not a list of names',
      fix: 'write it as metadata: {sluice: {services: [codec]}}',
    },
  ];
}

function unknownServices({ id, services }: CarrierState, { existing }: CarrierProblemsInput): readonly Problem[] {
  const missing = existing === undefined ? [] : [...(services ?? [])].filter((name) => !existing.has(name));
  if (missing.length === 0) return [];
  const message = `is there for ${listed(missing)} by its node metadata; the route file has no such service`;
  return [{ severity: 'warning', subject: `Envoy ${id}`, message }];
}

function twins({ id, seats: { seconds } }: CarrierState): readonly Problem[] {
  if (seconds === 0) return [];
  return [
    {
      severity: 'error',
      subject: `Envoy ${id}`,
      message: `${seconds + 1} Envoys say that this is their node id; only the first gets services with a limit, as slots are not shared between Envoys yet`,
      fix: 'give each Envoy a node id of its own (sluice bootstrap --node-id)',
    },
  ];
}

function listed(names: readonly string[]): string {
  const named = names.slice(0, MOST_NAMED).join(', ');
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.length > 1 ? 'services' : 'service'} ${named}${more}`;
}
