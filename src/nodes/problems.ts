import type { Brand } from '../base/brand.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import type { ChosenServices } from './chosen-services.ts';
import { OLDEST_ENVOY } from './release.ts';
import type { SameNodeId } from './same-node-id.ts';

/** How an Envoy is called. */
export type NodeId = Brand<string, 'NodeId'>;

/** What is known of one Envoy. */
export interface EnvoyState extends ChosenServices {
  readonly id: NodeId;
  /** Which of its streams are of other Envoys that say they are this one. */
  readonly sameId: Pick<SameNodeId, 'others'>;
  /** The release it says it is, where that is one that breaks what Sluice promises. */
  readonly tooOld: string | undefined;
  /** It has a queue filter. */
  readonly hasFilter: boolean;
}

/** What problems are looked for in. */
export interface EnvoyProblemsInput {
  readonly envoys: readonly EnvoyState[];
  /** Envoys that have services with a limit without a filter. */
  readonly alone: readonly NodeId[];
  /** By node, the services with a limit that it does not get beside Envoys with which it cannot share slots. */
  readonly withheld: ReadonlyMap<NodeId, readonly ServiceName[]>;
  /** The services of the route file; undefined while they are not known. */
  readonly existing: ReadonlySet<string> | undefined;
}

/** More services than this are counted, not named. */
const MOST_NAMED = 5;

/** Whether an Envoy is there for the service. */
export function isThereFor({ services }: Pick<EnvoyState, 'services'>, name: ServiceName): boolean {
  return services === undefined || services.has(name);
}

/** Everything about the Envoys that somebody has to mend. */
export function envoyProblems(input: EnvoyProblemsInput): readonly Problem[] {
  return input.envoys.flatMap((envoy) => [
    ...withheldFrom(envoy, input),
    ...unreadable(envoy),
    ...unknownServices(envoy, input),
    ...twins(envoy),
    ...tooOld(envoy),
  ]);
}

function withheldFrom({ id, hasFilter }: EnvoyState, { withheld, alone }: EnvoyProblemsInput): readonly Problem[] {
  const names = withheld.get(id) ?? [];
  if (names.length === 0) return [];
  const others = alone.filter((other) => other !== id);
  const why =
    hasFilter || others.length > 0
      ? `Envoy ${others.join(', ')} has no queue filter, so slots cannot be shared with it`
      : 'its queue filter has not connected, so it cannot share slots with the other Envoys';
  return [
    {
      severity: 'error',
      subject: `Envoy ${id}`,
      message: `does not get ${listed(names)}: ${why}`,
      fix: 'run Envoys with the Wasm extension (the official images have it), and Sluice without --filter off',
    },
  ];
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
      message: `${others + 1} Envoys say that this is their node id; only the first gets services with a limit, as slots are counted by it`,
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
