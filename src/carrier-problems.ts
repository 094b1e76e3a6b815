import { formatDuration, type Millis } from './base/duration.ts';
import type { ChosenServices } from './chosen-services.ts';
import type { NodeId, Ownership } from './model/ownership.ts';
import type { Problem } from './model/problem.ts';
import type { ServiceName } from './model/service.ts';

/** What is known of one Envoy. */
export interface CarrierState extends ChosenServices {
  readonly id: NodeId;
  /** Open streams; empty: it has lost its connection. */
  readonly streams: ReadonlySet<number>;
  /** Since when each of its aggregated streams is open, by the monotonic clock: an Envoy has one of them. */
  readonly aggregated: ReadonlyMap<number, number>;
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
  /** Two aggregated streams of one node of which one is older than this are two Envoys. */
  readonly overlapSince: number;
}

/** More services than this are counted, not named. */
const MOST_NAMED = 5;

/** Everything about the Envoys that somebody has to mend. */
export function carrierProblems(input: CarrierProblemsInput): readonly Problem[] {
  return [
    ...[...input.withheld].flatMap(([id, names]) => withheldFrom(id, names, input)),
    ...input.carriers.flatMap((carrier) => [
      ...unreadable(carrier),
      ...unknownServices(carrier, input),
      ...twins(carrier, input),
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

function twins({ id, aggregated }: CarrierState, { overlapSince }: CarrierProblemsInput): readonly Problem[] {
  if (aggregated.size < 2 || ![...aggregated.values()].some((since) => since <= overlapSince)) return [];
  return [
    {
      severity: 'error',
      subject: `Envoy ${id}`,
      message: `${aggregated.size} Envoys say that this is their node id; each counts for itself, so pods may get more than their limit`,
      fix: 'give each Envoy a node id of its own (sluice bootstrap --node-id)',
    },
  ];
}

function listed(names: readonly string[]): string {
  const named = names.slice(0, MOST_NAMED).join(', ');
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.length > 1 ? 'services' : 'service'} ${named}${more}`;
}
