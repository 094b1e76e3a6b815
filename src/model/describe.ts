import { assertNever } from '../base/assert-never.ts';
import { formatDuration } from '../base/duration.ts';
import { formatStaticPod, type Locator } from './locator.ts';
import type { NamedMatch, PathChange, PathMatch, RouteMatch } from './route.ts';
import type { Fair, Priority } from './service.ts';

/** `prefix /v1/`: which paths are taken, as the route file says it. */
export function describePath(path: PathMatch): string {
  switch (path.kind) {
    case 'exact':
      return `path ${path.path}`;
    case 'prefix':
      return `prefix ${path.prefix}`;
    case 'start':
      return `beginning ${path.prefix}`;
    case 'regex':
      return `regex ${path.regex}`;
    default:
      return assertNever(path);
  }
}

/** What is written of a path, whatever it is: `/v1/`. */
export function writtenPath(path: PathMatch): string {
  return path.kind === 'exact' ? path.path : path.kind === 'regex' ? path.regex : path.prefix;
}

/** `prefix /v1/, hosts infer.example, methods POST`: all conditions. */
export function describeMatch({ path, hosts, methods, headers, query }: RouteMatch): string {
  return [
    describePath(path),
    ...(hosts.length === 0 ? [] : [`hosts ${hosts.join(' ')}`]),
    ...(methods.length === 0 ? [] : [`methods ${methods.join(' ')}`]),
    ...headers.map((header) => `header ${describeNamed(header)}`),
    ...query.map((parameter) => `query ${describeNamed(parameter)}`),
  ].join(', ');
}

function describeNamed({ name, value }: NamedMatch): string {
  switch (value.kind) {
    case 'present':
      return name;
    case 'exact':
      return `${name}=${value.text}`;
    case 'regex':
      return `${name}~${value.regex}`;
    default:
      return assertNever(value);
  }
}

/** What becomes of a path, in words. */
export function describePathChange(change: PathChange): string {
  switch (change.kind) {
    case 'prefix':
      return `prefix ${change.prefix}`;
    case 'whole':
      return `path ${change.path}`;
    case 'regex':
      return `path ${change.substitution} of ${change.regex}`;
    default:
      return assertNever(change);
  }
}

/** `high before normal before low (after 1m as high), by header x-priority, else normal`. */
export function describePriority({ header, classes, usual }: Priority): string {
  const [highest] = classes;
  const names = classes.map(({ name, maxWait }) =>
    maxWait === 0 ? name : `${name} (after ${formatDuration(maxWait)} as ${highest?.name})`,
  );
  return `${names.join(' before ')}, ${header === undefined ? 'by route' : `by header ${header}`}, else ${usual}`;
}

/** `in turn by header x-tenant, gold has 4 turns; of each at most 100 wait`. */
export function describeFair({ by, weights, maxWaiting, maxSlots }: Fair): string {
  const shares = weights.map(({ tenant, weight }) => `, ${tenant} has ${weight} turns`).join('');
  const bounds = [
    ...(maxWaiting === 0 ? [] : [`at most ${maxWaiting} wait`]),
    ...(maxSlots === 0 ? [] : [`at most ${maxSlots} slots are in use`]),
  ];
  return `in turn by ${tenantText(by)}${shares}${bounds.length === 0 ? '' : `; of each ${bounds.join(' and ')}`}`;
}

function tenantText(by: Fair['by']): string {
  switch (by.kind) {
    case 'header':
      return `header ${by.name}`;
    case 'address':
      return 'client address';
    case 'certificate':
      return 'client certificate';
    case 'metadata':
      return `metadata ${by.path.join(' ')}`;
    default:
      return assertNever(by);
  }
}

/** Where the pods are, in words. */
export function describeLocator(locator: Locator): string {
  switch (locator.kind) {
    case 'kubernetes': {
      const namespace = locator.namespace === undefined ? '' : `${locator.namespace}/`;
      return `Kubernetes Service ${namespace}${locator.service}, ${locator.port.kind} port ${locator.port.port}`;
    }
    case 'dns':
      return `what DNS says of ${locator.host}, port ${locator.port}`;
    case 'static':
      return locator.addresses.length === 0 ? 'none' : locator.addresses.map(formatStaticPod).join(', ');
    default:
      return assertNever(locator);
  }
}
