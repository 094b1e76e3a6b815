import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../kit/instant.ts';
import { freePort } from '../kit/ports.ts';
import { Sluice } from '../kit/sluice.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-names-'));

function makeCertificate(name: string, host: string): void {
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`, '-days', '90'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files], { stdio: 'ignore' });
}

for (const name of ['a', 'b', 'pod']) makeCertificate(name, `${name}.example`);
const pem = (name: string) => ({
  cert: readFileSync(join(folder, `${name}.crt`)),
  key: readFileSync(join(folder, `${name}.key`)),
});

/** A pod that speaks TLS, and answers with the name that it was asked for by. */
const pod = createServer(pem('pod'), (incoming, response) => {
  const { socket } = incoming;
  response.end('servername' in socket ? String(socket.servername) : 'none');
});
let sluice: Sluice;
/** Of plain HTTP, where clients are sent to HTTPS. */
let plain: number;

beforeAll(async () => {
  pod.listen(0, '0.0.0.0');
  await once(pod, 'listening');
  // A server that listens at a port has an address of this form.
  const { port } = pod.address() as AddressInfo;
  const path = (file: string) => join(folder, file);
  const service = (ip: string, ca: string) => {
    return { static: [`${ip}:${port}`], protocol: 'https', tls: { ca: path(ca), name: 'pod.example' } };
  };
  plain = await freePort();
  sluice = await Sluice.start({
    routes: {
      tls: {
        cert: path('a.crt'),
        key: path('a.key'),
        more: [{ cert: path('b.crt'), key: path('b.key') }],
        redirect: { from: plain },
      },
      services: {
        trusted: { ...service('127.0.0.1', 'pod.crt'), limit: 1 },
        other: service('127.0.0.2', 'a.crt'),
      },
      routes: [
        { match: { prefix: '/trusted' }, service: 'trusted' },
        { match: { prefix: '/other' }, service: 'other' },
      ],
    },
  });
}, 60_000);

afterAll(async () => {
  await sluice.stop();
  pod.close();
  rmSync(folder, { recursive: true });
});

/** The name in the certificate that Envoy shows to who asks for `servername`, and the protocol that was agreed on. */
async function shown(servername: string) {
  const socket = connect({
    host: '127.0.0.1',
    port: sluice.port,
    servername,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  await once(socket, 'secureConnect');
  const { subject, serialNumber } = socket.getPeerCertificate();
  const { alpnProtocol } = socket;
  socket.destroy();
  return { name: subject.CN, serialNumber, alpnProtocol };
}

function get(path: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(`https://127.0.0.1:${sluice.port}${path}`, { rejectUnauthorized: false }, (response) => {
      let body = '';
      response.on('data', (piece: Buffer) => {
        body += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    asked.on('error', reject).end();
  });
}

test('of several certificates a client gets the one for the name it asks for, and agrees on HTTP/2', async () => {
  expect(await shown('a.example')).toMatchObject({ name: 'a.example', alpnProtocol: 'h2' });
  expect(await shown('b.example')).toMatchObject({ name: 'b.example', alpnProtocol: 'h2' });
  expect(await shown('c.example')).toMatchObject({ name: 'a.example' });
});

test('a certificate that is renewed is taken without a connection being closed', async () => {
  const open = connect({ host: '127.0.0.1', port: sluice.port, servername: 'b.example', rejectUnauthorized: false });
  await once(open, 'secureConnect');
  const before = await shown('b.example');
  cpSync(join(folder, 'b.crt'), join(folder, 'old.crt'));
  makeCertificate('new', 'b.example');
  renameSync(join(folder, 'new.key'), join(folder, 'b.key'));
  renameSync(join(folder, 'new.crt'), join(folder, 'b.crt'));
  const isNew = async () => (await shown('b.example')).serialNumber !== before.serialNumber;
  await until(isNew, { what: 'the new certificate to be shown' });
  expect(open.destroyed || open.readableEnded).toBe(false);
  open.destroy();
});

test('clients of plain HTTP are sent to HTTPS, with path and query', async () => {
  const answer = await fetch(`http://127.0.0.1:${plain}/trusted/x?y=1`, { redirect: 'manual' });
  expect(answer.status).toBe(308);
  expect(answer.headers.get('location')).toBe(`https://127.0.0.1:${sluice.port}/trusted/x?y=1`);
});

test('pods are spoken to by TLS, under their name; whom nobody has signed gets no request', async () => {
  expect(await get('/trusted')).toEqual({ status: 200, body: 'pod.example' });
  const refused = await get('/other');
  expect(refused.status).toBe(503);
  expect(refused.body).toContain('No pod of other could be reached');
});
