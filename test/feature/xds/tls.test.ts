import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { nodeGuard } from '../../../src/xds/protocol/client-names.ts';
import { RotatingCredentials } from '../../../src/xds/server/credentials.ts';
import { readTlsFiles } from '../../../src/xds/server/tls-files.ts';
import { Certificates } from '../../e2e/kit/certificates.ts';
import { contents, TestClient } from './client.ts';
import { SHORT, World } from './world.ts';

let certificates: Certificates;
const at = (name: string) => certificates.at(name);

beforeAll(async () => {
  certificates = await Certificates.make('ca', 'other-ca');
  await certificates.sign('first', 'IP:127.0.0.1');
  await certificates.sign('second', 'IP:127.0.0.1', 'other-ca');
  await certificates.sign('envoy', 'URI:spiffe://cluster.local/ns/edge/sa/envoy');
  await certificates.sign('stranger', 'URI:spiffe://cluster.local/ns/edge/sa/envoy', 'other-ca');
});
afterAll(async () => certificates.remove());

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

interface Setup {
  readonly world: World;
  readonly problems: string[];
  /** What a client gets; its name is that of its certificate. */
  ask(options: { readonly trust: string; readonly as?: string; readonly node?: string }): Promise<string>;
  /** Puts other files in the place of the server's. */
  replace(certificate: string, key: string): Promise<void>;
}

async function serve(options: { readonly clientCa?: boolean; readonly node?: string } = {}): Promise<Setup> {
  await copyFile(at('first.crt'), at('server.crt'));
  await copyFile(at('first.key'), at('server.key'));
  const problems: string[] = [];
  const files = {
    certificate: at('server.crt'),
    key: at('server.key'),
    ...(options.clientCa && { clientCa: at('ca.crt') }),
  };
  const loaded = await RotatingCredentials.load((now) => readTlsFiles(files, now), {
    clock: systemClock,
    intervalMs: 20,
    onProblem: (found) => problems.push(...found),
  });
  if (!loaded.ok) throw new Error(loaded.errors.join());
  endings.push(() => loaded.value.stop());
  const allow =
    options.node === undefined ? undefined : [{ client: 'spiffe://cluster.local/ns/edge/*', node: options.node }];
  const world = new World({ credentials: loaded.value.server, guard: nodeGuard(allow) });
  await world.start();
  endings.push(() => world.stop());
  world.publish({ cds: { a: 'content' } });
  return {
    world,
    problems,
    async ask({ trust, as, node = 'envoy-1' }) {
      const own = as === undefined ? [] : [await readFile(at(`${as}.key`)), await readFile(at(`${as}.crt`))];
      const client = new TestClient(
        `127.0.0.1:${world.port}`,
        credentials.createSsl(await readFile(at(`${trust}.crt`)), ...own),
      );
      const stream = client.delta();
      stream.send({ node: { id: node }, typeUrl: SHORT.cds });
      try {
        return contents(await stream.next()).join();
      } catch {
        const { code, details } = await stream.end();
        return `${status[code]} ${details}`;
      } finally {
        client.close();
      }
    },
    async replace(certificate, key) {
      await copyFile(at(certificate), at('server.crt'));
      await copyFile(at(key), at('server.key'));
    },
  };
}

describe('TLS', () => {
  test('serves those who trust it', async () => {
    const { ask } = await serve();
    expect(await ask({ trust: 'ca' })).toBe('content');
    expect(await ask({ trust: 'other-ca' })).toMatch(/^UNAVAILABLE/);
  });

  test('takes a new pair without a restart, and keeps the good one when the new one is bad', async () => {
    const { ask, replace, problems } = await serve();
    await replace('second.crt', 'first.key');
    await expect
      .poll(() => problems)
      .toEqual([`${at('server.key')}: is not the key of the certificate in ${at('server.crt')}`]);
    expect(await ask({ trust: 'ca' })).toBe('content');
    await replace('second.crt', 'second.key');
    await expect.poll(() => ask({ trust: 'other-ca' }), { timeout: 20_000 }).toBe('content');
    expect(await ask({ trust: 'ca' })).toMatch(/^UNAVAILABLE/);
  });
});

describe('mTLS', () => {
  test('serves only clients with a certificate of the right authority', async () => {
    const { ask } = await serve({ clientCa: true });
    expect(await ask({ trust: 'ca', as: 'envoy' })).toBe('content');
    expect(await ask({ trust: 'ca', as: 'stranger' })).toMatch(/^UNAVAILABLE/);
    expect(await ask({ trust: 'ca' })).toMatch(/^UNAVAILABLE/);
  });

  test('a client may speak for the nodes it is allowed to, and no others', async () => {
    const { ask, world } = await serve({ clientCa: true, node: 'envoy-*' });
    expect(await ask({ trust: 'ca', as: 'envoy', node: 'envoy-7' })).toBe('content');
    const refused = 'PERMISSION_DENIED spiffe://cluster.local/ns/edge/sa/envoy may not speak for node "other"';
    expect(await ask({ trust: 'ca', as: 'envoy', node: 'other' })).toBe(refused);
    expect(world.events.filter((event) => event.kind === 'connected')).toHaveLength(1);
    expect(world.events.filter((event) => event.kind === 'refused')).toMatchObject([{ node: { id: 'other' } }]);
  });
});

describe('readTlsFiles', () => {
  test('says everything that is wrong, and with which file', async () => {
    const files = { certificate: at('missing.crt'), key: at('missing.key'), clientCa: at('missing-ca.crt') };
    const read = await readTlsFiles(files, Date.now());
    expect(read.ok ? [] : read.errors).toEqual(
      ['missing.crt', 'missing.key', 'missing-ca.crt'].map((name) =>
        expect.stringContaining(`${at(name)}: cannot be read: ENOENT`),
      ),
    );
    await writeFile(at('text'), 'not PEM');
    const text = await readTlsFiles({ certificate: at('text'), key: at('text') }, Date.now());
    expect(text.ok ? [] : text.errors).toEqual([
      expect.stringContaining(`${at('text')}: not a certificate in PEM form`),
      expect.stringContaining(`${at('text')}: not a private key in PEM form`),
    ]);
    const pair = { certificate: at('first.crt'), key: at('first.key') };
    const empty = await readTlsFiles({ ...pair, clientCa: at('text') }, Date.now());
    expect(empty.ok ? [] : empty.errors).toEqual([`${at('text')}: holds no certificate in PEM form`]);
    const late = await readTlsFiles(pair, Date.now() + 3 * 86_400_000);
    expect(late.ok ? [] : late.errors).toEqual([expect.stringContaining('expired on')]);
  });
});
