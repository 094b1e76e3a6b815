import { fail, ok, type Result } from '../../base/result.ts';
import type { Problem } from '../../model/problem.ts';
import { parseRouteFile } from '../file/parse.ts';
import { readDocuments } from '../objects/documents.ts';
import type { Value } from '../objects/value.ts';
import { Draft, type Finding, fullName, Subject } from './draft.ts';
import { importEnvoy, isEnvoy } from './envoy.ts';
import { importGatewayRoute, KnownGateways } from './gateway.ts';
import { importIngress } from './ingress.ts';
import { importIstioGateway, Mesh } from './istio.ts';
import { KubeServices } from './kube-services.ts';
import { importLbagent, isLbagent } from './lbagent.ts';
import { writeRouteFile } from './write.ts';

/** A file to import: its name, as the user gave it, and its text. */
export interface SourceText {
  readonly file: string;
  readonly text: string;
}

/** What came of the files. */
export interface Imported {
  /** A route file that can be used. */
  readonly text: string;
  /** What is not in it, or a little different, in the order of the files. */
  readonly findings: readonly Finding[];
}

/** An object of the Kubernetes API, in a file. */
interface FoundObject {
  readonly subject: Subject;
  readonly kind: string;
  readonly value: Value;
}

/** Kinds that say something about where requests go, and that are not understood. */
const UNKNOWN: Readonly<Record<string, string>> = {
  TCPRoute: 'Sluice takes HTTP',
  TLSRoute: 'Sluice ends TLS itself: write an HTTPRoute',
  UDPRoute: 'Sluice takes HTTP',
  IngressRoute: 'write its rules as routes by hand',
  HTTPProxy: 'write its rules as routes by hand',
  Mapping: 'write its rules as routes by hand',
  EnvoyFilter: 'keep an Envoy with it in front',
  AuthorizationPolicy: 'keep what it protects behind a proxy that holds it',
  RequestAuthentication: 'keep what it protects behind a proxy that holds it',
};

/**
 * Makes one route file of Ingresses and other configurations. Errors: files that are no YAML, or have nothing in them that
 * could be imported.
 */
export function importFiles(sources: readonly SourceText[]): Result<Imported, Problem> {
  const draft = new Draft();
  const services = new KubeServices();
  const objects: FoundObject[] = [];
  const errors: Problem[] = [];
  for (const { file, text } of sources) {
    const documents = readDocuments(file, text);
    if (!documents.ok) {
      errors.push(...documents.errors);
      continue;
    }
    const found = documents.value.flatMap((value) => open(draft, file, value));
    if (!found.some(({ kind }) => IMPORTERS.has(kind) || UNKNOWN[kind] !== undefined)) {
      const message = 'there is nothing in it that can be imported';
      errors.push({ severity: 'error', subject: file, message, fix: `name a file with ${KINDS}` });
    }
    objects.push(...found);
  }
  if (errors.length > 0) return fail(...errors);
  const importing: Importing = { services, gateways: new KnownGateways(), mesh: new Mesh(services) };
  for (const one of IN_TURN) {
    for (const { subject, kind, value } of objects)
      if (kind === one) IMPORTERS.get(kind)?.({ subject, value, ...importing });
  }
  for (const { subject, kind, value } of objects) {
    const unknown = UNKNOWN[kind];
    if (IN_TURN.includes(kind)) continue;
    if (unknown !== undefined) subject.refuse(value.at, 'is not understood', unknown);
    else IMPORTERS.get(kind)?.({ subject, value, ...importing });
  }
  for (const { subject, kind, value } of objects) {
    if (kind === 'DestinationRule') importing.mesh.addDestinationRule(subject, value);
  }
  return ok(
    settle(
      draft,
      sources.map(({ file }) => file),
    ),
  );
}

const KINDS = 'Ingresses, HTTPRoutes, VirtualServices, an envoy.yaml, or a config.yaml of k8s-service-lbagent';

/** What is known of all files together. */
interface Importing {
  readonly services: KubeServices;
  readonly gateways: KnownGateways;
  readonly mesh: Mesh;
}

interface One extends Importing {
  readonly subject: Subject;
  readonly value: Value;
}

/** Kinds that come before all others, which ask them. */
const IN_TURN: readonly string[] = ['Service', 'Gateway'];

/** What is done with each kind. */
const IMPORTERS: ReadonlyMap<string, (one: One) => void> = new Map([
  ['Service', ({ value, services }: One) => services.add(value)],
  ['Gateway', importGateway],
  ['Ingress', ({ subject, value, services }: One) => importIngress(subject, value, services)],
  ['HTTPRoute', (one: One) => importGatewayRoute(one.subject, one.value, { ...one, kind: 'HTTPRoute' })],
  ['GRPCRoute', (one: One) => importGatewayRoute(one.subject, one.value, { ...one, kind: 'GRPCRoute' })],
  ['VirtualService', ({ subject, value, mesh }: One) => mesh.addVirtualService(subject, value)],
  // After all others: it says more of services that they lead to.
  ['DestinationRule', () => {}],
  ['lbagent', ({ subject, value, services }: One) => importLbagent(subject, value, services)],
  [
    'envoy',
    ({ subject, value }: One) => importEnvoy((object) => new Subject(subject.draft, subject.file, object), value),
  ],
]);

/** Two APIs have this kind. */
function importGateway({ subject, value, gateways }: One): void {
  if (value.textAt('apiVersion')?.startsWith('networking.istio.io/')) importIstioGateway(subject, value);
  else gateways.add(subject, value);
}

/** The objects of a document: a List holds several, and a ConfigMap may hold a whole file. */
function open(draft: Draft, file: string, value: Value): readonly FoundObject[] {
  if (isEnvoy(value)) return [{ subject: new Subject(draft, file, 'envoy'), kind: 'envoy', value }];
  const kind = value.textAt('kind');
  if (kind === undefined) {
    return isLbagent(value) ? [{ subject: new Subject(draft, file, 'lbagent'), kind: 'lbagent', value }] : [];
  }
  if (kind.endsWith('List')) return value.list('items').flatMap((item) => open(draft, file, item));
  const name = fullName({
    namespace: value.textAt('metadata', 'namespace'),
    name: value.textAt('metadata', 'name') ?? '',
  });
  if (kind === 'ConfigMap') return openConfigMap(draft, file, value, name);
  return [{ subject: new Subject(draft, file, `${kind} ${name}`), kind, value }];
}

/** What is in a ConfigMap has lines of its own; they are counted from where its text begins. */
function openConfigMap(draft: Draft, file: string, value: Value, name: string): readonly FoundObject[] {
  const data = value.get('data');
  return (data?.keys() ?? []).flatMap(({ key, at }) => {
    const text = data?.get(key)?.block();
    if (text === undefined) return [];
    const documents = readDocuments(file, `${'\n'.repeat(at.line)}${text}`);
    if (!documents.ok) return [];
    return documents.value.flatMap((inner) =>
      open(draft, file, inner).map((found) =>
        found.kind === 'lbagent' ? { ...found, subject: new Subject(draft, file, `ConfigMap ${name}`) } : found,
      ),
    );
  });
}

/** Leaves out what the route file's own parser refuses, and says so, until it takes the rest. */
function settle(draft: Draft, files: readonly string[]): Imported {
  for (;;) {
    const written = writeRouteFile(draft, files);
    const parsed = parseRouteFile(written.text, { path: 'routes.yaml', env: {}, baseDir: '/' });
    if (parsed.ok) return { text: written.text, findings: inOrder(draft.findings, files) };
    let dropped = 0;
    const bad = new Set<unknown>();
    for (const { path = '', message, fix = 'write it by hand' } of parsed.errors) {
      const [, name] = /^services(?:\.([^.[]+)|\["([^"]+)"\])/.exec(path) ?? [];
      const quoted = /^services\["([^"]+)"\]/.exec(path)?.[1];
      const service = written.services.get(quoted ?? name ?? '');
      const route = written.routes[Number(/^routes\[(\d+)\]/.exec(path)?.[1] ?? -1)];
      const thing = service ?? route;
      if (thing === undefined || bad.has(thing)) continue;
      bad.add(thing);
      dropped++;
      const what = service === undefined ? 'a route' : `service ${service.name}`;
      const key = path.replace(/^(services(\.[^.[]+|\["[^"]+"\])|routes\[\d+\])\.?/, '');
      const said = `${what} is left out: ${key === '' ? '' : `${key}: `}${message.replaceAll(/routes\[\d+\] on line \d+/g, 'another route')}`;
      draft.findings.push({ ...thing.origin, refused: true, message: said, fix });
      if (service !== undefined) drop(draft, service.key);
      else draft.routes.splice(0, draft.routes.length, ...draft.routes.filter((one) => one !== route));
    }
    if (dropped > 0) continue;
    if (draft.listen === undefined)
      throw new Error(`an imported file cannot be read: ${JSON.stringify(parsed.errors)}`);
    draft.listen = undefined;
  }
}

/** A service, and the routes that lead to it. */
function drop(draft: Draft, key: string): void {
  draft.services.delete(key);
  draft.routes.splice(0, draft.routes.length, ...draft.routes.filter(({ service }) => service !== key));
}

function inOrder(findings: readonly Finding[], files: readonly string[]): readonly Finding[] {
  return findings.toSorted((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.at.line - b.at.line);
}
