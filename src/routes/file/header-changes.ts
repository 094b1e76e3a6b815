import { fail, ok } from '../../base/result.ts';
import type { HeaderChanges, HeaderValue } from '../../model/route.ts';
import { dictionary, type Named, values } from './collection.ts';
import { checkHeaderName, isHeaderValue } from './conditions.ts';
import { map } from './map.ts';
import { type Complaint, type Place, quote, type Report } from './report.ts';
import { scalar, text } from './scalar.ts';
import { type Got, need, optional, type ReadOf } from './shape.ts';

const VALUE_SCHEMA = { type: ['string', 'number', 'boolean'], minLength: 1 } as const;

/** The value that a header gets. What Envoy would replace (`%…%`) is text here. */
const value = scalar<string>({ says: 'a text', example: 'blue', schema: VALUE_SCHEMA }, ({ text: written }) => {
  if (isHeaderValue(written)) return ok(written);
  const fix = 'write text without control characters and outer spaces, or the name of the header under remove';
  return fail({ message: `not a value of a header: ${quote(written)}`, fix });
});

const VALUES = { says: 'a map of header names and values', example: '{x-tenant: blue}', itemName: '<header>' };

function changes(of: 'request' | 'response') {
  return map(
    {
      set: optional(dictionary(value, VALUES), `Headers the ${of} gets in the place of those of the same name.`),
      add: optional(dictionary(value, VALUES), `Headers the ${of} gets besides those of the same name.`),
      remove: optional(
        values(text({ says: 'the name of a header', example: 'x-debug' }), {
          says: 'a list of header names',
          example: '[x-debug]',
          same: (name) => name.toLowerCase(),
          empty: 'name a header, or remove the key',
        }),
        `Headers the ${of} loses.`,
      ),
    },
    {
      example: '{set: {x-tenant: blue}, remove: [x-debug]}',
      elsewhere: { append: 'write add', overwrite: 'write set', replace: 'write set', delete: 'write remove' },
    },
  );
}

/** `routes[].headers` */
export const headerChanges = map(
  {
    request: optional(changes('request'), 'Changes before the pod sees the request.', 'no change'),
    response: optional(changes('response'), 'Changes before the client sees the answer.', 'no change'),
  },
  {
    example: '{request: {set: {x-tenant: blue}}}',
    elsewhere: Object.fromEntries(
      ['set', 'add', 'remove'].map((key) => [
        key,
        `write it under request (what pods get) or response (what clients get)`,
      ]),
    ),
  },
);

type ReadHeaderChanges = ReadOf<typeof headerChanges>;
type ReadChanges = ReadOf<ReturnType<typeof changes>>;

/** Headers that only one connection is about (RFC 9110, 7.6.1), or that say how long the body is. */
const OF_THE_CONNECTION = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Reports names that are none, or not the user's to change, and names that are changed twice. */
export function checkHeaderChanges({ request, response }: ReadHeaderChanges, report: Report): void {
  for (const got of [request, response]) if (got?.value !== undefined) checkChanges(got.value, report);
}

function checkChanges(read: ReadChanges, report: Report): void {
  const seen = new Map<string, Place>();
  for (const { name, place } of namesOf(read)) {
    const complaint = complainOfName(name);
    if (complaint !== undefined) report.error(place, complaint);
    const first = seen.get(name);
    if (first === undefined) {
      seen.set(name, place);
      continue;
    }
    const message = `${name} is changed in ${first.path} on line ${first.at.line} as well`;
    report.error(place, { message, fix: 'remove one of the two' });
  }
}

/** Every name with its place, in small letters. */
function namesOf({ set, add, remove }: ReadChanges): readonly { readonly name: string; readonly place: Place }[] {
  const named = [...(set?.value ?? []), ...(add?.value ?? [])].map(({ name, nameAt: at, path }) => ({
    name: name.toLowerCase(),
    place: { at, path },
  }));
  const removed = (remove?.value ?? []).map((name) => ({ name: name.toLowerCase(), place: placeOf(remove) }));
  return [...named, ...removed];
}

function placeOf(got: Got<unknown> | undefined): Place {
  if (got === undefined) throw new Error('a key was used that is not there');
  return got;
}

function complainOfName(name: string): Complaint | undefined {
  if (name.startsWith(':')) return { message: `${name} is no header`, fix: pseudoFix(name) };
  if (name === 'host') return { message: 'host stays what the client asked for', fix: 'remove it' };
  if (name === 'x-request-id') {
    return { message: `${name} is how Envoy and Sluice know a request`, fix: 'use another header' };
  }
  if (OF_THE_CONNECTION.has(name)) {
    return { message: `${name} is about a connection, which is Envoy's own`, fix: 'remove it' };
  }
  const checked = checkHeaderName(name, 'x-tenant');
  return checked.ok ? undefined : checked.errors[0];
}

function pseudoFix(name: string): string {
  return name === ':path' ? 'write rewrite, or remove it' : 'remove it';
}

/** What was read, as the model has it; it must have been checked, without an error. */
export function toHeaderChanges(got: Got<ReadChanges> | undefined): HeaderChanges | undefined {
  if (got === undefined) return undefined;
  const { set, add, remove } = need(got);
  const of = (named: readonly Named<string>[] = []): readonly HeaderValue[] =>
    named.map((one) => ({ name: one.name.toLowerCase(), value: need(one) }));
  return { set: of(set?.value), add: of(add?.value), remove: (remove?.value ?? []).map((name) => name.toLowerCase()) };
}
