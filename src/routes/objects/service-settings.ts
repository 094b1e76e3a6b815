import { fail, ok, type Result } from '../../base/result.ts';
import type { Locator } from '../../model/locator.ts';
import type { Problem } from '../../model/problem.ts';
import type { Protocol, Service, ServiceName } from '../../model/service.ts';
import { map } from '../file/map.ts';
import { Report } from '../file/report.ts';
import { checkService, toService, unsaid } from '../file/service.ts';
import { serviceFields } from '../file/service-keys.ts';
import { readTree } from '../file/tree.ts';
import type { KubeObject } from './object.ts';
import type { Place, Remarks } from './remark.ts';

// What of a route file's service an object may say: all but where its pods are, which the object itself is;
// nor files, which an object has none of: BackendTLSPolicy says whom to trust.
const { kubernetes: _kubernetes, dns: _dns, static: _static, tls: _tls, ...SETTINGS } = serviceFields;

/** The keys of a SlotPolicy, and of a service of the route file. */
export const settingsFields = SETTINGS;

const settings = map(settingsFields, { example: '{limit: 2}' });

/** Annotations of a Service, and the key path that each stands for. */
const SERVICE_ANNOTATIONS: Readonly<Record<string, readonly string[]>> = {
  'sluice.dev/limit': ['limit'],
  'sluice.dev/queue-max': ['queue', 'max'],
  'sluice.dev/queue-timeout': ['queue', 'timeout'],
  'sluice.dev/request-timeout': ['timeout', 'request'],
  'sluice.dev/connect-timeout': ['timeout', 'connect'],
  'sluice.dev/protocol': ['protocol'],
};

/** Keys as they were written somewhere, nested as in the route file. */
export interface Keys {
  readonly [key: string]: string | number | boolean | Keys;
}

/** What an object says about a service, and who says it, for messages. */
export interface Words {
  readonly subject: string;
  readonly keys: Keys;
}

/** A number where it is one: annotations are always text, and the route file has numbers without quotes. */
export function numeric(text: string): string | number {
  return /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : text;
}

/** What a Service's annotations say, by the text of each. */
export function annotationKeys(textOf: (annotation: string) => string | undefined): Keys {
  const keys: Record<string, Keys[string]> = {};
  for (const [annotation, [first = '', second]] of Object.entries(SERVICE_ANNOTATIONS)) {
    const text = textOf(annotation);
    if (text === undefined) continue;
    const inner = keys[first];
    const nested = typeof inner === 'object' ? inner : {};
    keys[first] = second === undefined ? numeric(text) : { ...nested, [second]: numeric(text) };
  }
  return keys;
}

/** What a Service's annotations say; undefined: nothing. */
export function annotationWords({ metadata }: KubeObject): Words | undefined {
  const keys = annotationKeys((annotation) => metadata.annotations?.[annotation]);
  if (Object.keys(keys).length === 0) return undefined;
  return { subject: `Service ${metadata.namespace ?? ''}/${metadata.name}`, keys };
}

/** A service that is told what the words say; `protocol` holds where they say none. Errors: everything wrong with them. */
export function settle(
  name: ServiceName,
  locator: Locator,
  words: Words | undefined,
  protocol: Protocol,
): Result<Service, Problem> {
  if (words === undefined) return ok({ ...toService(name, locator, unsaid()), protocol });
  const report = new Report(words.subject);
  // JSON is YAML: so the same tables read it, and say the same about it.
  const tree = readTree(JSON.stringify(words.keys), {}, report);
  const read = tree === undefined ? undefined : settings.read(tree, '', report);
  if (read === undefined || report.hasErrors) return fail(...withoutPositions(report.problems));
  const whole = { ...unsaid(), ...read };
  checkService(whole, report);
  if (report.hasErrors) return fail(...withoutPositions(report.problems));
  const service = toService(name, locator, whole);
  return ok(words.keys['protocol'] === undefined ? { ...service, protocol } : service);
}

/** Everything that is wrong with the words, whatever the Service: they are read the same way for all. */
export function faultsOf(words: Words): readonly Problem[] {
  const settled = settle('any' as ServiceName, { kind: 'static', addresses: [] }, words, 'http1');
  return settled.ok ? [] : settled.errors;
}

/** What of the words can be read; what cannot is told, and not said. `places`: where each first key is said. */
export function readableWords(words: Words, places: ReadonlyMap<string, Place>, remarks: Remarks): Words | undefined {
  if (Object.keys(words.keys).length === 0) return undefined;
  const bad = faultsOf(words).map(({ path = '', message, fix }) => {
    const key = /^[a-z_0-9]+/.exec(path)?.[0] ?? '';
    const place = places.get(key);
    if (place !== undefined) remarks.refuse(place, message, fix ?? 'write another value');
    return key;
  });
  const good = Object.entries(words.keys).filter(([key]) => !bad.includes(key));
  return good.length === 0 ? undefined : { subject: words.subject, keys: Object.fromEntries(good) };
}

/** Lines of a text that nobody has seen. */
function withoutPositions(problems: readonly Problem[]): readonly Problem[] {
  return problems.map(({ position: _, ...problem }) => problem);
}
