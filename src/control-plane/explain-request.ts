import { fail, ok, type Result } from '../base/result.ts';
import { askedOf, explainRequest, readHeader, readUrl } from '../dataplane/explain.ts';
import type { Routing } from '../model/routing.ts';
import type { ServiceName } from '../model/service.ts';
import { wholeMatch } from '../routes/file/regex.ts';

/** Whether a route takes a request, and the rest in words. */
export interface Explanation {
  readonly taken: boolean;
  readonly text: string;
}

/**
 * What `sluice explain` says, of the routing that is active: `url`, `method` and any number of `header`s. Errors: what to write
 * instead.
 */
export function explainActive(
  routing: Routing | undefined,
  query: URLSearchParams,
  heldBy?: (service: ServiceName) => string | undefined,
): Result<Explanation, string> {
  if (routing === undefined) return fail('There are no routes yet: their source has not answered.');
  const url = readUrl(query.get('url') ?? '');
  const headers = query.getAll('header').map(readHeader);
  const wrong = [
    ...(url.ok ? [] : url.errors.map((error) => `URL: ${error}`)),
    ...headers.flatMap((one) => (one.ok ? [] : one.errors.map((error) => `Header: ${error}`))),
  ];
  if (!url.ok || wrong.length > 0) return fail(...wrong);
  const named = new Map(headers.flatMap((one) => (one.ok ? [one.value] : [])));
  const asked = askedOf(url.value, query.get('method') || 'GET', named);
  return ok(explainRequest({ routing, ...asked, wholeMatch, placeOf: () => undefined, ...(heldBy && { heldBy }) }));
}
