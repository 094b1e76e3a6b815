import { assertNever } from '../base/assert-never.ts';
import { formatHostPort } from '../base/host-port.ts';
import type { Listener } from '../model/listener.ts';
import type { Backend, ForwardRoute, NamedMatch, PathChange, PathMatch, RedirectRoute, Route } from '../model/route.ts';
import { servicesOf } from '../model/route.ts';
import type { Routing } from '../model/routing.ts';
import type { RouteStatus, Status } from './status.ts';

/** Where Envoy takes requests, and where it leads them. */
export function describeRouting(routing: Routing | undefined): Pick<Status, 'listeners' | 'routes'> {
  return {
    listeners: (routing?.listeners ?? []).map(describeListener),
    routes: (routing?.routes ?? []).map(describeRoute),
  };
}

function describeListener({ name, address: host, port, hostname, tls }: Listener): Status['listeners'][number] {
  return {
    name,
    address: formatHostPort({ host, port }),
    ...(hostname !== undefined && { hostname }),
    tls: tls !== undefined,
  };
}

function describeRoute(route: Route): RouteStatus {
  const { hosts, path, methods, headers, query } = route.match;
  const conditions = [
    ...(methods.length === 0 ? [] : [methods.join(' or ')]),
    ...headers.map((header) => namedText('header', header)),
    ...query.map((parameter) => namedText('query', parameter)),
  ];
  const target = targetText(route);
  return { name: route.name, hosts, path: pathText(path), conditions, services: servicesOf(route), target };
}

/** A path in words: `/v1 and below`. */
function pathText(path: PathMatch): string {
  switch (path.kind) {
    case 'exact':
      return `exactly ${path.path}`;
    case 'prefix':
      return path.prefix === '/' ? 'any path' : `${path.prefix} and below`;
    case 'start':
      return `${path.prefix}…`;
    case 'regex':
      return `regex ${path.regex}`;
    default:
      return assertNever(path);
  }
}

function namedText(what: string, { name, value }: NamedMatch): string {
  switch (value.kind) {
    case 'present':
      return `${what} ${name}`;
    case 'exact':
      return `${what} ${name}: ${value.text}`;
    case 'regex':
      return `${what} ${name}: regex ${value.regex}`;
    default:
      return assertNever(value);
  }
}

/** Where a route leads, in words: `codec`, `codec 90 %, codec-2 10 %`. */
function targetText(route: Route): string {
  switch (route.kind) {
    case 'forward':
      return forwardText(route);
    case 'redirect':
      return redirectText(route);
    case 'answer':
      return `answer ${route.status}`;
    default:
      return assertNever(route);
  }
}

function forwardText({ backends, rewrite, mirrors = [] }: ForwardRoute): string {
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return 'answer 500: nobody serves it';
  const parts = backends
    .filter(({ weight }) => weight > 0)
    .map((backend) => {
      const share = backends.length === 1 ? '' : ` ${Number(((backend.weight / total) * 100).toPrecision(3))} %`;
      return `${backendName(backend)}${share}`;
    });
  const more = [
    ...(rewrite?.path === undefined ? [] : [`path becomes ${changeText(rewrite.path)}`]),
    ...(rewrite?.host === undefined ? [] : [`host becomes ${rewrite.host}`]),
    ...mirrors.map(({ service }) => `mirrored to ${service}`),
  ];
  return [parts.join(', '), ...more].join('; ');
}

function backendName(backend: Backend): string {
  return backend.kind === 'service' ? backend.service : 'answer 500';
}

function redirectText({ redirect: { scheme, host, port, path, status } }: RedirectRoute): string {
  const parts = [
    ...(scheme === undefined ? [] : [`scheme ${scheme}`]),
    ...(host === undefined ? [] : [`host ${host}`]),
    ...(port === undefined ? [] : [`port ${port}`]),
    ...(path === undefined ? [] : [`path ${changeText(path)}`]),
  ];
  return `redirect ${status} to ${parts.join(', ')}`;
}

function changeText(path: PathChange): string {
  switch (path.kind) {
    case 'prefix':
      return `${path.prefix}…`;
    case 'whole':
      return path.path;
    case 'regex':
      return path.substitution;
    default:
      return assertNever(path);
  }
}
