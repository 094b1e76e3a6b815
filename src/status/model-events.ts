import { describeEdit } from '../model/edit.ts';
import { formatAddress } from '../model/locator.ts';
import type { Model, ServiceWithPods } from '../model/model.ts';
import type { RecentEvent } from '../telemetry/events.ts';

/** More pods of a service that drain at once are one event. */
const MOST_SINGLE = 5;
/** More changes of one edit are counted. */
const MOST_CHANGES = 8;

/** What is worth telling when one model takes the place of another: an edit, and pods that begin to drain. */
export function modelEvents(before: Model, after: Model): readonly Omit<RecentEvent, 'at'>[] {
  const changes = describeEdit(before.routing, after.routing);
  const more = changes.length - MOST_CHANGES;
  const shown = [...changes.slice(0, MOST_CHANGES), ...(more > 0 ? [`and ${more} more changes`] : [])];
  const edit = { kind: 'edit', message: shown.join('; ') } as const;
  return [...(changes.length === 0 ? [] : [edit]), ...drainingPods(before, after)];
}

function drainingPods(before: Model, after: Model): readonly Omit<RecentEvent, 'at'>[] {
  const now = new Map(after.services.map((service) => [service.service.name, service]));
  return before.services.flatMap((was): readonly Omit<RecentEvent, 'at'>[] => {
    const is = now.get(was.service.name);
    if (is === undefined || is.pods === was.pods) return [];
    const service = was.service.name;
    const leaving = draining(was, is);
    if (leaving.length <= MOST_SINGLE)
      return leaving.map((pod) => ({
        kind: 'pod draining',
        service,
        pod,
        message: 'gets no new request and finishes what it has',
      }));
    const named = `${leaving.slice(0, MOST_SINGLE).join(', ')} and ${leaving.length - MOST_SINGLE} more`;
    return [{ kind: 'pod draining', service, message: `${leaving.length} pods get no new request: ${named}` }];
  });
}

/** Pods that were ready and are not any more. */
function draining(before: ServiceWithPods, after: ServiceWithPods): readonly string[] {
  const ready = new Set(after.pods.filter(({ state }) => state === 'ready').map(formatAddress));
  return before.pods
    .filter(({ state }) => state === 'ready')
    .map(formatAddress)
    .filter((address) => !ready.has(address));
}
