import { formatDuration, millis } from '../base/duration.ts';
import type { Route } from './route.ts';
import type { Routing } from './routing.ts';

/** What an edit changes, in the user's words: `codec: limit 1 → 2`, `service web added`. Empty: nothing that is used. */
export function describeEdit(before: Routing, after: Routing): readonly string[] {
  if (before === after) return [];
  return [
    ...listenerChanges(before, after),
    ...named(before.services, after.services, 'service'),
    ...routeChanges(before.routes, after.routes),
  ];
}

function listenerChanges(before: Routing, after: Routing): readonly string[] {
  return named(before.listeners, after.listeners, 'listener');
}

function named<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
  what: string,
): readonly string[] {
  const old = new Map(before.map((one) => [one.name, one]));
  const now = new Map(after.map((one) => [one.name, one]));
  const removed = before.filter(({ name }) => !now.has(name)).map(({ name }) => `${what} ${name} removed`);
  const others = after.flatMap((one) => {
    const was = old.get(one.name);
    if (was === undefined) return [`${what} ${one.name} added`];
    if (was === one) return [];
    const changes = differences(was, one);
    return changes.length === 0 ? [] : [`${one.name}: ${changes.join(', ')}`];
  });
  return [...removed, ...others];
}

/** `limit 1 → 2`, for everything below that differs. */
function differences(before: object, after: object): readonly string[] {
  const [old, now] = [leaves(before), leaves(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((key) => {
    const [was, is] = [old.get(key), now.get(key)];
    if (was === is) return [];
    // Certificates come with their private keys, which nobody may read in a log.
    return [key.startsWith('tls') ? 'certificates changed' : `${key} ${was ?? 'none'} → ${is ?? 'none'}`];
  });
}

/** What stands in the model is called by these names in the route file. */
const NAMES: Readonly<Record<string, string>> = {
  'discipline.kind': 'discipline',
  'locator.kind': 'pods from',
  'discipline.fullStatus': 'queue.full_status',
  'discipline.queueMax': 'queue.max',
  'outlier.eject': 'outlier.eject',
};

/** These are lengths of time in milliseconds. */
const TIMES = /^(timeout\.(request|connect)|queue\.timeout|health\.interval|outlier\.eject)$/;

/** Every value by its key in the route file: `queue.max`, `timeout.request`. */
function leaves(value: unknown, path = ''): ReadonlyMap<string, string> {
  if (Array.isArray(value)) return new Map([[nameOf(path), value.map(text).join(', ') || 'none']]);
  if (typeof value === 'object' && value !== null)
    return new Map(
      Object.entries(value).flatMap(([key, inner]) => [...leaves(inner, path === '' ? key : `${path}.${key}`)]),
    );
  const name = nameOf(path);
  return new Map([[name, TIMES.test(name) && typeof value === 'number' ? duration(value) : text(value)]]);
}

function nameOf(path: string): string {
  const own = NAMES[path];
  if (own !== undefined) return own;
  // As the route file writes it.
  return path.replace(/^(discipline|locator)\./, '').replaceAll(/[A-Z0-9]+/g, (part) => `_${part.toLowerCase()}`);
}

function duration(ms: number): string {
  return ms === 0 ? 'none' : formatDuration(millis(ms));
}

function text(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if ('ip' in value && 'port' in value) return `${String(value.ip)}:${String(value.port)}`;
  return JSON.stringify(value);
}

/** Routes have no names of their own that stay: they are counted. */
function routeChanges(before: readonly Route[], after: readonly Route[]): readonly string[] {
  const [old, now] = [before.map(content), after.map(content)];
  const added = without(now, old);
  const removed = without(old, now);
  if (added === 0 && removed === 0) return old.join('\n') === now.join('\n') ? [] : ['order of routes changed'];
  return [
    ...(added > 0 ? [`${many(added, 'route')} added`] : []),
    ...(removed > 0 ? [`${many(removed, 'route')} removed`] : []),
  ];
}

function content({ name: _, order: __, ...route }: Route): string {
  return JSON.stringify(route);
}

/** How many of these are not among the others. */
function without(these: readonly string[], others: readonly string[]): number {
  const left = new Map<string, number>();
  for (const one of others) left.set(one, (left.get(one) ?? 0) + 1);
  return these.filter((one) => {
    const count = left.get(one) ?? 0;
    left.set(one, count - 1);
    return count <= 0;
  }).length;
}

function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
