import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BootstrapOptions, envoyBootstrap, renderBootstrap, type XdsAddress } from '../../src/envoy/bootstrap.ts';
import { TYPE_URLS } from '../../src/snapshot/resource.ts';
import { envoyPath, startEnvoy, type TestEnvoy } from './kit/envoy.ts';
import { until } from './kit/instant.ts';
import { freezable, StubControlPlane } from './stub-control-plane.ts';

const admin = { host: '127.0.0.1', port: 0 };

let folder: string;
const started: { stop(): unknown }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-bootstrap-'));
});
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
  rmSync(folder, { recursive: true });
});

function options(xds: XdsAddress): BootstrapOptions {
  return { nodeId: 'n', nodeCluster: 'on', services: ['codec'], xds, admin };
}

async function stub({ address = '127.0.0.1:0', sendLimits = true } = {}): Promise<StubControlPlane> {
  const control = await new StubControlPlane(sendLimits).start(address);
  started.push(control);
  return control;
}

async function start(xds: XdsAddress): Promise<TestEnvoy> {
  const running = await startEnvoy(envoyBootstrap(options(xds)), 'warn');
  started.push(running);
  return running;
}

const state = async (running: TestEnvoy) => {
  const found = await running.admin.state();
  return found.ok ? found.value : found.errors[0];
};

async function failedAttempts(running: TestEnvoy): Promise<number> {
  const name = 'cluster.sluice.upstream_cx_connect_fail';
  const stats = await running.admin.stats({ filter: `^${name.replaceAll('.', '\\.')}$` });
  return (stats.ok && stats.value.get(name)) || 0;
}

describe('the rendered bootstrap', () => {
  const addresses: readonly XdsAddress[] = [
    { kind: 'tcp', host: '127.0.0.1', port: 18_000 },
    { kind: 'tcp', host: '::1', port: 18_000 },
    { kind: 'tcp', host: 'sluice.infra.svc.cluster.local', port: 18_000 },
    { kind: 'unix', path: '/run/sluice/xds.sock' },
  ];

  test.each(addresses)('for %o is accepted by Envoy without a word', async (xds) => {
    const file = join(folder, 'bootstrap.yaml');
    writeFileSync(file, renderBootstrap(options(xds)));
    const args = ['-c', file, '--mode', 'validate', '--log-level', 'warning'];
    const { stdout, stderr } = await promisify(execFile)(await envoyPath(), args);
    expect(stdout.trim()).toBe(`configuration '${file}' OK`);
    expect(stderr).toBe('');
  });

  test('is refused by Envoy when it is wrong: the test above can fail', async () => {
    const file = join(folder, 'bootstrap.yaml');
    writeFileSync(
      file,
      renderBootstrap(options({ kind: 'unix', path: '/x' })).replace('load_stats_config', 'load_config'),
    );
    const validate = promisify(execFile)(await envoyPath(), [
      '-c',
      file,
      '--mode',
      'validate',
      '--log-level',
      'warning',
    ]);
    await expect(validate).rejects.toThrow('load_config');
  });
});

describe('an Envoy with the bootstrap', { timeout: 120_000 }, () => {
  test('comes up over TCP, with the limits, and has nothing to complain about', async () => {
    const control = await stub();
    const running = await start({ kind: 'tcp', host: '127.0.0.1', port: control.port });
    await until(async () => (await state(running)) === 'LIVE', { what: 'LIVE' });
    const [first, second] = control.seen.requests;
    expect(first?.node).toMatchObject({ id: 'n', cluster: 'on' });
    expect(first?.node?.metadata?.fields?.['sluice']?.structValue?.fields?.['services']).toMatchObject({
      listValue: { values: [{ stringValue: 'codec' }] },
    });
    expect(second?.node ?? null).toBeNull();
    await until(() => control.seen.lrs === 1, { what: 'load reports' });
    const stats = await running.admin.stats({ filter: '^runtime\\.(num_layers|num_keys)$' });
    expect(stats).toEqual({
      ok: true,
      value: new Map([
        ['runtime.num_layers', 2],
        ['runtime.num_keys', 3],
      ]),
    });
    expect(running.logs).toEqual([]);
  });

  test('comes up over a unix socket', async () => {
    const path = join(folder, 'xds.sock');
    await stub({ address: `unix:${path}` });
    const running = await start({ kind: 'unix', path });
    await until(async () => (await state(running)) === 'LIVE', { what: 'LIVE' });
  });

  test('comes up over a host name', async () => {
    const control = await stub();
    const running = await start({ kind: 'tcp', host: 'localhost', port: control.port });
    await until(async () => (await state(running)) === 'LIVE', { what: 'LIVE' });
  });

  test('asks for clusters only when it has the limits', async () => {
    const control = await stub({ sendLimits: false });
    const running = await start({ kind: 'tcp', host: '127.0.0.1', port: control.port });
    const asked = (typeUrl: string) => control.seen.requests.some((request) => request.typeUrl === typeUrl);
    await until(() => asked(TYPE_URLS.runtime), { what: 'the limits are asked for' });
    expect(await state(running)).toBe('PRE_INITIALIZING');
    control.sendLimits();
    await until(async () => (await state(running)) === 'LIVE', { what: 'LIVE' });
    expect(asked(TYPE_URLS.cluster)).toBe(true);
  });

  test('is back soon after its control plane was gone for a while', async () => {
    const first = await stub();
    const running = await start({ kind: 'tcp', host: '127.0.0.1', port: first.port });
    await until(async () => (await state(running)) === 'LIVE', { what: 'LIVE' });
    await until(() => first.seen.lrs === 1, { what: 'load reports' });
    first.stop();
    // About 15 s; with Envoy's own back-off, which grows to 30 s, it would be minutes.
    await until(async () => (await failedAttempts(running)) >= 30, { what: '30 attempts', within: 60_000 });
    const second = await stub({ address: `127.0.0.1:${first.port}` });
    await until(() => second.seen.ads === 1, { what: 'configuration' });
    await until(() => second.seen.lrs === 1, { what: 'load reports' });
    expect(await state(running)).toBe('LIVE');
  });

  test('leaves a control plane that hangs', async () => {
    const control = await stub();
    const frozen = await freezable(control.port);
    started.push(frozen);
    const running = await start({ kind: 'tcp', host: '127.0.0.1', port: frozen.port });
    await until(async () => (await state(running)) === 'LIVE', { what: 'LIVE' });
    const opened = control.seen.ads;
    frozen.freeze();
    // 15 s: it is asked every 10 s, and has 5 s to answer.
    await until(() => control.seen.ads > opened, { what: 'a new stream', within: 60_000 });
  });
});
