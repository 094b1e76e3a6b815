import { assertNever } from '../../base/assert-never.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { NamedMatch } from '../../model/route.ts';
import { type Complaint, quote } from './report.ts';
import { scalar } from './scalar.ts';
import type { Shape } from './shape.ts';

/** The methods of RFC 9110 and RFC 5789, save CONNECT, which names no path. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;

/** The condition on one `part` of a request: its exact value as `exact` allows it, or `true` for any. */
function condition(part: string, exact: (text: string) => Result<string, Complaint>): Shape<NamedMatch['value']> {
  return scalar<NamedMatch['value']>(
    {
      says: 'a value, or true for any value',
      example: 'true',
      write(value) {
        switch (value.kind) {
          case 'present':
            return 'true';
          case 'exact':
            return value.text;
          case 'regex':
            return value.regex;
          default:
            return assertNever(value);
        }
      },
      schema: { anyOf: [{ const: true }, { type: ['string', 'number'], minLength: 1 }] },
    },
    ({ text, quoted }) => {
      const plain = !quoted && text.toLowerCase();
      if (plain === 'true') return ok({ kind: 'present' });
      if (plain === 'false') {
        const fix = `write true for a ${part} with any value, or "false" in quotes for that value; there is no condition for absence`;
        return fail({ message: 'false is no condition', fix });
      }
      const checked = exact(text);
      return checked.ok ? ok({ kind: 'exact', text: checked.value }) : checked;
    },
  );
}

/** The condition on one header. */
export const header = condition('header', (text) => {
  if (isHeaderValue(text)) return ok(text);
  const fix = 'write it as the client sends it, without control characters or outer spaces';
  return fail({ message: `not a value of a header: ${quote(text)}`, fix });
});

/** Whether it can be the value of a header as Envoy compares and sends it: not empty, no control characters. */
export function isHeaderValue(text: string): boolean {
  return text === text.trim() && /^[\t\x20-\x7e\x80-\uffff]+$/.test(text);
}

/** What RFC 3986 allows in a query, besides %XX and what separates parameters. */
const IN_QUERY = /^(?:[A-Za-z0-9\-._~!$'()*+,;:=@/?]|%[0-9A-Fa-f]{2})+$/;

/** The condition on one query parameter. */
export const parameter = condition('parameter', (text) =>
  inQuery('value', text, { message: 'is empty', fix: 'write true for any value' }),
);

/** The name of a query parameter, as the client sends it. */
export function checkParameterName(text: string): Result<string, Complaint> {
  const empty = { message: 'a parameter needs a name', fix: 'write one such as model' };
  return inQuery('name', text, empty, (name) => !name.includes('='));
}

/** A part of a query as clients send it: what is not allowed there is percent-encoded. */
function inQuery(
  part: string,
  text: string,
  empty: Complaint,
  allowed: (text: string) => boolean = () => true,
): Result<string, Complaint> {
  if (IN_QUERY.test(text) && allowed(text)) return ok(text);
  if (text === '') return fail(empty);
  const message = `a ${part} with characters that requests send percent-encoded: ${quote(text)}`;
  return fail({ message, fix: `write ${encodeURIComponent(text.toWellFormed())}` });
}

/** What a route matches by keys of their own. */
const OTHER_CONDITIONS: Readonly<Record<string, string>> = {
  host: 'write match.hosts',
  ':authority': 'write match.hosts',
  ':method': 'write match.methods',
  ':path': 'write match.path, match.prefix or match.regex',
};

/** The name of a header that a route matches, in small letters as Envoy has it. */
export function checkConditionName(text: string): Result<string, Complaint> {
  const name = text.toLowerCase();
  const fix = OTHER_CONDITIONS[name];
  return fix === undefined ? checkHeaderName(text) : fail({ message: `${name} has a key of its own`, fix });
}

/** The name of a header, such as `example`, in small letters as Envoy has it. */
export function checkHeaderName(text: string, example = 'x-model'): Result<string, Complaint> {
  const name = text.toLowerCase();
  if (/^x-(sluice|envoy)-/.test(name)) {
    return fail({
      message: `${name} is internal, and taken off every request that comes in`,
      fix: 'use another header',
    });
  }
  if (/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return ok(name);
  return fail({ message: `not a name of a header: ${quote(text)}`, fix: `write one such as ${example}` });
}
