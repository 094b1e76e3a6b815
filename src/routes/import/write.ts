import { assertNever } from '../../base/assert-never.ts';
import type { NamedMatch, PathMatch, RouteMatch } from '../../model/route.ts';
import { checkServiceName } from '../file/names.ts';
import {
  type Draft,
  type DraftRoute,
  type DraftService,
  type Finding,
  isMap,
  type Origin,
  type Yaml,
  type YamlMap,
} from './draft.ts';

/** A draft as text. */
export interface Written {
  readonly text: string;
  /** The services by the name that each got. */
  readonly services: ReadonlyMap<string, DraftService>;
  /** The routes in the order of the text. */
  readonly routes: readonly DraftRoute[];
}

/** Where Envoy takes requests when no file says so. */
const PORT = 8080;

/** Writes the route file, with comments that say where each part comes from and what is missing. */
export function writeRouteFile({ services, routes, listen, findings }: Draft, files: readonly string[]): Written {
  const names = nameServices([...services.values()]);
  const named = new Map([...names].map(([key, name]) => [name, services.get(key)] as const));
  const blocks = [...services.values()].map((service) => serviceBlock(names.get(service.key) ?? service.name, service));
  const text = [
    `# Written by \`sluice import\` from ${files.join(', ')}.`,
    '# Check it: sluice validate FILE. Every key: docs/route-file.md.',
    ...findingLines(findings),
    'version: 1',
    '',
    'listen:',
    ...Object.entries({ port: PORT, ...listen }).map(([key, value]) => `  ${key}: ${flow(value)}`),
    '',
    blocks.length === 0 ? 'services: {}' : 'services:',
    ...blocks.map((block) => `${block}`),
    routes.length === 0 ? 'routes: []' : 'routes:',
    ...routes.flatMap((route) => routeLines(route, names)),
    '',
  ].join('\n');
  const known = [...named].flatMap(([name, service]) => (service === undefined ? [] : [[name, service] as const]));
  return { text, services: new Map(known), routes: [...routes] };
}

/** A finding as the command prints it: `FILE:LINE: kind ns/name: what; what to do instead`. */
export function formatFinding({ file, at, object, refused, message, fix }: Finding): string {
  return `${file}:${at.line}: ${object}: ${refused ? '' : 'note: '}${message}; ${fix}`;
}

function findingLines(findings: readonly Finding[]): readonly string[] {
  const refused = findings.filter((one) => one.refused);
  if (refused.length === 0) return [];
  return ['#', '# Not in it:', ...refused.map((one) => `#   ${plain(formatFinding(one))}`), ''];
}

/** A comment ends with its line. */
function plain(text: string): string {
  return text.replaceAll(/[\r\n\u0085\u2028\u2029]+/g, ' ');
}

/** Each service's name by its key: the short one where it is the only one. */
function nameServices(services: readonly DraftService[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const wished = Map.groupBy(services, ({ name }) => allowed(name));
  for (const { key, name, longName } of services) {
    const short = allowed(name);
    const base = (wished.get(short)?.length ?? 0) > 1 ? allowed(longName) : short;
    let own = base;
    for (let n = 2; taken.has(own); n++) own = `${base.slice(0, 59)}-${n}`;
    taken.add(own);
    names.set(key, own);
  }
  return names;
}

function allowed(name: string): string {
  const small = name.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-');
  const trimmed = small
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63)
    .replace(/[^a-z0-9]+$/, '');
  return checkServiceName(trimmed).ok ? trimmed : 'service';
}

function serviceBlock(name: string, { origin, locator, settings }: DraftService): string {
  const limit =
    settings['limit'] === undefined
      ? ['    # limit: 1    # requests one pod may hold at a time; the rest would wait in a queue']
      : [`    limit: ${flow(settings['limit'])}`];
  const rest = Object.entries(settings).filter(([key]) => key !== 'limit');
  return [
    `  ${scalar(name)}:    # ${from(origin)}`,
    ...Object.entries(locator).map(([key, value]) => `    ${key}: ${flow(value)}`),
    ...limit,
    ...rest.map(([key, value]) => `    ${key}: ${flow(value)}`),
    '',
  ].join('\n');
}

function routeLines({ origin, match, service, keys }: DraftRoute, names: ReadonlyMap<string, string>): string[] {
  return [
    `  # ${from(origin)}`,
    `  - match: ${flow(matchKeys(match))}`,
    ...(service === undefined ? [] : [`    service: ${scalar(names.get(service) ?? service)}`]),
    ...Object.entries(keys).map(([key, value]) => `    ${key}: ${flow(value)}`),
  ];
}

function from({ object, file, at }: Origin): string {
  return plain(`${object}, ${file}:${at.line}`);
}

function matchKeys({ path, hosts, methods, headers, query }: RouteMatch): YamlMap {
  return {
    ...pathKeys(path),
    ...(hosts.length === 0 ? {} : { hosts }),
    ...(methods.length === 0 ? {} : { methods }),
    ...(headers.length === 0 ? {} : { headers: conditions(headers) }),
    ...(query.length === 0 ? {} : { query: conditions(query) }),
  };
}

function pathKeys(path: PathMatch): YamlMap {
  switch (path.kind) {
    case 'exact':
      return { path: path.path };
    case 'prefix':
    case 'start':
      return { prefix: path.prefix };
    case 'regex':
      return { regex: path.regex };
    default:
      return assertNever(path);
  }
}

/** Conditions by regular expression have been refused before. */
function conditions(named: readonly NamedMatch[]): YamlMap {
  return Object.fromEntries(named.map(({ name, value }) => [name, value.kind === 'exact' ? value.text : true]));
}

/** A value on one line. */
function flow(value: Yaml): string {
  if (typeof value === 'string') return scalar(value);
  if (typeof value !== 'object') return String(value);
  if (!isMap(value)) return `[${value.map(flow).join(', ')}]`;
  return `{${Object.entries(value)
    .map(([key, inner]) => `${scalar(key)}: ${flow(inner)}`)
    .join(', ')}}`;
}

/** A text as YAML reads it back, in quotes where it would be something else; a route file's placeholders are escaped. */
function scalar(text: string): string {
  const escaped = text.replaceAll(/\$(?=\{)/g, '$$$$');
  if (/^[A-Za-z/][A-Za-z0-9_./-]*$/.test(escaped) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(escaped)) {
    return escaped;
  }
  if (/^\d+(ms|s|m|h)(\d+(ms|s|m|h))*$/.test(escaped)) return escaped;
  if (/^\d+\.\d+\.\d+\.\d+:\d+$/.test(escaped)) return escaped;
  return escaped.includes('\\') && /^[ -~]*$/.test(escaped)
    ? `'${escaped.replaceAll("'", "''")}'`
    : JSON.stringify(escaped);
}
