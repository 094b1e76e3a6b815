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
    if (text !== text.trim() || !/^[\t\x20-\x7e\x80-\uffff]+$/.test(text)) {
      const fix = 'write it as the client sends it, without control characters or outer spaces';
      return fail({ message: `not a value of a header: ${quote(text)}`, fix });
    }
    return ok({ kind: 'exact', text });
  },
);

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
  if (/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return ok(name);
  return fail({ message: `not a name of a header: ${quote(text)}`, fix: 'write one such as x-model' });
}
