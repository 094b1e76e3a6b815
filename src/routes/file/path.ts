import { fail, ok, type Result } from '../../base/result.ts';
import { type Complaint, quote } from './report.ts';

/** What RFC 3986 allows in a path, besides %XX. */
const REFUSED = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]/u;

const BARE_PERCENT = /%(?![0-9A-Fa-f]{2})/;

/** A path as requests have it: absolute, without query, percent-encoded, and in the form Envoy normalizes paths to. */
export function checkPath(text: string): Result<string, Complaint> {
  const complaint = complainOfPath(text);
  return complaint === undefined ? ok(text) : fail(complaint);
}

function complainOfPath(text: string): Complaint | undefined {
  const shown = quote(text);
  const fix = `write ${repaired(text)}`;
  if (/^[a-z]+:\/\//i.test(text))
    return { message: `not a path but a URL: ${shown}`, fix: `${fix}; hosts go under match.hosts` };
  if (!text.startsWith('/')) return { message: `a path begins with /, and this is ${shown}`, fix };
  const query = text.search(/[?#]/);
  if (query >= 0) {
    const what = text[query] === '?' ? 'a query' : 'a fragment';
    return { message: `${what} is not part of a path: ${shown}`, fix: `${fix}; any query matches` };
  }
  if (REFUSED.test(text))
    return { message: `a path with characters that requests send percent-encoded: ${shown}`, fix };
  if (BARE_PERCENT.test(text)) return { message: `a % without two hex digits: ${shown}`, fix };
  if (/\/\.{1,2}(\/|$)/.test(text))
    return { message: `. and .. are resolved before routes are looked at: ${shown}`, fix };
  if (text.includes('//')) return { message: `slashes in a row: ${shown}`, fix };
  return undefined;
}

/** The nearest path that is one. */
function repaired(text: string): string {
  const path = text.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/s, '');
  // What is encoded already stays as it is.
  const encoded = path
    .toWellFormed()
    .split(/(%[0-9A-Fa-f]{2})/)
    .map((part, index) => (index % 2 === 1 ? part : encodeURI(part).replace(/[[\]]/g, encodeURIComponent)))
    .join('');
  return new URL(`http://x/${encoded.replace(/^\/+/, '')}`).pathname.replace(/\/{2,}/g, '/');
}
