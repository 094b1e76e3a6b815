import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type Agent, get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { pause, until } from '../kit/instant.ts';
import { startQueue } from './queue.ts';

/** Makes a certificate for localhost, with its key, in a new folder. */
function makeCertificate(folder: string, name: string): void {
  mkdirSync(folder);
  const files = ['-keyout', join(folder, 'tls.key'), '-out', join(folder, 'tls.crt')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const what = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost', '-days', '1'];
  execFileSync('openssl', ['req', '-x509', ...key, ...files, ...what], { stdio: 'ignore' });
}

/** A folder for a certificate, until the test is over; `renew` moves a new one into its place. */
function certificateFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const live = join(folder, 'live');
  const renew = (name: string) => {
    const next = join(folder, 'next');
    makeCertificate(next, name);
    for (const file of ['tls.key', 'tls.crt']) renameSync(join(next, file), join(live, file));
  };
  return { live, tls: { cert: join(live, 'tls.crt'), key: join(live, 'tls.key') }, renew };
}

/** The name in the certificate that is shown on `port` to a new connection. */
function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false });
    socket.on('secureConnect', () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** The protocol that is agreed on with a client that offers `offers`. */
function agreed(port: number, offers: readonly string[]): Promise<string | false | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ALPNProtocols: [...offers], rejectUnauthorized: false });
    socket.on('secureConnect', () => {
      resolve(socket.alpnProtocol);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

function status(port: number, agent: Agent | false): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/', agent, rejectUnauthorized: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    }).on('error', reject);
  });
}

test('TLS at the public listener; a renewed certificate is taken when it is moved into its folder', async () => {
  const { live, tls, renew } = certificateFolder();
  makeCertificate(live, 'first');
  const queue = await startQueue({ pods: 1, tls });
  const { port } = queue.sluice;
  expect(await status(port, false)).toBe(200);
  expect(await shown(port)).toBe('first');
  expect(await agreed(port, ['h2', 'http/1.1'])).toBe('h2');
  expect(await agreed(port, ['http/1.1'])).toBe('http/1.1');

  renew('second');
  await until(async () => (await shown(port)) === 'second', { what: 'the renewed certificate' });
  expect(await status(port, false)).toBe(200);
});

test('a certificate that comes late: Sluice waits for it, and no edit is needed', async () => {
  const { live, tls } = certificateFolder();
  const starting = startQueue({ pods: 1, tls });
  await pause(1500);
  makeCertificate(live, 'late');
  const { port } = (await starting).sluice;
  await until(async () => (await shown(port).catch(() => '')) === 'late', { what: 'the late certificate' });
  expect(await status(port, false)).toBe(200);
});

test('a certificate that is replaced by garbage: what Envoy has stays, and a good one is taken again', async () => {
  const { live, tls, renew } = certificateFolder();
  makeCertificate(live, 'first');
  const queue = await startQueue({ pods: 1, tls });
  const { port } = queue.sluice;
  expect(await shown(port)).toBe('first');
  writeFileSync(tls.cert, 'garbage');
  await pause(3000);
  expect(await shown(port)).toBe('first');
  expect(await status(port, false)).toBe(200);
  renew('second');
  await until(async () => (await shown(port)) === 'second', { what: 'the next certificate' });
});
