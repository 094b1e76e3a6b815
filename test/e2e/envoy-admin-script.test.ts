import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { http1Client } from './kit/client-http1.ts';
import { pause, until } from './kit/instant.ts';
import { startLoad } from './kit/load.ts';
import { spaced } from './kit/load-plan.ts';
import { Pods } from './kit/pods.ts';
import { fixed } from './kit/random.ts';
import { Sluice } from './kit/sluice.ts';

const SCRIPT = fileURLToPath(new URL('../../k8s/base/envoy-admin.sh', import.meta.url));

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** Runs a command of the script; resolves to its exit code. */
function script(sluice: Sluice, command: string): Promise<number> {
  const { host, port } = sluice.envoy.address;
  const env = { ...process.env, ENVOY_ADMIN_HOST: host, ENVOY_ADMIN_PORT: String(port) };
  return new Promise((resolve) => {
    execFile('bash', [SCRIPT, command], { env }, (error) => {
      resolve(error === null ? 0 : Number(error.code));
    });
  });
}

async function start(): Promise<{ readonly sluice: Sluice; readonly pods: Pods }> {
  const pods = await Pods.start({ count: 2 });
  ending.push(() => pods.stop());
  const services = { codec: { static: pods.addresses, limit: 1 } };
  const sluice = await Sluice.start({ routes: { services, routes: [{ match: { prefix: '/' }, service: 'codec' }] } });
  ending.push(() => sluice.stop());
  return { sluice, pods };
}

test('Envoy is drained: running and waiting requests end, no new one is taken, only then may it be stopped', async () => {
  const { sluice } = await start();
  expect([await script(sluice, 'alive'), await script(sluice, 'ready')]).toEqual([0, 0]);

  const client = http1Client({ port: sluice.port });
  ending.push(() => client.close());
  // So many that they outlast what is looked at meanwhile, on a busy machine too.
  const jobs = 16;
  const run = startLoad(client, spaced(jobs, 5, { work: fixed(1500) }));
  await until(() => run.open === jobs, { what: 'all requests to be under way' });
  await until(async () => [...(await sluice.stats('sluice_queue_waiting.codec$')).values()][0] === jobs - 2, {
    what: 'all but two of them to wait',
  });
  const drained = script(sluice, 'drain').then((code) => ({ code, open: run.open }));
  await until(async () => (await script(sluice, 'ready')) !== 0, { what: 'Envoy to be no longer ready' });

  const late = http1Client({ port: sluice.port });
  ending.push(() => late.close());
  await until(async () => (await late.send({ id: 'late', at: 0 })).error?.includes('ECONNREFUSED'), {
    what: 'new connections to be refused',
  });
  expect(run.open).toBeGreaterThan(0);
  expect(await script(sluice, 'alive')).toBe(0);

  expect(await drained).toEqual({ code: 0, open: 0 });
  const results = await run.results;
  expect(results.map(({ status }) => status)).toEqual(Array(jobs).fill(200));
  expect(results.at(-1)?.headers['connection']).toBe('close');

  let isGone = false;
  const gone = script(sluice, 'gone').then(() => {
    isGone = true;
  });
  await pause(1500);
  expect(isGone).toBe(false);
  await sluice.envoy.stop();
  await gone;
  expect(await script(sluice, 'alive')).not.toBe(0);
  expect(await script(sluice, 'ready')).not.toBe(0);
});

test('with nothing to do, and with no Envoy, a drain ends by itself', async () => {
  const { sluice } = await start();
  expect(await script(sluice, 'drain')).toBe(0);
  await sluice.envoy.stop();
  expect(await script(sluice, 'drain')).toBe(0);
});

test('requests that find no pod meanwhile are answered once there is one', async () => {
  const { sluice, pods } = await start();
  const routes = [{ match: { prefix: '/' }, service: 'codec' }];
  await sluice.edit({ services: { codec: { static: [], limit: 1 } }, routes });
  const client = http1Client({ port: sluice.port });
  ending.push(() => client.close());
  const run = startLoad(client, spaced(4, 5, { work: fixed(100) }));
  await until(() => run.open === 4, { what: 'all requests to be under way' });
  const drained = script(sluice, 'drain').then((code) => ({ code, open: run.open }));
  await until(async () => (await script(sluice, 'ready')) !== 0, { what: 'Envoy to be no longer ready' });
  await sluice.edit({ services: { codec: { static: pods.addresses, limit: 1 } }, routes });
  expect((await run.results).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(await drained).toEqual({ code: 0, open: 0 });
});

test('an unknown command is a mistake of the caller', async () => {
  const { sluice } = await start();
  expect(await script(sluice, 'stop')).toBe(2);
});
