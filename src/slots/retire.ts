import { podsId } from '../model/generation.ts';
import { locatorKey } from '../model/locator.ts';
import type { Model, Retiring, ServiceWithPods } from '../model/model.ts';
import type { Service, ServiceName } from '../model/service.ts';

/**
 * What an edit makes retire: a limited service with settings that need another cluster, another gate, or that
 * is there no more under its name. One whose `limit` is taken away has no heir: it ends by itself.
 */
export function retire(before: Model | undefined, services: readonly Service[], now: number): readonly Retiring[] {
  if (before === undefined) return [];
  // Mostly pods have changed and not the file.
  if (before.routing.services === services && before.retiring.length === 0) return [];
  // The same object: no edit has touched it.
  const untouched = new Set(services);
  const edited = before.services.filter(({ service }) => !untouched.has(service));
  const fresh = edited.flatMap((old) => retireOne(old, services, now));
  const still = before.retiring.map((old) => goOn({ ...old, heir: heirOf(old.service, services) }, services));
  return [...still, ...fresh];
}

/** An edit may have been taken back: then what retired is in use again, and no longer retires. */
function goOn(old: Retiring, services: readonly Service[]): Retiring {
  const pods = services.some((service) => podsId(service) === podsId(old.service)) ? [] : old.pods;
  const isTaken = services.some((service) => isLimited(service) && service.name === old.service.name);
  return { ...old, pods, gate: isTaken ? undefined : old.gate };
}

function retireOne({ line, ...old }: ServiceWithPods, services: readonly Service[], now: number): readonly Retiring[] {
  if (old.gate === undefined) return [];
  const heir = heirOf(old.service, services);
  const same = services.find(({ name }) => name === old.service.name);
  if (same === undefined || heir !== same.name) {
    // Whose new requests line up elsewhere has had none at its own gate.
    return [{ ...old, gate: line === undefined ? old.gate : undefined, heir, since: now }];
  }
  if (podsId(same) === podsId(old.service)) return [];
  // The line goes on as it is; only the pods move.
  return [{ ...old, gate: undefined, heir, since: now }];
}

/** Who takes over: the limited service of the same name, else the one that finds the same pods. */
function heirOf({ name, locator }: Service, services: readonly Service[]): ServiceName | undefined {
  const limited = services.filter(isLimited);
  const key = locatorKey(locator);
  return (limited.find((other) => other.name === name) ?? limited.find((other) => locatorKey(other.locator) === key))
    ?.name;
}

function isLimited({ discipline }: Service): boolean {
  return discipline.kind === 'limited';
}
