import type { Cors, HeaderChanges, Mirror, PathChange, PathMatch, Redirect, Rewrite } from '../../model/route.ts';
import { REDIRECT_STATUSES } from '../../model/route.ts';
import type { BackendFault, BackendReferrer, Backends } from './backends.ts';
import type { Filter, HeaderModifier, PathModifier } from './objects.ts';

/** What the filters of a rule come to, but for what depends on the path that was matched. */
export interface Filters {
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
  readonly redirect?: NonNullable<Filter['requestRedirect']>;
  readonly rewrite?: NonNullable<Filter['urlRewrite']>;
  readonly mirrors: readonly Mirror[];
  readonly cors?: Cors;
  /** Filters that are not there; their requests are answered with 500. */
  readonly unknown: readonly string[];
  /** Mirrors that lead nowhere, or may not. */
  readonly faults: readonly BackendFault[];
}

const NONE: Filters = { mirrors: [], unknown: [], faults: [] };

/** Reads the filters of a rule. */
export function readFilters(filters: readonly Filter[], from: BackendReferrer, backends: Backends): Filters {
  return filters.reduce((read, filter) => withFilter(read, filter, { from, backends }), NONE);
}

interface MirrorTools {
  readonly from: BackendReferrer;
  readonly backends: Backends;
}

function withFilter(read: Filters, filter: Filter, tools: MirrorTools): Filters {
  switch (filter.type) {
    case 'RequestHeaderModifier':
      return { ...read, requestHeaders: headerChanges(filter.requestHeaderModifier ?? {}) };
    case 'ResponseHeaderModifier':
      return { ...read, responseHeaders: headerChanges(filter.responseHeaderModifier ?? {}) };
    case 'RequestRedirect':
      return { ...read, redirect: filter.requestRedirect ?? {} };
    case 'URLRewrite':
      return { ...read, rewrite: filter.urlRewrite ?? {} };
    case 'RequestMirror':
      return filter.requestMirror === undefined ? read : withMirror(read, filter.requestMirror, tools);
    case 'CORS':
      return filter.cors === undefined ? read : { ...read, cors: corsOf(filter.cors) };
    default:
      return { ...read, unknown: [...read.unknown, filter.type] };
  }
}

/** Each name is in one list only: what is set, and then added to, is set to the first and gets the others. */
function headerChanges({ set = [], add = [], remove = [] }: HeaderModifier): HeaderChanges {
  const lower = (list: NonNullable<HeaderModifier['set']>) =>
    list.map(({ name, value }) => ({ name: name.toLowerCase(), value }));
  return { set: lower(set), add: lower(add), remove: remove.map((name) => name.toLowerCase()) };
}

function withMirror(
  read: Filters,
  { backendRef, percent, fraction }: NonNullable<Filter['requestMirror']>,
  { from, backends }: MirrorTools,
): Filters {
  const found = backends.find(from, backendRef);
  if (found.kind === 'fault') return { ...read, faults: [...read.faults, found.fault] };
  const { name, discipline } = found.service;
  if (discipline.kind === 'limited') {
    const message = `requests are not mirrored to ${name}: it has a limit, which copies that do not wait would break`;
    return { ...read, faults: [...read.faults, { reason: 'UnsupportedValue', message }] };
  }
  const share = fraction === undefined ? (percent ?? 100) / 100 : fraction.numerator / (fraction.denominator ?? 100);
  const mirror: Mirror = { service: name, perMillion: Math.round(share * 1_000_000) };
  return { ...read, mirrors: [...read.mirrors, mirror] };
}

function corsOf(cors: NonNullable<Filter['cors']>): Cors {
  const {
    allowOrigins = [],
    allowMethods = [],
    allowHeaders = [],
    exposeHeaders = [],
    allowCredentials,
    maxAge,
  } = cors;
  return {
    origins: allowOrigins,
    methods: allowMethods,
    headers: allowHeaders,
    exposed: exposeHeaders,
    credentials: allowCredentials ?? false,
    ...(maxAge === undefined ? {} : { maxAge }),
  };
}

/** Where clients are sent, for one of the paths that are matched and a listener at `port`. */
export function redirectOf(redirect: NonNullable<Filters['redirect']>, match: PathMatch, port: number): Redirect {
  const { scheme, hostname, path, statusCode = 302 } = redirect;
  const known = scheme === 'http' || scheme === 'https' ? scheme : undefined;
  // A new scheme comes with its own port, and a new host with that of the listener; else the client's port stays.
  const implied = known === 'https' ? 443 : known === 'http' ? 80 : hostname === undefined ? undefined : port;
  const to = redirect.port ?? implied;
  return {
    ...(known === undefined ? {} : { scheme: known }),
    ...(hostname === undefined ? {} : { host: hostname }),
    ...(to === undefined ? {} : { port: to }),
    ...(path === undefined ? {} : { path: pathChange(path, match) }),
    status: REDIRECT_STATUSES.find((one) => one === statusCode) ?? 302,
  };
}

/** How path and host are written anew, for one of the paths that are matched. */
export function rewriteOf({ hostname, path }: NonNullable<Filters['rewrite']>, match: PathMatch): Rewrite {
  return {
    ...(hostname === undefined ? {} : { host: hostname }),
    ...(path === undefined ? {} : { path: pathChange(path, match) }),
  };
}

function pathChange(
  { type, replaceFullPath = '/', replacePrefixMatch = '/' }: PathModifier,
  match: PathMatch,
): PathChange {
  if (type === 'ReplaceFullPath') return { kind: 'whole', path: replaceFullPath };
  // Trailing slashes mean nothing here, save that what was below the prefix stays below it.
  const prefix = replacePrefixMatch.replace(/\/+$/, '');
  const isRoot = match.kind === 'prefix' && match.prefix === '/';
  return { kind: 'prefix', prefix: isRoot || prefix === '' ? `${prefix}/` : prefix };
}
