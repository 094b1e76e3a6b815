import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type FailedHandshake, watchFailedHandshakes } from '../../../../src/xds/server/failed-handshakes.ts';
import { Certificates } from '../../../e2e/kit/certificates.ts';

let certificates: Certificates;
const read = (name: string) => readFile(certificates.at(name));
const pair = async (name: string) => ({ cert: await read(`${name}.crt`), key: await read(`${name}.key`) });

beforeAll(async () => {
  certificates = await Certificates.make('ca', 'other');
  await certificates.sign('server', 'DNS:server.example');
  await certificates.sign('client', 'DNS:client.example');
  await certificates.sign('foreign', 'DNS:client.example', 'other');
});
afterAll(async () => certificates.remove());

/** Also after an error. */
const closed = (socket: Socket) => new Promise<void>((resolve) => socket.on('close', () => resolve()));

/** A server that wants certificates of `ca`, as gRPC has one, and what is told of it. */
async function world() {
  const told: FailedHandshake[] = [];
  onTestFinished(watchFailedHandshakes((failed) => told.push(failed)));
  const server = createSecureServer({
    ...(await pair('server')),
    ca: await read('ca.crt'),
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const tried = async (options: ConnectionOptions) => {
    const socket = connect({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], ...options });
    socket.on('error', () => {});
    // TLS 1.3: the client is done before the server has looked at its certificate.
    socket.on('secureConnect', () => setTimeout(() => socket.destroy(), 100));
    await closed(socket);
  };
  return { told, port, tried, trusts: { ca: await read('ca.crt'), servername: 'server.example' } };
}

test('clients that show no certificate, or one of somebody else, or do not trust this side, are told of, with what to write', async () => {
  const { told, port, tried, trusts } = await world();
  await tried(trusts);
  await expect.poll(() => told.length).toBe(1);
  expect(told[0]).toMatchObject({
    peer: '127.0.0.1',
    reason: 'it shows no certificate',
    fix: expect.stringContaining('--coordinator-client-cert'),
  });
  await tried({ ...trusts, ...(await pair('foreign')) });
  await expect.poll(() => told.length).toBe(2);
  expect(told[1]?.reason).toMatch(/^its certificate is of no authority that is trusted here \(/);
  const plain = connectPlain(port, '127.0.0.1', () => plain.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  plain.on('error', () => {});
  await closed(plain);
  await expect.poll(() => told.length).toBe(3);
  expect(told[2]).toMatchObject({ reason: 'it does not speak TLS', fix: expect.stringContaining('--coordinator-ca') });
});

test('who is let in, and who only looks whether somebody listens, is not', async () => {
  const { told, port, tried, trusts } = await world();
  await tried({ ...trusts, ...(await pair('client')) });
  const probe = connectPlain(port, '127.0.0.1', () => probe.end());
  await closed(probe);
  // One that fails comes after them.
  await tried(trusts);
  await expect.poll(() => told.length).toBe(1);
  expect(told[0]?.reason).toBe('it shows no certificate');
});
