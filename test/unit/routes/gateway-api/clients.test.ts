import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { conditionsOf, objectsOf, translated } from './world.ts';

function makePair(): { readonly cert: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-clients-'));
  const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'cert')];
  const subject = ['-subj', '/CN=x.example', '-days', '90'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files], { stdio: 'ignore' });
  const pair = { cert: readFileSync(join(folder, 'cert'), 'utf8'), key: readFileSync(join(folder, 'key'), 'utf8') };
  rmSync(folder, { recursive: true });
  return pair;
}

const pair = makePair();
const base64 = (text: string) => Buffer.from(text).toString('base64');

const OBJECTS = [
  { kind: 'GatewayClass', metadata: { name: 'sluice' }, spec: { controllerName: 'sluice.dev/gateway-controller' } },
  {
    kind: 'Secret',
    metadata: { namespace: 'shop', name: 'tls' },
    data: { 'tls.crt': base64(pair.cert), 'tls.key': base64(pair.key) },
  },
  { kind: 'ConfigMap', metadata: { namespace: 'shop', name: 'ca' }, data: { 'ca.crt': pair.cert } },
].map((one) => stringify(one));

function gateway(frontend: object): string {
  const tls = { certificateRefs: [{ name: 'tls' }] };
  const listeners = [443, 8443].map((port) => ({ name: `at-${port}`, port, protocol: 'HTTPS', tls }));
  const spec = { gatewayClassName: 'sluice', listeners, tls: { frontend } };
  return stringify({ kind: 'Gateway', metadata: { namespace: 'shop', name: 'edge' }, spec });
}

const asks = (name: string, mode?: string) => ({
  validation: { caCertificateRefs: [{ name }], ...(mode === undefined ? {} : { mode }) },
});

test('clients are asked for certificates, at a port that has its own rule by that', () => {
  const perPort = [{ port: 8443, tls: asks('ca', 'AllowInsecureFallback') }];
  const translation = translated(objectsOf(...OBJECTS, gateway({ default: asks('ca'), perPort })));
  expect(translation.part.listeners.map(({ port, tls }) => [port, tls?.clients?.required])).toEqual([
    [443, true],
    [8443, false],
  ]);
  expect(conditionsOf(translation, 'Gateway shop/edge')).toEqual([
    'Accepted=True Accepted',
    'Programmed=True Programmed',
    'InsecureFrontendValidationMode=True ConfigurationChanged',
  ]);
});

test('a listener whose authority is not there is not opened: everybody would be let in', () => {
  const perPort = [{ port: 8443, tls: {} }];
  const translation = translated(objectsOf(...OBJECTS, gateway({ default: asks('none'), perPort })));
  expect(translation.part.listeners.map(({ port, tls }) => [port, tls?.clients])).toEqual([[8443, undefined]]);
  expect(conditionsOf(translation, 'Gateway shop/edge', 'listeners.0.conditions')).toEqual([
    'Accepted=False NoValidCACertificate',
    'Conflicted=False NoConflicts',
    'ResolvedRefs=False InvalidCACertificateRef',
    'Programmed=False Invalid',
  ]);
});
