import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INGRESS_CLASSES, INGRESSES } from '../../../../src/routes/ingress/objects.ts';
import { type IngressOptions, ingressRoutes } from '../../../../src/routes/ingress/translate.ts';
import { DESTINATION_RULES, VIRTUAL_SERVICES } from '../../../../src/routes/istio/objects.ts';
import { SECRETS, SERVICES } from '../../../../src/routes/objects/core.ts';
import { SLOT_POLICIES } from '../../../../src/routes/objects/slot-policy.ts';
import type { ObjectStore } from '../../../../src/routes/objects/store.ts';
import type { Translation, TranslationContext } from '../../../../src/routes/objects/translation.ts';
import { storeOf } from '../objects-of.ts';

const RESOURCES = [INGRESSES, INGRESS_CLASSES, VIRTUAL_SERVICES, DESTINATION_RULES, SERVICES, SECRETS, SLOT_POLICIES];

/** Objects of YAML texts, as an API server would have them. */
export function objectsOf(...texts: readonly string[]): ObjectStore {
  return storeOf(RESOURCES, texts);
}

/** Services `web` and `api` of the namespace `shop`, port 80 called `http`. */
export const SERVICES_YAML = ['web', 'api', 'web-canary']
  .map(
    (name) =>
      `kind: Service\nmetadata: {namespace: shop, name: ${name}}\nspec: {ports: [{name: http, port: 80}]}\n---\n`,
  )
  .join('');

/** An Ingress of class `sluice` in the namespace `shop`. */
export function ingressOf(
  name: string,
  {
    annotations = {},
    spec,
    created = '2026-01-01T00:00:00Z',
  }: { annotations?: Readonly<Record<string, string>>; spec: string; created?: string },
): string {
  return [
    'kind: Ingress',
    `metadata: ${JSON.stringify({ namespace: 'shop', name, uid: name, generation: 1, creationTimestamp: created, annotations })}`,
    'spec:',
    '  ingressClassName: sluice',
    ...spec.split('\n').map((line) => `  ${line}`),
    '---',
    '',
  ].join('\n');
}

/** `rules` of one host with these paths, as they are written in one line each. */
export function rules(host: string, ...paths: readonly string[]): string {
  return [
    `rules:`,
    `- host: ${JSON.stringify(host)}`,
    '  http:',
    '    paths:',
    ...paths.map((path) => `    - ${path}`),
  ].join('\n');
}

/** A path to a Service. */
export function path(written: string, type = 'Prefix', service = 'web', port = '{number: 80}'): string {
  return `{path: ${JSON.stringify(written)}, pathType: ${type}, backend: {service: {name: ${service}, port: ${port}}}}`;
}

/** What these objects come to. */
export function translated(
  objects: ObjectStore,
  options: Partial<IngressOptions> = {},
  context: Partial<TranslationContext> = {},
): Translation {
  const kind = ingressRoutes({
    classes: [],
    ports: { http: 80, https: 443 },
    published: { addresses: [] },
    ...options,
  });
  return kind.translate(objects, { now: '2026-01-02T03:04:05Z', before: new Map(), closed: new Map(), ...context });
}

/** `Warning: what is told`, … of one Ingress. */
export function toldTo({ told = [] }: Translation, name: string): readonly string[] {
  return told.filter(({ object }) => object.metadata.name === name).map(({ type, note }) => `${type}: ${note}`);
}

/** A Secret with a certificate for these hosts. */
export function secretFor(name: string, hosts: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ingress-'));
  const names = hosts.map((host) => `DNS:${host}`).join(',');
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'crt')];
  execFileSync('openssl', [...args, ...files, '-subj', '/CN=test', '-addext', `subjectAltName=${names}`], {
    stdio: 'ignore',
  });
  const encoded = (file: string) => readFileSync(join(folder, file)).toString('base64');
  const data = { 'tls.crt': encoded('crt'), 'tls.key': encoded('key') };
  return `kind: Secret\nmetadata: {namespace: shop, name: ${name}}\ndata: ${JSON.stringify(data)}\n---\n`;
}
