import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { envoyPath } from './kit/envoy.ts';
import { until } from './kit/instant.ts';
import { freePorts } from './kit/ports.ts';

const ROOT = join(import.meta.dirname, '../..');

/** An Envoy in front of one pod, named as Sluice names it for the script that drains. */
function bootstrap(port: number, admin: number, pod: number): object {
  const address = (portValue: number) => ({ socket_address: { address: '127.0.0.1', port_value: portValue } });
  const typed = (name: string, type: string, rest: object) => ({
    name,
    typed_config: { '@type': `type.googleapis.com/envoy.extensions.${type}`, ...rest },
  });
  const manager = typed('hcm', 'filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'public',
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'pod' } }] }],
    },
    http_filters: [typed('router', 'filters.http.router.v3.Router', {})],
  });
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(pod) } }] }];
  return {
    admin: { address: address(admin) },
    static_resources: {
      listeners: [{ name: 'public', address: address(port), filter_chains: [{ filters: [manager] }] }],
      clusters: [{ name: 'pod', type: 'STATIC', load_assignment: { cluster_name: 'pod', endpoints } }],
    },
  };
}

test('envoy/run.sh: a container that is stopped finishes what it has, and then ends', async () => {
  const pod = createServer((_, response) => setTimeout(() => response.end('done\n'), 3000)).listen(0, '127.0.0.1');
  await once(pod, 'listening');
  onTestFinished(() => void pod.close());
  const place = pod.address();
  if (place === null || typeof place === 'string') throw new Error('not listening');
  const [port = 0, admin = 0] = await freePorts(2);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-run-script-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'envoy.json'), JSON.stringify(bootstrap(port, admin, place.port)));

  const env = {
    ...process.env,
    PATH: `${dirname(await envoyPath())}${delimiter}${process.env['PATH']}`,
    ENVOY_ADMIN_PORT: String(admin),
    ENVOY_ADMIN_SCRIPT: join(ROOT, 'k8s/base/envoy-admin.sh'),
  };
  const args = [join(ROOT, 'envoy/run.sh'), '-c', join(folder, 'envoy.json'), '--disable-hot-restart'];
  const running = spawn('bash', args, { env, stdio: 'ignore', detached: true });
  const ended = once(running, 'exit');
  onTestFinished(() => {
    if (running.exitCode === null && running.pid !== undefined) process.kill(-running.pid, 'SIGKILL');
  });
  const ask = () => fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());
  const live = () => fetch(`http://127.0.0.1:${admin}/ready`).then(({ status }) => status === 200);
  await until(() => live().catch(() => undefined), { what: 'Envoy to be ready' });

  const answer = ask();
  const active = async () => (await fetch(`http://127.0.0.1:${admin}/stats?filter=public.downstream_rq_active`)).text();
  await until(async () => (await active()).includes(': 1\n'), { what: 'the request to be under way' });
  running.kill('SIGTERM');
  await until(
    () =>
      ask().then(
        () => undefined,
        () => true,
      ),
    { what: 'new connections to be refused' },
  );
  expect(running.exitCode).toBeNull();
  expect(await answer).toBe('done\n');
  expect(await ended).toEqual([0, null]);
});
