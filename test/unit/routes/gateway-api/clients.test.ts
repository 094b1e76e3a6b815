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

const TO_PODS = [
  { kind: 'Service', metadata: { namespace: 'shop', name: 'codec' }, spec: { ports: [{ port: 443 }] } },
  {
    kind: 'BackendTLSPolicy',
    metadata: { namespace: 'shop', name: 'codec' },
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: 'codec' }],
      validation: { hostname: 'codec.example', caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'ca' }] },
    },
  },
].map((one) => stringify(one));

/** A Gateway that shows pods this, with a route to `codec`. */
function shows(name: string, clientCertificateRef?: object, namespace = 'shop'): string {
  const listeners = [{ name: 'http', port: 80, protocol: 'HTTP', hostname: `${name}.example` }];
  const tls = clientCertificateRef === undefined ? {} : { tls: { backend: { clientCertificateRef } } };
  const backendRefs = [{ name: 'codec', namespace: 'shop', port: 443 }];
  const route = { parentRefs: [{ name }], rules: [{ backendRefs }] };
  return [
    { kind: 'Gateway', metadata: { namespace, name }, spec: { gatewayClassName: 'sluice', listeners, ...tls } },
    { kind: 'HTTPRoute', metadata: { namespace, name }, spec: route },
  ]
    .map((one) => stringify(one))
    .join('---\n');
}

test('pods that are spoken to by TLS are shown the certificate of the Gateways that lead to them', () => {
  const own = translated(objectsOf(...OBJECTS, ...TO_PODS, shows('a', { name: 'tls' }), shows('b', { name: 'tls' })));
  expect(own.part.services).toMatchObject([{ name: 'shop/codec/443', tls: { certificate: { name: 'shop/tls' } } }]);
  expect(conditionsOf(own, 'Gateway shop/a')).toEqual([
    'Accepted=True Accepted',
    'Programmed=True Programmed',
    'ResolvedRefs=True ResolvedRefs',
  ]);
  expect(own.part.problems).toEqual([]);
});

test('no Gateway lends its certificate to another one, and a route that may not lead to a Service changes nothing', () => {
  const torn = translated(objectsOf(...OBJECTS, ...TO_PODS, shows('a', { name: 'tls' }), shows('b')));
  expect(torn.part.services.map(({ tls }) => tls?.certificate)).toEqual([undefined]);
  expect(torn.part.routes).toHaveLength(2);
  const message =
    'Service shop/codec: its pods are shown no certificate, for the Gateways shop/a and shop/b lead to it and do not have the same clientCertificateRef';
  expect(torn.part.problems).toMatchObject([{ severity: 'warning', subject: 'BackendTLSPolicy shop/codec', message }]);
  expect(JSON.stringify(torn.statuses)).toContain(message);
  const stranger = shows('b', undefined, 'elsewhere');
  const kept = translated(objectsOf(...OBJECTS, ...TO_PODS, shows('a', { name: 'tls' }), stranger));
  expect(kept.part.services.map(({ tls }) => tls?.certificate?.kind)).toEqual(['inline']);
});

test.each([
  ['InvalidClientCertificateRef', { name: 'none' }, 'there is no Secret shop/none'],
  ['InvalidClientCertificateRef', { kind: 'Bucket', name: 'tls' }, 'Bucket tls is no Secret'],
  ['RefNotPermitted', { name: 'tls', namespace: 'other' }, 'no ReferenceGrant in namespace other'],
])('a certificate for pods that cannot be had is %s, and the Gateway serves on without it', (reason, ref, message) => {
  const translation = translated(objectsOf(...OBJECTS, ...TO_PODS, shows('a', ref)));
  expect(conditionsOf(translation, 'Gateway shop/a')).toEqual([
    'Accepted=True Accepted',
    'Programmed=True Programmed',
    `ResolvedRefs=False ${reason}`,
  ]);
  expect(JSON.stringify(translation.statuses)).toContain(message);
  expect(translation.part.routes).toHaveLength(1);
});
