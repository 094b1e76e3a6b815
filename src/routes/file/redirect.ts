import { fail, ok } from '../../base/result.ts';
import { type PathMatch, REDIRECT_STATUSES, type Redirect } from '../../model/route.ts';
import { map } from './map.ts';
import { enumerate, type Report } from './report.ts';
import { oneOf, scalar } from './scalar.ts';
import { defaulted, type Got, need, optional, type ReadOf } from './shape.ts';
import { path, requestHost, tcpPort } from './values.ts';

const status = scalar<Redirect['status']>(
  {
    says: enumerate(REDIRECT_STATUSES.map(String), 'or'),
    example: '302',
    schema: { enum: REDIRECT_STATUSES },
  },
  ({ text: written }) => {
    const known = REDIRECT_STATUSES.find((one) => String(one) === written);
    if (known !== undefined) return ok(known);
    const fix = 'write 301 (for good), 302 (for now), 303 (GET it there), or 307 or 308 (with the same method)';
    return fail({ message: `${written} is no status of a redirect`, fix });
  },
);

/** `routes[].redirect` */
export const redirect = map(
  {
    scheme: optional(oneOf(['http', 'https']), 'http or https.', 'as asked'),
    host: optional(requestHost, 'The host, without port.', 'as asked'),
    port: optional(tcpPort, 'The port.', "as asked; with another host, the scheme's own"),
    path: optional(path('/new'), 'The whole path.', 'as asked'),
    prefix: optional(path('/v2/'), 'What stands in the place of match.prefix. Not beside path.', 'as asked'),
    status: defaulted(status, 302, 'HTTP status of the answer: 301, 302, 303, 307 or 308.'),
  },
  {
    example: '{scheme: https}',
    elsewhere: {
      hostname: 'write host',
      authority: 'write host and port',
      uri: 'write path',
      code: 'write status',
      url: 'write scheme, host and path',
      https: 'write scheme: https',
    },
  },
);

type ReadRedirect = ReadOf<typeof redirect>;

/** Reports a redirect that says nothing, too much, or leads to where it came from. */
export function checkRedirect(got: Got<ReadRedirect>, match: PathMatch | undefined, report: Report): void {
  const read = got.value;
  if (read === undefined) return;
  const { scheme, host, port, path: whole, prefix } = read;
  const elsewhere = scheme ?? host ?? port;
  if (elsewhere === undefined && whole === undefined && prefix === undefined) {
    report.error(got, {
      message: 'leads to where the request came from',
      fix: 'write scheme, host, port, path or prefix',
    });
    return;
  }
  if (whole !== undefined && prefix !== undefined) {
    report.error(prefix, {
      message: `only one of path and prefix may be there, and path is on line ${whole.at.line}`,
      fix: 'remove one of the two',
    });
  }
  if (match === undefined) return;
  if (prefix !== undefined && match.kind !== 'prefix') {
    report.error(prefix, {
      message: 'there is no match.prefix whose place it could take',
      fix: 'write path, or match by prefix',
    });
  }
  checkSlash(prefix, match, report);
  if (elsewhere === undefined && comesBack(read, match)) {
    const message = 'leads back to this route, so clients would follow it in a circle';
    report.error(whole ?? prefix ?? got, { message, fix: 'write another path, or a host' });
  }
}

/** As with a rewrite: /v1/ to /v2 would glue the rest to it. */
function checkSlash(prefix: Got<string> | undefined, match: PathMatch, report: Report): void {
  if (match.kind !== 'prefix' || prefix?.value === undefined) return;
  if (!match.prefix.endsWith('/') || prefix.value.endsWith('/')) return;
  const message = `would turn ${match.prefix}x into ${prefix.value}x`;
  report.error(prefix, { message, fix: `write ${prefix.value}/` });
}

/** Certainly: a path below a prefix may be another route's. */
function comesBack({ path: whole, prefix, status: code }: ReadRedirect, match: PathMatch): boolean {
  // A POST that is sent to where it came from with GET (303) is common.
  if (code.value === 303) return false;
  if (match.kind === 'exact') return whole?.value === match.path;
  return match.kind === 'prefix' && prefix?.value === match.prefix;
}

/** What was read, as the model has it; it must have been checked, without an error. */
export function toRedirect(got: Got<ReadRedirect>): Redirect {
  const { scheme, host, port, path: whole, prefix, status: code } = need(got);
  return {
    ...(scheme === undefined ? {} : { scheme: need(scheme) }),
    ...(host === undefined ? {} : { host: need(host) }),
    ...(port === undefined ? {} : { port: need(port) }),
    ...(whole === undefined ? {} : { path: { kind: 'whole', path: need(whole) } as const }),
    ...(prefix === undefined ? {} : { path: { kind: 'prefix', prefix: need(prefix) } as const }),
    status: need(code),
  };
}
