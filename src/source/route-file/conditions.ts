import { fail, ok, type Result } from '../../base/result.ts';
import type { NamedMatch } from '../../model/route.ts';
import { type Complaint, quote } from './report.ts';
import { scalar } from './scalar.ts';

/** The methods of RFC 9110 and RFC 5789, save CONNECT, which names no path. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;

/** The condition on one header: its exact value, or `true` for any. */
export const header = scalar<NamedMatch['value']>(
  {
    says: 'a value, or true for any value',
    example: 'true',
    write: (value) => (value.kind === 'present' ? 'true' : value.text),
  },
  ({ text, quoted }) => {
    const plain = !quoted && text.toLowerCase();
    if (plain === 'true') return ok({ kind: 'present' });
    if (plain === 'false') {
      const fix =
        'write true for a header with any value, or "false" in quotes for that value; there is no condition for absence';
      return fail({ message: 'false is no condition', fix });
    }
    if (!isHeaderValue(text)) {
      const fix = 'write it as the client sends it, without control characters or outer spaces';
      return fail({ message: `not a value of a header: ${quote(text)}`, fix });
    }
    return ok({ kind: 'exact', text });
  },
);

/** Whether it can be the value of a header as Envoy compares and sends it: not empty, no control characters. */
export function isHeaderValue(text: string): boolean {
  return text === text.trim() && /^[\t\x20-\x7e\x80-\uffff]+$/.test(text);
}

/** Whether it can be the name of a header, in small letters. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(text);
}

/** What RFC 3986 allows in a query, besides %XX and what separates parameters. */
const IN_QUERY = /^(?:[A-Za-z0-9\-._~!$'()*+,;:=@/?]|%[0-9A-Fa-f]{2})+$/;

/** The condition on one query parameter: its exact value, or `true` for any. */
export const parameter = scalar<NamedMatch['value']>(
  {
    says: 'a value, or true for any value',
    example: 'true',
    write: (value) => (value.kind === 'present' ? 'true' : value.text),
  },
  ({ text, quoted }) => {
    const plain = !quoted && text.toLowerCase();
    if (plain === 'true') return ok({ kind: 'present' });
    if (plain === 'false') {
      const fix =
        'write true for a parameter with any value, or "false" in quotes for that value; there is no condition for absence';
      return fail({ message: 'false is no condition', fix });
    }
    if (IN_QUERY.test(text)) return ok({ kind: 'exact', text });
    if (text === '') return fail({ message: 'is empty', fix: 'write true for any value' });
    const message = `a value with characters that requests send percent-encoded: ${quote(text)}`;
    return fail({ message, fix: `write ${encodeURIComponent(text.toWellFormed())}` });
  },
);

/** The name of a query parameter, as the client sends it. */
export function checkParameterName(text: string): Result<string, Complaint> {
  if (IN_QUERY.test(text) && !text.includes('=')) return ok(text);
  if (text === '') return fail({ message: 'a parameter needs a name', fix: 'write one such as model' });
  const message = `a name with characters that requests send percent-encoded: ${quote(text)}`;
  return fail({ message, fix: `write ${encodeURIComponent(text.toWellFormed())}` });
}

/** The name of a header, in small letters as Envoy has it. */
export function checkHeaderName(text: string): Result<string, Complaint> {
  const name = text.toLowerCase();
  const elsewhere = { host: 'write match.hosts', ':authority': 'write match.hosts', ':method': 'write match.methods' }[
    name
  ];
  if (elsewhere !== undefined) return fail({ message: `${name} has a key of its own`, fix: elsewhere });
  if (name === ':path')
    return fail({ message: ':path has a key of its own', fix: 'write match.path, match.prefix or match.regex' });
  if (/^x-(sluice|envoy)-/.test(name)) {
    return fail({
      message: `${name} is internal, and taken off every request that comes in`,
      fix: 'use another header',
    });
  }
  if (isHeaderName(name)) return ok(name);
  return fail({ message: `not a name of a header: ${quote(text)}`, fix: 'write one such as x-model' });
}
