import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { XDS_CLUSTER } from '../../src/dataplane/contract.ts';
import { type BootstrapOptions, envoyBootstrap, renderBootstrap, type XdsAddress } from '../../src/envoy/bootstrap.ts';
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

async function stub({ address = '127.0.0.1:0' } = {}): Promise<StubControlPlane> {
  const control = await new StubControlPlane().start(address);
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
  const name = `cluster.${XDS_CLUSTER}.upstream_cx_connect_fail`;
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
    writeFileSync(file, renderBootstrap(options({ kind: 'unix', path: '/x' })).replace('stats_tags', 'stat_tags'));
    const validate = promisify(execFile)(await envoyPath(), [
      '-c',
      file,
      '--mode',
      'validate',
      '--log-level',
      'warning',
    ]);
    await expect(validate).rejects.toThrow('stat_tags');
  });
});

describe('an Envoy with the bootstrap', { timeout: 120_000 }, () => {
  test('comes up over TCP and has nothing to complain about', async () => {
    const control = await stub();
    const running = await start({ kind: 'tcp', host: '127.0.0.1', port: control.port });
    await until(async () => (await state(running)) === 'LIVE', { what: 'LIVE' });
    const [first, second] = control.seen.requests;
    expect(first?.node).toMatchObject({ id: 'n', cluster: 'on' });
    expect(first?.node?.metadata?.fields?.['sluice']?.structValue?.fields?.['services']).toMatchObject({
      listValue: { values: [{ stringValue: 'codec' }] },
    });
    expect(second?.node ?? null).toBeNull();
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

  test('is back soon after its control plane was gone for a while', async () => {
    const first = await stub();
    const running = await start({ kind: 'tcp', host: '127.0.0.1', port: first.port });
    await until(async () => (await state(running)) === 'LIVE', { what: 'LIVE' });
    first.stop();
    // About 15 s; with Envoy's own back-off, which grows to 30 s, it would be minutes.
    await until(async () => (await failedAttempts(running)) >= 30, { what: '30 attempts', within: 60_000 });
    const second = await stub({ address: `127.0.0.1:${first.port}` });
    await until(() => second.seen.ads === 1, { what: 'configuration' });
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
    // It is asked every 0.5 s, and has 0.5 s to answer; Envoy opens the next stream up to 1 s later.
    await until(() => control.seen.ads > opened, { what: 'a new stream', within: 5_000 });
  });
});
