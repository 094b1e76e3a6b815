import { assertNever } from '../base/assert-never.ts';
import { formatHostPort } from '../base/host-port.ts';
import type { NamedMatch, PathMatch, RedirectRoute, Route } from '../model/route.ts';
import type { Routing } from '../model/routing.ts';
import type { RouteStatus, Status } from './status.ts';

/** Where Envoy takes requests, and where it leads them. */
export function describeRouting(routing: Routing | undefined): Pick<Status, 'listeners' | 'routes'> {
  if (routing === undefined) return { listeners: [], routes: [] };
  const { address: host, port, tls } = routing.listen;
  return {
    listeners: [{ address: formatHostPort({ host, port }), tls: tls !== undefined }],
    routes: routing.routes.map(describeRoute),
  };
}

function describeRoute(route: Route): RouteStatus {
  const { hosts, path, methods, headers, query } = route.match;
  const conditions = [
    ...(methods.length === 0 ? [] : [methods.join(' or ')]),
    ...headers.map((header) => namedText('header', header)),
    ...query.map((parameter) => namedText('query', parameter)),
  ];
  const common = { name: route.name, hosts, path: pathText(path), conditions };
  switch (route.kind) {
    case 'service': {
      const rewrite = route.rewrite === undefined ? '' : `, path rewritten to ${route.rewrite.prefix}`;
      return { ...common, service: route.service, target: `${route.service}${rewrite}` };
    }
    case 'redirect':
      return { ...common, target: redirectText(route) };
    default:
      return assertNever(route);
  }
}

function pathText(path: PathMatch): string {
  switch (path.kind) {
    case 'exact':
      return `exactly ${path.path}`;
    case 'prefix':
      return path.prefix === '/' ? 'any path' : `${path.prefix} and below`;
    case 'regex':
      return `regex ${path.regex}`;
    default:
      return assertNever(path);
  }
}

function namedText(what: string, { name, value }: NamedMatch): string {
  return value.kind === 'present' ? `${what} ${name}` : `${what} ${name}: ${value.text}`;
}

function redirectText({ redirect: { scheme, host, port, path, status } }: RedirectRoute): string {
  const parts = [
    ...(scheme === undefined ? [] : [`scheme ${scheme}`]),
    ...(host === undefined ? [] : [`host ${host}`]),
    ...(port === undefined ? [] : [`port ${port}`]),
    ...(path === undefined ? [] : [path.kind === 'whole' ? `path ${path.path}` : `prefix ${path.prefix}`]),
  ];
  return `redirect ${status} to ${parts.join(', ')}`;
}
