import { assertNever } from '../base/assert-never.ts';
import type { Service } from '../model/service.ts';

/** What a route's metadata says about its service, for the texts of local replies; `retryAfter` in seconds. */
export function refusalMetadata(
  { name, discipline }: Service,
  retryAfter = 1,
): Readonly<Record<string, string | number>> {
  switch (discipline.kind) {
    case 'limited': {
      const { limit, queue } = discipline;
      const full = `The line for ${name} is full: ${queue.max} requests are waiting (queue.max), each pod works on at most ${limit} at a time (limit). Try again later.`;
      return { service: name, limit, queue_max: queue.max, full, retry_after: retryAfter };
    }
    case 'balanced': {
      const full = `${name} is full: ${discipline.maxRequests} requests are in flight (max_requests). Try again later.`;
      return { service: name, max_requests: discipline.maxRequests, full, retry_after: retryAfter };
    }
    default:
      return assertNever(discipline);
  }
}
