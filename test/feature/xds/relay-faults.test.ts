import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grpcDial } from '../../../src/slots/relay-channel.ts';
import { Certificates } from '../../e2e/kit/certificates.ts';

let certificates: Certificates;
const pem = (name: string) => readFile(certificates.at(name));
const ends: (() => void)[] = [];

beforeAll(async () => {
  certificates = await Certificates.make('ca', 'other-ca');
  await certificates.sign('server', 'IP:127.0.0.1');
  await certificates.sign('elsewhere', 'DNS:elsewhere.example');
  await certificates.sign('own', 'URI:spiffe://edge');
  await certificates.sign('stranger', 'URI:spiffe://edge', 'other-ca');
});
afterAll(async () => {
  for (const end of ends) end();
  await certificates.remove();
});

async function grpcServer(made: ServerCredentials): Promise<number> {
  const server = new Server();
  ends.push(() => server.forceShutdown());
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', made, (error, port) => (error === null ? resolve(port) : reject(error))),
  );
}

async function tlsServer(name: string, asksClients = false): Promise<number> {
  const pair = { private_key: await pem(`${name}.key`), cert_chain: await pem(`${name}.crt`) };
  return grpcServer(ServerCredentials.createSsl(asksClients ? await pem('ca.crt') : null, [pair], asksClients));
}

const plainServer = () => grpcServer(ServerCredentials.createInsecure());

function listening(server: TcpServer): Promise<number> {
  ends.push(() => server.close());
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    }),
  );
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Way {
  readonly ca?: string;
  readonly as?: string;
  readonly host?: string;
}

/** How a try ends, in words: why, and what is to be done. */
async function tryAt(port: number, { ca, as, host = '127.0.0.1' }: Way): Promise<string> {
  const own = as === undefined ? [] : [await pem(`${as}.key`), await pem(`${as}.crt`)];
  const made = ca === undefined ? credentials.createInsecure() : credentials.createSsl(await pem(`${ca}.crt`), ...own);
  const dial = grpcDial({ credentials: () => made, isTls: ca !== undefined });
  return new Promise((resolve) => {
    const call = dial(`${host}:${port}`, {
      message: () => {},
      closed: (reason, isRefusal, fix = '') => resolve(`${reason} | ${isRefusal ? 'refused' : 'away'} | ${fix}`),
    });
    call.write(Buffer.from([]));
  });
}

const CASES: readonly [string, () => Promise<number>, Way, RegExp][] = [
  [
    'TLS against a plain server',
    plainServer,
    { ca: 'ca' },
    /^it does not speak TLS there \| away \| leave out --coordinator-ca/,
  ],
  [
    'plain against a TLS server',
    () => tlsServer('server'),
    {},
    /^it closes the connection at once \| away \| it may want TLS: write --coordinator-ca/,
  ],
  [
    'no client certificate',
    () => tlsServer('server', true),
    { ca: 'ca' },
    /^it wants a certificate to be shown \| away \| write --coordinator-client-cert/,
  ],
  [
    'a client certificate of another authority',
    () => tlsServer('server', true),
    { ca: 'ca', as: 'stranger' },
    /^it closes the connection at once \| away \| its --xds-client-ca may not have/,
  ],
  [
    'another authority',
    () => tlsServer('server'),
    { ca: 'other-ca' },
    /^its certificate is not of an authority that is trusted here \| away \| .*--coordinator-ca$/,
  ],
  [
    'another name',
    () => tlsServer('elsewhere'),
    { ca: 'ca' },
    /^its certificate is for another name \| away \| .*--coordinator-sni/,
  ],
  [
    'a server of HTTP/1.1',
    () => listening(createServer((_, response) => response.end('no'))),
    {},
    /^what listens there does not speak gRPC \| away \| .*--xds/,
  ],
  [
    'TLS against a server of HTTP/1.1',
    () => listening(createServer((_, response) => response.end('no'))),
    { ca: 'ca' },
    /^it does not speak TLS there \| away/,
  ],
  ['nobody listens', freePort, {}, /^nobody listens there \| away \| start it/],
  ['nobody listens, TLS', freePort, { ca: 'ca' }, /^nobody listens there \| away \| start it/],
  ['no such name', freePort, { host: 'sluice.invalid' }, /^no address is known for its name \| away/],
  ['another gRPC server', plainServer, {}, /^The server does not implement the method .* \| refused/],
  [
    'who closes',
    () => listening(createTcpServer((socket) => socket.destroy())),
    {},
    /^it closes the connection at once \| away/,
  ],
];

test.each(CASES)('%s', async (_, server, way, says) => {
  const port = await server();
  const first = await tryAt(port, way);
  expect(first).toMatch(says);
  expect(await tryAt(port, way)).toBe(first);
});
