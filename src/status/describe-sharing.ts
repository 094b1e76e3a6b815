import type { ServiceName } from '../model/service.ts';
import type { SharingState } from '../slots/sharing.ts';
import { moment } from './describe-source.ts';
import type { LimitedStatus, Status } from './status.ts';

/** Who shares slots, as the status tells it; undefined: one Envoy has all of them. */
export function describeSharing({ term, members }: SharingState): Status['sharing'] {
  if (term === undefined) return undefined;
  return {
    term,
    members: members.map(({ node, awaySince, isKnown }) => {
      if (awaySince !== undefined) return { node, state: 'away' as const, since: moment(awaySince) };
      return { node, state: isKnown ? ('connected' as const) : ('joining' as const) };
    }),
  };
}

/** Who holds the slots of a service; undefined: one Envoy has all of them. */
export function describeShared(
  { term, held, missing }: SharingState,
  service: ServiceName,
): LimitedStatus['shared'] | undefined {
  if (term === undefined) return undefined;
  const holders = [...held(service)].map(([node, slots]) => ({ node, slots }));
  return { held: holders.sort((a, b) => (a.node < b.node ? -1 : 1)), missing: missing(service) };
}
