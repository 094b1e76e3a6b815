import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ClusterAccess, chooseKubeconfig, openCluster } from '../../../src/kubernetes/kubeconfig.ts';

describe('openCluster', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-kubeconfig-'));
    vi.stubEnv('HOME', folder);
    vi.stubEnv('KUBECONFIG', undefined);
    vi.stubEnv('KUBERNETES_SERVICE_HOST', undefined);
    vi.stubEnv('KUBERNETES_SERVICE_PORT', undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const config = (name: string, user: object | undefined, more: object = {}) =>
    JSON.stringify({
      clusters: [{ name, cluster: { server: `https://${name}.example:6443`, ...more } }],
      users: user === undefined ? [] : [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name, namespace: `${name}-space` } }],
      'current-context': name,
    });
  const open = async (kubeconfig?: string): Promise<ClusterAccess> => {
    const access = await openCluster({ kubeconfig, root: folder });
    if (!access.ok) throw new Error(access.errors.map(({ message }) => message).join());
    return access.value;
  };
  const failure = async (kubeconfig?: string) => {
    const access = await openCluster({ kubeconfig, root: folder });
    return access.ok ? undefined : access.errors[0];
  };
  const serviceAccount = () => {
    const path = 'var/run/secrets/kubernetes.io/serviceaccount';
    write(`${path}/token`, 'pod-token\n');
    write(`${path}/ca.crt`, 'CA');
    write(`${path}/namespace`, 'pod-space\n');
    vi.stubEnv('KUBERNETES_SERVICE_HOST', 'fd00::1');
    vi.stubEnv('KUBERNETES_SERVICE_PORT', '443');
  };

  test('a file, before everything else', async () => {
    serviceAccount();
    vi.stubEnv('KUBECONFIG', write('env', config('env', {})));
    const access = await open(write('named', config('named', { token: 'secret' })));
    expect(access).toMatchObject({ server: 'https://named.example:6443', namespace: 'named-space' });
    expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer secret' });
  });

  test('$KUBECONFIG: several files, what comes first counts, those that are not there do not', async () => {
    serviceAccount();
    const first = write('first', config('first', { token: 'one' }));
    const again = write('again', config('first', { token: 'two' }, { server: 'https://other' }));
    vi.stubEnv(
      'KUBECONFIG',
      [join(folder, 'none'), first, again, write('second', config('second', {}))].join(delimiter),
    );
    const access = await open();
    expect(access).toMatchObject({ server: 'https://first.example:6443', namespace: 'first-space' });
    expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer one' });
  });

  test('the service account of the pod, before ~/.kube/config; its token is read for each request', async () => {
    write('.kube/config', config('home', {}));
    expect((await open()).server).toBe('https://home.example:6443');
    serviceAccount();
    const access = await open();
    expect(access).toMatchObject({ server: 'https://[fd00::1]:443', namespace: 'pod-space' });
    expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer pod-token' });
    write('var/run/secrets/kubernetes.io/serviceaccount/token', 'next-token');
    expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer next-token' });
  });

  test('tokenFile is read for each request, from beside the kubeconfig', async () => {
    write('sub/token', 'one\n');
    const access = await open(write('sub/config', config('named', { tokenFile: 'token', token: 'old' })));
    expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer one' });
    write('sub/token', 'two');
    expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer two' });
    rmSync(join(folder, 'sub/token'));
    await expect(access.credentials()).rejects.toThrow('ENOENT');
  });

  test('name and password, impersonation', async () => {
    const access = await open(write('c', config('c', { username: 'me', password: 'pass', as: 'other' })));
    expect((await access.credentials()).headers).toEqual({
      authorization: `Basic ${Buffer.from('me:pass').toString('base64')}`,
      'impersonate-user': 'other',
    });
  });

  test('a program that gives tokens is started once for requests that come together', async () => {
    const status = JSON.stringify({ apiVersion: 'x', kind: 'ExecCredential', status: { token: 'made' } });
    const script = `echo x >> ${join(folder, 'starts')}; sleep 0.1; echo '${status}'`;
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script] };
    const access = await open(write('c', config('c', { exec })));
    const both = await Promise.all([access.credentials(), access.credentials()]);
    expect(both.map(({ headers }) => headers['authorization'])).toEqual(['Bearer made', 'Bearer made']);
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(join(folder, 'starts'), 'utf8')).toBe('x\n');
  });

  test('one agent that keeps connections, until the certificates change', async () => {
    const ca = write('ca', 'one');
    const access = await open(write('c', config('c', {}, { 'certificate-authority': 'ca', 'tls-server-name': 'api' })));
    const { agent } = await access.credentials();
    expect(agent).toBeInstanceOf(HttpsAgent);
    expect(agent).toMatchObject({ options: { keepAlive: true, ca: Buffer.from('one'), servername: 'api' } });
    expect((await access.credentials()).agent).toBe(agent);
    writeFileSync(ca, 'two');
    expect((await access.credentials()).agent).not.toBe(agent);
  });

  test('without a user: the certificate of the cluster is used all the same', async () => {
    write('ca', 'one');
    const access = await open(write('c', config('c', undefined, { 'certificate-authority': 'ca' })));
    expect(access.namespace).toBe('c-space');
    const { agent, headers } = await access.credentials();
    expect(agent).toMatchObject({ options: { ca: Buffer.from('one') } });
    expect(headers).toEqual({});
  });

  test('plain HTTP, as kubectl proxy serves it', async () => {
    const access = await open(write('c', config('c', {}, { server: 'http://127.0.0.1:8001' })));
    const { agent } = await access.credentials();
    expect(agent).toBeInstanceOf(HttpAgent);
    expect(agent).not.toBeInstanceOf(HttpsAgent);
  });

  test('a proxy has an agent of its own', async () => {
    const access = await open(write('c', config('c', {}, { 'proxy-url': 'http://127.0.0.1:3128' })));
    expect((await access.credentials()).agent).toMatchObject({ proxy: new URL('http://127.0.0.1:3128') });
  });

  test.each([
    ['nothing at all', undefined, 'no Kubernetes cluster is known', 'name a kubeconfig file'],
    ['no file', 'none', 'there is no such file', 'repair the file'],
    ['not YAML', ': {', ': ', 'repair the file'],
    ['empty', '', 'there is no map of clusters, users and contexts', 'repair the file'],
    [
      'no context',
      '{"contexts": [{"name": "x", "context": {"cluster": "y"}}]}',
      'no current-context',
      'the contexts there are: x',
    ],
    ['no such context', '{"current-context": "z"}', 'context "z" leads to no cluster', 'kubectl config use-context'],
    [
      'no server',
      '{"clusters": [{"name": "x", "cluster": {}}]}',
      'clusters[0].cluster.server is missing',
      'repair the file',
    ],
  ])('%s: says what is wrong and what to do', async (_, text, message, fix) => {
    if (text !== undefined && text !== 'none') write('config', text);
    const found = await failure(text === undefined ? undefined : join(folder, 'config'));
    expect(found?.kind).toBe('config');
    expect(found?.message).toContain(message);
    expect(found).toHaveProperty('fix', expect.stringContaining(fix));
    if (text !== undefined) expect(found?.message).toContain(join(folder, 'config'));
  });

  describe("a route file's kube_config_file", () => {
    const choose = (file: string | undefined) => chooseKubeconfig(file, folder);

    test('is used when it is there, before everything else', () => {
      serviceAccount();
      vi.stubEnv('KUBECONFIG', write('env', config('env', {})));
      const file = write('named', config('named', {}));
      expect(choose(file)).toEqual({ kubeconfig: file });
    });

    test.each([undefined, ''])('is %j: what is found without one', (file) => {
      expect(choose(file)).toEqual({ kubeconfig: undefined });
    });

    test('is not there: the cluster Sluice runs in takes its place, and that is said', () => {
      serviceAccount();
      const file = join(folder, 'none');
      expect(choose(file)).toEqual({
        kubeconfig: undefined,
        warning: `kube_config_file: there is no file ${file}; the service account of this pod is used instead; leave the key empty to say so`,
      });
    });

    test('is not there: $KUBECONFIG takes its place, and that is said', () => {
      vi.stubEnv('KUBECONFIG', '/some/file');
      const { kubeconfig, warning } = choose(join(folder, 'none'));
      expect([kubeconfig, warning]).toEqual([undefined, expect.stringContaining('$KUBECONFIG (/some/file) is used')]);
    });

    test('is not there, and ~/.kube/config, which may be any other cluster, does not take its place', () => {
      write('.kube/config', config('home', {}));
      const file = join(folder, 'none');
      expect(choose(file)).toEqual({ kubeconfig: file });
    });
  });
});
