import type { ServiceName } from '../model/service.ts';
import type { SharingState } from '../slots/sharing.ts';
import { moment } from './describe-source.ts';
import type { LimitedStatus, Status } from './status.ts';

/** Who shares slots, as the status tells it; undefined: one Envoy has all of them. */
export function describeSharing({ term, members }: SharingState): Status['sharing'] {
  if (term === undefined) return undefined;
  return {
    term,
    members: members.map(({ node, awaySince, isKnown, via }) => {
      const by = via !== undefined && { via };
      if (awaySince !== undefined) return { node, state: 'away' as const, since: moment(awaySince), ...by };
      return { node, state: isKnown ? ('connected' as const) : ('joining' as const), ...by };
    }),
  };
}

/** Who coordinates where that is another Sluice; undefined: this one does, or there is nothing to coordinate. */
export function describeFollows({ follows, members }: SharingState): Status['follows'] {
  if (follows === undefined) return undefined;
  const own = members.map(({ node, isKnown }) => ({
    node,
    state: isKnown ? ('connected' as const) : ('joining' as const),
  }));
  if (follows === 'nobody known') return { state: 'away', members: own };
  const { address, isConnected, since } = follows;
  const state = isConnected === undefined ? 'idle' : isConnected ? 'connected' : 'away';
  return { coordinator: address, state, since: moment(since), members: own };
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
