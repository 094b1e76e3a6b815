import type { ServiceStatus } from './status.ts';

/** Orders in which services can be shown. */
export const SORTS = ['trouble', 'wait', 'waiting', 'busy', 'refused', 'name'] as const;

/** See `SORTS`. `trouble`: what somebody should look at first. */
export type Sort = (typeof SORTS)[number];

/** In this order; those that are alike by their names. */
export function sortServices(services: readonly ServiceStatus[], sort: Sort): readonly ServiceStatus[] {
  const rank = RANKS[sort];
  return services
    .map((service) => ({ service, rank: rank(service) }))
    .sort((a, b) => b.rank - a.rank || (a.service.name < b.service.name ? -1 : 1))
    .map(({ service }) => service);
}

/** The highest comes first. */
const RANKS: Readonly<Record<Sort, (service: ServiceStatus) => number>> = {
  trouble: troubleOf,
  wait: (service) => (service.kind === 'limited' ? (service.oldestWaitMs ?? 0) : 0),
  waiting: (service) => (service.kind === 'limited' ? (service.waiting ?? 0) : 0),
  busy: (service) => (service.kind === 'limited' ? (service.inUse ?? 0) : 0),
  refused: (service) => (service.kind === 'limited' ? (service.traffic?.lastMinute.refused ?? 0) : 0),
  name: () => 0,
};

/**
 * How much a service needs somebody: 0: not at all. Nobody served before refusals, before what is not known, before pods
 * that are out, before those that only wait.
 */
export function troubleOf(service: ServiceStatus): number {
  const ready = service.pods.filter(({ state }) => state === 'ready' || state === 'trying').length;
  const isOut = service.pods.some(({ state }) => state === 'ejected' || state === 'unhealthy' || state === 'trying');
  const waiting = service.kind === 'limited' ? (service.waiting ?? 0) : 0;
  const refused = service.kind === 'limited' ? (service.traffic?.lastMinute.refused ?? 0) : 0;
  const isUnknown = service.source.state !== 'ready' || (service.kind === 'limited' && service.oldSince !== undefined);
  if (service.kind === 'limited' && service.paused !== undefined) return waiting > 0 ? 6 : 4;
  if (ready === 0) return waiting > 0 ? 7 : 6;
  if (refused > 0) return 5;
  if (!service.active || isUnknown) return 4;
  if (isOut) return 3;
  return waiting > 0 ? 1 : 0;
}
