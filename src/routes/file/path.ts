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

/** As `checkPath`, for what a route matches: patterns of other proxies are named, with what to write instead. */
export function checkMatchedPath(text: string): Result<string, Complaint> {
  const complaint = complainOfPattern(text) ?? complainOfPath(text);
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

/** Paths of other proxies have patterns in them; here they would be taken literally, and match no request. */
function complainOfPattern(text: string): Complaint | undefined {
  const shown = quote(text);
  const literal = asRegex(text);
  if (/^\^|\.\*|\.\+|\[[^\]]*\]|\\/.test(text)) {
    return { message: `this looks like a regular expression: ${shown}`, fix: `write it as regex: ${inQuotes(text)}` };
  }
  const below = /^(\/(?:[^*?^$\\[\](){}|]*\/)?)\*{1,2}$/.exec(text)?.[1];
  if (below !== undefined) {
    const fix = `write prefix: ${below} (for the character itself, regex: "${literal}")`;
    return { message: `* stands for itself in a path: ${shown}`, fix };
  }
  const beginning = /^(\/[^*?^$\\[\](){}|]+)\*{1,2}$/.exec(text)?.[1];
  if (beginning !== undefined) {
    const fix = `write regex: "${asRegex(beginning)}.*" (for the character itself, "${literal}")`;
    return { message: `* stands for itself in a path: ${shown}`, fix };
  }
  if (/\/\{[^/{}]*\}/.test(text)) {
    const parts = text.split(/(\{[^/{}]*\})/).map((part) => (part.startsWith('{') ? '[^/]+' : asRegex(part)));
    return {
      message: `a part in braces stands for itself in a path: ${shown}`,
      fix: `write regex: "${parts.join('')}"`,
    };
  }
  if (!text.includes('*')) return undefined;
  const wild = text.split(/\*+/).map(asRegex).join('[^/]*');
  return {
    message: `* stands for itself in a path: ${shown}`,
    fix: `write regex: "${wild}" (for the character itself, "${literal}")`,
  };
}

function asRegex(path: string): string {
  return path.replace(/[.*+?^${}()|[\]\\]/g, '[$&]');
}

function inQuotes(regex: string): string {
  const bare = regex.replace(/^\^/, '').replace(/\$$/, '');
  return bare.includes('\\') ? `'${bare.replaceAll("'", "''")}'` : `"${bare}"`;
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
