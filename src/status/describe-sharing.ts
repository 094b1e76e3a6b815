import type { ServiceName } from '../model/service.ts';
import type { SharingState } from '../slots/sharing.ts';
import { moment } from './describe-source.ts';
import type { LimitedStatus, Status } from './status.ts';

/** Who shares slots, as the status tells it; undefined: one Envoy has all of them. */
export function describeSharing({ term, members, reclaimMs }: SharingState): Status['sharing'] {
  if (term === undefined) return undefined;
  return {
    term,
    ...(reclaimMs !== undefined && { reclaimMs }),
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
  const { address, name, isConnected, since } = follows;
  const state = isConnected ? ('connected' as const) : ('away' as const);
  return { coordinator: address, ...(name !== undefined && { name }), state, since: moment(since), members: own };
}

/** Who holds the slots of a service; undefined: one Envoy has all of them. */
export function describeShared(state: SharingState, service: ServiceName): LimitedStatus['shared'] | undefined {
  const told = state.told(service);
  if (told !== undefined) {
    const { held, missing, why, oldSince } = told;
    return {
      ...{ held, missing, isTold: true as const },
      ...(missing > 0 && { why }),
      ...(oldSince !== undefined && { oldSince: moment(oldSince) }),
    };
  }
  if (state.term === undefined) return undefined;
  const holders = [...state.held(service)].map(([node, slots]) => ({ node, slots }));
  const held = holders.sort((a, b) => (a.node < b.node ? -1 : 1));
  const missing = state.missing(service);
  return { held, missing, ...(missing > 0 && { why: whyMissing(state, held) }) };
}

/** Why slots are missing, one part of a sentence each. */
function whyMissing(
  { members }: SharingState,
  held: readonly { readonly node: string; readonly slots: number }[],
): readonly string[] {
  const away = new Set(members.flatMap(({ node, awaySince }) => (awaySince === undefined ? [] : [node])));
  const unknown = new Set(members.flatMap(({ node, isKnown }) => (isKnown ? [] : [node])));
  const why = [
    ...held.flatMap(({ node, slots }) => (away.has(node) && slots > 0 ? [`${node} holds ${slots}, and is away`] : [])),
    ...[...unknown].map((node) => `${node} has not said yet what it holds`),
  ];
  return why.length > 0 ? why : ['they are being counted'];
}

/** Who holds the slots of a service, in words. */
export function sharedText({ held, missing, why = [], oldSince }: NonNullable<LimitedStatus['shared']>): string {
  const holders = held.map(({ node, slots }) => `${node} ${slots}`).join(', ');
  const now = missing === 0 ? holders : `${holders}; ${missing} missing: ${why.join(', ')}`;
  return oldSince === undefined ? now : `${now} (as it was when the coordinator was there last, ${oldSince})`;
}
