import { fail, ok, type Result } from '../../base/result.ts';
import { merge } from '../../model/merge.ts';
import type { Position, Problem } from '../../model/problem.ts';
import type { RouteFile } from '../file/parse.ts';
import { gatewayApi } from '../gateway-api/translate.ts';
import { INGRESSES } from '../ingress/objects.ts';
import { ingressRoutes } from '../ingress/translate.ts';
import { istioRoutes } from '../istio/translate.ts';
import { readDocuments } from '../objects/documents.ts';
import { newFaults } from '../objects/event.ts';
import { type KubeObject, keyOf, type Resource } from '../objects/object.ts';
import { slotPolicyStatuses } from '../objects/slot-policy.ts';
import { ObjectStore } from '../objects/store.ts';
import type { RouteKind } from '../objects/translation.ts';
import type { Value } from '../objects/value.ts';
import { assume } from './assume.ts';
import { misshapen, ROUTE_KINDS, SHAPES } from './shape.ts';

/** A file's name, as the user gave it, and its text. */
export interface ManifestText {
  readonly file: string;
  readonly text: string;
}

/** What the objects of some files come to. */
export type Manifests = Omit<RouteFile, 'lbagent'>;

/** All kinds of routes, as a cluster with one Sluice would have them. */
function kinds(): readonly RouteKind[] {
  return [
    gatewayApi({ pool: [], published: { addresses: [] } }),
    ingressRoutes({ classes: [], ports: { http: 80, https: 443 }, published: { addresses: [] } }),
    istioRoutes({ ports: { http: 80, https: 443 }, certificates: [] }),
    slotPolicyStatuses,
  ];
}

/** Whether a text is one of objects that say where requests go, and no route file. */
export function isManifest(text: string): boolean {
  return [...text.matchAll(/^\s*"?kind"?:\s*"?([A-Za-z]+)"?,?\s*$/gm)].some(
    ([, kind = '']) => ROUTE_KINDS.has(kind) || kind === 'List' || kind === 'IngressList',
  );
}

/** An object in a file. */
interface Found {
  readonly file: string;
  readonly kind: string;
  readonly value: Value;
  /** `Ingress shop/web` */
  readonly subject: string;
}

/**
 * What objects in files come to, each as if it were Sluice's, whatever its class. Errors: files that are no YAML, objects that no API
 * server would take, and objects that would be told not to be served as they are.
 */
export function readManifests(texts: readonly ManifestText[]): Result<Manifests, Problem> {
  const errors: Problem[] = [];
  const found = texts.flatMap(({ file, text }): readonly Found[] => {
    const documents = readDocuments(file, text);
    if (!documents.ok) errors.push(...documents.errors);
    return documents.ok ? documents.value.flatMap((value) => open(file, value)) : [];
  });
  const objects = new ObjectStore();
  const all = kinds();
  const resources = new Map(
    all.flatMap((kind) => kind.resources.map((resource: Resource<KubeObject>) => [resource.kind, resource] as const)),
  );
  const warnings: Problem[] = [];
  for (const one of found) {
    const resource = resources.get(one.kind);
    if (resource === undefined) {
      warnings.push({
        ...placeIn(one, ''),
        severity: 'warning',
        subject: one.file,
        message: `${one.subject} is not looked at`,
      });
    } else errors.push(...put(objects, resource, one));
  }
  if (errors.length > 0) return fail(...errors);
  const assumed = assume(objects);
  const file = texts.map((one) => one.file).join(', ');
  const missing = [
    ...assumed.services.map((key) => `Service ${key} is not there: it is taken to have the ports that are named`),
    ...assumed.gateways.map((key) => `Gateway ${key} is not there: it is taken to have every host at port 80`),
  ];
  warnings.push(...missing.map((message): Problem => ({ severity: 'warning', subject: file, message })));
  return translate(all, objects, { found, warnings });
}

function translate(
  all: readonly RouteKind[],
  objects: ObjectStore,
  { found, warnings }: { readonly found: readonly Found[]; readonly warnings: readonly Problem[] },
): Result<Manifests, Problem> {
  const bySubject = new Map(found.map((one) => [one.subject, one]));
  const context = { now: '1970-01-01T00:00:00Z', before: new Map(), closed: new Map() };
  const translations = all.map((kind) => kind.translate(objects, context));
  const { routing, problems } = merge(translations.map(({ part }) => part));
  const faults = translations.flatMap(({ statuses }) =>
    statuses.flatMap(({ resource, object, status }): readonly Problem[] => {
      const subject = `${resource.kind} ${keyOf(object.metadata).replace(/^\//, '')}`;
      return newFaults(undefined, status).map(({ type, message }) => ({
        severity: 'error',
        subject,
        message: `${type}: ${message}`,
      }));
    }),
  );
  const notes = translations.flatMap(({ told = [] }) =>
    told
      .filter(({ type }) => type === 'Normal')
      .flatMap(({ resource, object, note }) => {
        const subject = `${resource.kind} ${keyOf(object.metadata)}`;
        return note.split('\n').map((line): Problem => noteOf(subject, line));
      }),
  );
  const placed = [...problems, ...faults, ...notes].map((problem) => inFile(problem, bySubject));
  // What a cluster has and files need not: a Gateway of ours is assumed to be there.
  const errors = placed.filter(({ severity, message }) => severity === 'error' && !/^Programmed: /.test(message));
  const places = new Map(routing.routes.flatMap(({ name }) => placeOfRoute(name, bySubject)));
  if (errors.length > 0)
    return fail(...errors, ...placed.filter(({ severity }) => severity === 'warning'), ...warnings);
  return ok({ routing, warnings: [...placed.filter(({ severity }) => severity === 'warning'), ...warnings], places });
}

/** `path: message; fix`, as an object is told it. */
function noteOf(subject: string, text: string): Problem {
  const [, path, rest = text] = /^([a-z][^\s]*): (.*)$/s.exec(text) ?? [];
  return { severity: 'warning', subject, ...(path === undefined ? {} : { path }), message: rest };
}

function open(file: string, value: Value): readonly Found[] {
  const kind = value.textAt('kind') ?? '';
  if (kind.endsWith('List')) return value.list('items').flatMap((item) => open(file, item));
  if (kind === '') return [];
  const name = value.textAt('metadata', 'name') ?? '';
  const namespace = value.textAt('metadata', 'namespace') ?? 'default';
  return [{ file, kind, value, subject: `${kind} ${UNSPACED.has(kind) ? '' : `${namespace}/`}${name}` }];
}

/** Kinds without a namespace. */
const UNSPACED = new Set(['GatewayClass', 'IngressClass', 'Namespace']);

/** Puts an object in as an API server would have it. Errors: why none would. */
function put(objects: ObjectStore, resource: Resource<KubeObject>, one: Found): readonly Problem[] {
  const json = one.value.json();
  const shape = SHAPES[one.kind];
  const wrong = [
    ...(one.value.textAt('metadata', 'name') === undefined ? [{ path: 'metadata.name', must: 'must be there' }] : []),
    ...(shape === undefined ? [] : misshapen(json, shape)),
  ];
  if (wrong.length > 0) {
    return wrong.map(({ path, must }) => ({
      ...placeIn(one, path),
      severity: 'error',
      subject: one.file,
      message: `${one.subject}: ${path} ${must}`,
      fix: 'an API server would reject it',
    }));
  }
  // Of the shape that its kind must have, as was seen.
  const object = json as KubeObject;
  const namespace = UNSPACED.has(one.kind) ? {} : { namespace: object.metadata.namespace ?? 'default' };
  const whole = { ...object, metadata: { ...object.metadata, ...namespace } };
  objects.put(resource, resource.read(one.kind === 'Ingress' ? ours(whole) : whole));
  return [];
}

/** Whatever its class. */
function ours(object: KubeObject): KubeObject {
  const { spec } = INGRESSES.read(object);
  const { 'kubernetes.io/ingress.class': _, ...annotations } = object.metadata.annotations ?? {};
  return {
    ...object,
    metadata: { ...object.metadata, annotations },
    ...{ spec: { ...spec, ingressClassName: 'sluice' } },
  };
}

function placeIn({ value }: Found, path: string): { readonly position: Position } {
  return { position: value.placeOf(path) };
}

/** A problem of an object, where its file has it. */
function inFile(problem: Problem, bySubject: ReadonlyMap<string, Found>): Problem {
  const found = bySubject.get(problem.subject);
  if (found === undefined) return problem;
  const { path: _, ...rest } = problem;
  const where = problem.path === undefined ? '' : `${problem.path}: `;
  return {
    ...rest,
    ...placeIn(found, problem.path ?? ''),
    subject: found.file,
    message: `${problem.subject}: ${where}${problem.message}`,
  };
}

/** `Ingress shop/web rules[0].paths[1]`: the line of the path. */
function placeOfRoute(name: string, bySubject: ReadonlyMap<string, Found>): readonly (readonly [string, Position])[] {
  const [, subject = '', path = ''] = /^(\S+ \S+) ?(\S*)/.exec(name) ?? [];
  const found = bySubject.get(subject);
  if (found === undefined) return [];
  return [[name, found.value.placeOf(`spec.${path.replace('.paths[', '.http.paths[')}`)]];
}
