import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { connect, createServer } from 'node:tls';
import { expect, test } from 'vitest';
import { selfSigned } from '../../../src/base/self-signed.ts';

const DAY_MS = 86_400_000;
const validity = { from: Date.now() - DAY_MS, to: Date.now() + DAY_MS };

test('openssl reads it as it is meant, and it signs itself', () => {
  const { certificate } = selfSigned('sluice-slots', {
    from: Date.UTC(2026, 10, 30),
    to: Date.UTC(2051, 0, 2, 3, 4, 5),
  });
  const read = new X509Certificate(certificate);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read).toMatchObject({ subject: 'CN=sluice-slots', subjectAltName: 'DNS:sluice-slots', ca: true });
  expect([read.validFrom, read.validTo]).toEqual(['Nov 30 00:00:00 2026 GMT', 'Jan  2 03:04:05 2051 GMT']);
  const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: certificate, encoding: 'utf8' });
  for (const word of ['Digital Signature, Certificate Sign', 'TLS Web Server Authentication, TLS Web Client', 'P-256'])
    expect(text).toContain(word);
});

/** What a client is told that shows `client` to a server with `server`: the server's word, or why there is none. */
async function talk(
  server: { certificate: string; key: string },
  client: { certificate: string; key: string },
  name = 'sluice-slots',
): Promise<string> {
  const tls = { cert: server.certificate, key: server.key, ca: server.certificate };
  const listening = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (socket) =>
    socket.end('hello'),
  );
  listening.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => {
    listening.listen(0, '127.0.0.1', resolve);
  });
  const address = listening.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const own = { cert: client.certificate, key: client.key, ca: client.certificate };
  const said = await new Promise<string>((resolve) => {
    const socket = connect({ ...own, port, host: '127.0.0.1', servername: name });
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', (error) => resolve(error.message));
  });
  listening.close();
  return said;
}

test('two that have the same pair trust each other; nobody else, and under no other name', async () => {
  const [pair, other] = [selfSigned('sluice-slots', validity), selfSigned('sluice-slots', validity)];
  expect(await talk(pair, pair)).toBe('hello');
  expect(await talk(pair, other)).not.toBe('hello');
  expect(await talk(pair, pair, 'elsewhere')).toContain('does not match');
  const past = selfSigned('sluice-slots', { from: 0, to: DAY_MS });
  expect(await talk(past, past)).toContain('expired');
});
