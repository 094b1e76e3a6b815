import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { formatHostPort } from '../../src/base/host-port.ts';
import { envoyAdmin } from '../../src/envoy/admin.ts';
import type { EnvoyBootstrap } from '../../src/envoy/bootstrap.ts';
import { spawnEnvoy } from '../../src/envoy/process/child.ts';
import { superviseEnvoy } from '../../src/envoy/process/supervise.ts';
import { envoyPath, startEnvoy } from './kit/envoy.ts';
import { until } from './kit/instant.ts';
import { isRunning } from './kit/is-running.ts';

const started: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
});

/** An Envoy that needs nobody: no control plane, no listener. */
function alone(port = 0, extra: EnvoyBootstrap = {}): EnvoyBootstrap {
  const node = { id: 'alone', cluster: 'test' };
  return { node, admin: { address: { socket_address: { address: '127.0.0.1', port_value: port } } }, ...extra };
}

async function start(bootstrap = alone()) {
  const running = await startEnvoy(bootstrap, 'info');
  started.push(running);
  await until(
    async () => {
      const state = await running.admin.state();
      return state.ok && state.value === 'LIVE';
    },
    { what: 'LIVE' },
  );
  return running;
}

test('the admin tells how Envoy was started, its statistics and its configuration', async () => {
  const cluster = { name: 'odd/codec', type: 'STATIC', load_assignment: { cluster_name: 'odd/codec' } };
  const { admin } = await start(alone(0, { static_resources: { clusters: [cluster] } }));
  const info = await admin.serverInfo();
  expect(info).toMatchObject({ ok: true, value: { state: 'LIVE', concurrency: 2, nodeId: 'alone' } });

  const stats = await admin.stats({ filter: '^(cluster\\.odd/codec\\.upstream_cx_active|server\\.concurrency)$' });
  expect(stats).toEqual({
    ok: true,
    value: new Map([
      ['cluster.odd/codec.upstream_cx_active', 0],
      ['server.concurrency', 2],
    ]),
  });
  // Histograms and texts are in this answer, too.
  const all = await admin.stats({ filter: '.' });
  expect(all.ok && all.value.size).toBeGreaterThan(100);

  expect(await admin.configDump({ resource: 'static_clusters', nameRegex: 'odd/.*' })).toMatchObject({
    ok: true,
    value: [{ cluster: { name: 'odd/codec' } }],
  });
  expect(await admin.configDump({ resource: 'dynamic_listeners' })).toEqual({ ok: true, value: [] });
  expect(await admin.stats({ filter: '(' })).toMatchObject({
    ok: false,
    errors: [expect.stringContaining('status 400')],
  });
});

test('its log is understood, and it ends when asked to', async () => {
  const running = await start();
  await until(() => running.logs.some(({ message }) => message === 'starting main dispatch loop'), { what: 'log' });
  expect(running.logs[0]).toMatchObject({ level: 'info', component: 'main' });
  expect(running.logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  expect(await running.stop()).toMatchObject({ requested: true, code: 0 });
  expect(running.logs.find(({ message }) => message === 'caught ENVOY_SIGTERM')?.level).toBe('info');
});

test('a port in use is named', async () => {
  const first = await start();
  const second = spawnEnvoy({
    binary: await envoyPath(),
    bootstrap: alone(first.address.port),
    onLog: () => {},
    stdout: 'ignore',
    workers: 1,
  });
  expect(await second.admin).toBeUndefined();
  const { reason } = await second.exited;
  expect(reason).toBe(
    `Envoy cannot listen on ${formatHostPort(first.address)}: another process has this port; stop it, or choose another port`,
  );
});

test('a configuration that Envoy refuses is quoted', async () => {
  const child = spawnEnvoy({
    binary: await envoyPath(),
    bootstrap: alone(0, { static_ressources: {} }),
    onLog: () => {},
    stdout: 'ignore',
    workers: 1,
  });
  expect((await child.exited).reason).toContain('static_ressources');
});

test('an Envoy that crashes is started again', async () => {
  const reasons: string[] = [];
  const supervised = superviseEnvoy({
    binary: await envoyPath(),
    bootstrap: alone(),
    onLog: () => {},
    onRestart: ({ reason }) => reasons.push(reason),
    stdout: 'ignore',
    workers: 1,
    clock: systemClock,
  });
  started.push(supervised);
  const up = await supervised.up;
  expect(up.ok && (await envoyAdmin(up.value).serverInfo())).toMatchObject({ ok: true });
  const first = supervised.pid() ?? 0;
  process.kill(first, 'SIGSEGV');
  await until(() => ![undefined, first].includes(supervised.pid()), { what: 'restart' });
  expect(reasons).toEqual([expect.stringContaining('SIGSEGV')]);
});

test('Envoy ends when the process that started it is killed', { timeout: 30_000 }, async () => {
  const program = `
    import { spawnEnvoy } from ${JSON.stringify(new URL('../../src/envoy/process/child.ts', import.meta.url).href)};
    const child = spawnEnvoy({
      binary: ${JSON.stringify(await envoyPath())},
      bootstrap: ${JSON.stringify(alone())},
      onLog: () => {},
      stdout: 'ignore',
    workers: 1,
    });
    await child.admin;
    console.log(child.pid);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push({ stop: () => endOf(parent) });
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  const pid = Number(line);
  process.kill(pid, 0);
  await endOf(parent);
  await until(() => !isRunning(pid), { what: 'the end of Envoy' });
});

async function endOf(parent: ChildProcess): Promise<void> {
  if (parent.exitCode !== null || parent.signalCode !== null) return;
  parent.kill('SIGKILL');
  await once(parent, 'exit');
}
