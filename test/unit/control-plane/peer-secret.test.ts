import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { PeerSecret } from '../../../src/control-plane/peer-secret.ts';
import { ObjectServer } from '../kubernetes/object-server.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now(), after: () => () => {} };
const DAY_MS = 86_400_000;

function secretOf(server: ObjectServer) {
  const logged: string[] = [];
  const secret = new PeerSecret({
    api: server,
    clock,
    log: (_, what) => logged.push(what),
    secret: 'sluice',
    name: 'sluice-slots',
    signal: new AbortController().signal,
  });
  return { logged, read: (now = Date.now()) => secret.read(now) };
}

test('the first that finds it empty makes a pair and says so; the others read that', async () => {
  const server = new ObjectServer();
  server.put('secrets/sluice', { type: 'Opaque' });
  const [a, b] = [secretOf(server), secretOf(server)];
  // Both find it empty: one of them is faster.
  const both = await Promise.all([a.read(), b.read()]);
  const [first, second] = both.map((read) => (read.ok ? read.value.certificate.toString() : read.errors.join()));
  expect(first).toContain('BEGIN CERTIFICATE');
  expect(second).toBe(first);
  expect([...a.logged, ...b.logged]).toEqual([expect.stringContaining('valid for 10 years')]);
  expect(new X509Certificate(first ?? '').subjectAltName).toBe('DNS:sluice-slots');
  expect(server.objects.get('secrets/sluice')?.['type']).toBe('Opaque');
});

test('while nobody can be asked it stays as it was last; before that it says why not', async () => {
  const server = new ObjectServer();
  server.put('secrets/sluice', {});
  const { read } = secretOf(server);
  server.refuses = 'nothing';
  expect(await read()).toMatchObject({ ok: false });
  server.refuses = undefined;
  const known = await read();
  server.refuses = 'nothing';
  expect(await read()).toEqual(known);
  server.refuses = 403;
  expect(await read()).toMatchObject({ ok: false, errors: [expect.stringContaining('the right to it')] });
});

test('what is wrong with it is said, with the name of the Secret and of the part', async () => {
  const server = new ObjectServer();
  const { read } = secretOf(server);
  const why = async (now?: number) => {
    const answer = await read(now);
    return answer.ok ? '' : answer.errors.join('\n');
  };
  expect(await why()).toBe('there is no Secret sluice: kubectl create secret generic sluice');
  server.put('secrets/sluice', { data: { 'tls.crt': 'YQ==' } });
  expect(await why()).toContain('needs tls.crt, tls.key and ca.crt');
  server.put('secrets/sluice', { data: { 'tls.crt': 'YQ==', 'tls.key': 'YQ==', 'ca.crt': 'YQ==' } });
  expect(await why()).toContain('tls.key of the Secret sluice: not a private key');
  server.put('secrets/sluice', {});
  expect(await why()).toBe('');
  expect(await why(Date.now() + 11 * 365 * DAY_MS)).toContain('tls.crt of the Secret sluice: expired');
});
