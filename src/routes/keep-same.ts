import { isDeepStrictEqual } from 'node:util';
import type { Routing } from '../model/routing.ts';

/**
 * `after`, with the very objects of `before` for every service and route that is as it was: what was made of them is made
 * once, and an edit of one service costs as much as that service.
 */
export function keepSame<Whole extends Routing>(before: Whole, after: Whole): Whole {
  const services = sameOf(before.services, after.services);
  const routes = sameOf(before.routes, after.routes);
  const kept = { ...after, services, routes };
  return isDeepStrictEqual(before, kept) ? before : kept;
}

/** In the same order; the very same list when all of it is the same. */
function sameOf<T extends { readonly name: string }>(before: readonly T[], after: readonly T[]): readonly T[] {
  const byName = new Map(before.map((one) => [one.name, one]));
  const kept = after.map((one) => {
    const known = byName.get(one.name);
    return known !== undefined && isDeepStrictEqual(known, one) ? known : one;
  });
  return kept.length === before.length && kept.every((one, at) => one === before[at]) ? before : kept;
}
