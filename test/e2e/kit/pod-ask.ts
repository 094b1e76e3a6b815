import type { Asked } from './pod.ts';

/** Request headers as node:http and node:http2 give them. */
export type AskedHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The header that carries the load's id; `x-request-id` is the subject of tests of its own. */
export const ID_HEADER = 'x-test-id';

/** The header that says how long the work takes, in milliseconds, fractions allowed. */
export const WORK_HEADER = 'x-work-ms';

/** A well HTTP/1.1 pod answers this path at once, whatever it is working on, and logs nothing: for health checks. */
export const ALIVE_PATH = '/alive';

/** Reads a request's id (own header, else the query's `id`, else `x-request-id`), path and work. */
export function readAsked(headers: AskedHeaders, url: string): Asked {
  const question = url.indexOf('?');
  const query = question < 0 ? undefined : new URLSearchParams(url.slice(question));
  const id = one(headers[ID_HEADER]) ?? query?.get('id') ?? one(headers['x-request-id']) ?? '';
  const work = one(headers[WORK_HEADER]) ?? query?.get('work') ?? undefined;
  return {
    id,
    path: question < 0 ? url : url.slice(0, question),
    workMs: work === undefined ? undefined : Number(work),
  };
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}
