import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, KubeConfig, type User } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { logIn } from '../../../src/kubernetes/log-in.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-log-in-'));
});
afterEach(() => {
  vi.doUnmock('@kubernetes/client-node');
  vi.resetModules();
  rmSync(folder, { recursive: true });
});

const cluster: Cluster = { name: 'c', server: 'https://c.example:6443', skipTLSVerify: false };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const login = (user: Partial<User>, more: Partial<Cluster> = {}) => ({
  cluster: { ...cluster, ...more },
  user: { name: 'u', ...user },
  tokenFile: undefined,
  namespace: 'default',
});

/** What the library makes of the same. */
async function byLibrary({ cluster: at, user }: ReturnType<typeof login>): Promise<RequestOptions> {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(at, user);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return options;
}

const SECRETS = ['ca', 'cert', 'key', 'rejectUnauthorized', 'servername'] as const;

test.each<[string, Partial<User>, Partial<Cluster>]>([
  ['a token', { token: 'secret' }, {}],
  ['certificates in the file', { certData: base64('cert'), keyData: base64('key') }, { caData: base64('ca') }],
  ['impersonation', { token: 'secret', impersonateUser: 'other' }, {}],
  ['another name in the certificate', {}, { tlsServerName: 'api' }],
  ['no check of the certificate', { token: 'secret' }, { skipTLSVerify: true }],
  ['keys without a value, as the library reads them', { token: '', certData: '', keyData: '' }, { caData: '' }],
])('%s: the same as the library makes of it', async (_, user, more) => {
  const given = login(user, more);
  const { agent, headers } = await logIn(given)();
  const library = await byLibrary(given);
  const lowered = Object.entries(library.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  expect(headers).toEqual(Object.fromEntries(lowered));
  // What it is made with is not in Node's types.
  const { options } = agent as HttpsAgent & { readonly options: Readonly<Record<string, unknown>> };
  expect(agent).toBeInstanceOf(HttpsAgent);
  for (const secret of SECRETS) expect(options[secret]).toEqual(library[secret]);
});

test('certificates are read from their files for each request', async () => {
  const certFile = join(folder, 'cert');
  writeFileSync(certFile, 'one');
  const credentials = logIn(login({ certFile, certData: base64('data') }));
  expect((await credentials()).agent).toMatchObject({ options: { cert: Buffer.from('one') } });
  writeFileSync(certFile, 'two');
  expect((await credentials()).agent).toMatchObject({ options: { cert: Buffer.from('two') } });
});

test('the library is loaded for plug-ins and proxies, and not before', async () => {
  let loaded = 0;
  vi.doMock('@kubernetes/client-node', async (original) => {
    loaded++;
    return await original();
  });
  vi.resetModules();
  const { logIn: fresh } = await import('../../../src/kubernetes/log-in.ts');
  await fresh(login({ token: 'secret', certData: base64('cert') }))();
  expect(loaded).toBe(0);
  await fresh(login({ token: 'secret' }, { proxyUrl: 'http://127.0.0.1:3128' }))();
  expect(loaded).toBe(1);
});
