import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { renderBootstrap } from '../../../src/envoy/bootstrap.ts';
import { requiredArguments } from '../../../src/envoy/command-line.ts';
import { envoyPath, startEnvoy } from '../kit/envoy.ts';
import { Pods } from '../kit/pods.ts';
import { ControlPlane } from './control-plane.ts';

const FOLDER = join(import.meta.dirname, '../../../compose/several');
const text = readFileSync(join(FOLDER, 'bootstrap.yaml'), 'utf8');
const compose = parse(readFileSync(join(FOLDER, 'docker-compose.yml'), 'utf8'), { merge: true });
const edges = ['edge-1', 'edge-2'] as const;

test('the Compose file with two Envoys gives each the bootstrap that Sluice prints, its arguments and a name of its own', () => {
  const xds = { kind: 'tcp', host: 'sluice', port: 18_000 } as const;
  const admin = { host: '127.0.0.1', port: 9901 };
  expect(text).toBe(renderBootstrap({ nodeId: 'edge', nodeCluster: 'sluice', xds, admin }));
  for (const name of edges) {
    const own = ['-c', '/etc/edge/bootstrap.yaml', '--service-node', name, '--concurrency', '1'];
    expect(compose.services[name].command).toEqual([...own, ...requiredArguments()]);
  }
  const ports = edges.flatMap((name) => compose.services[name].ports);
  expect(ports).toEqual(['127.0.0.1:8080:8080', '127.0.0.1:8081:8080']);
});

test('the Compose file with two pairs: one Sluice coordinates and keeps who may hold slots, the other one follows it', () => {
  const { services, volumes } = parse(readFileSync(join(FOLDER, 'pairs', 'docker-compose.yml'), 'utf8'), {
    merge: true,
  });
  const [coordinator, follower] = ['sluice-1', 'sluice-2'].map((name) => services[name]);
  expect(coordinator.command).not.toContain('--coordinator');
  expect(optionsOf(coordinator.command).get('--state-dir')).toBe('/var/lib/sluice');
  expect(coordinator.volumes).toContain('state:/var/lib/sluice');
  expect(Object.keys(volumes)).toEqual(['state']);
  const { port } = new URL(`http://${optionsOf(coordinator.command).get('--xds')}`);
  expect(optionsOf(follower.command).get('--coordinator')).toBe(`sluice-1:${port}`);
  for (const [index, name] of edges.entries()) {
    expect(services[name].command).toEqual(compose.services[name].command);
    // The bootstrap names the host `sluice`: in the network of each pair that is its own.
    const network = `pair-${index + 1}`;
    expect(services[`sluice-${index + 1}`].networks[network]).toEqual({ aliases: ['sluice'] });
    expect(services[name].networks).toEqual(['pods', network]);
  }
});

test('two pairs, with the commands of the Compose file, share the slots, and are called as they are there', async () => {
  const pods = await Pods.start({ count: 2 });
  onTestFinished(() => pods.stop());
  const routes = {
    services: { demo: { static: pods.addresses, limit: 1 } },
    routes: [{ match: { prefix: '/' }, service: 'demo' }],
  };
  const state = mkdtempSync(join(tmpdir(), 'sluice-compose-'));
  onTestFinished(() => rmSync(state, { recursive: true, force: true }));
  const { services } = parse(readFileSync(join(FOLDER, 'pairs', 'docker-compose.yml'), 'utf8'), { merge: true });
  // All that is not a place, which is another one here.
  const said = (name: string, places: Readonly<Record<string, string>>): readonly string[] => {
    const [command, ...words]: readonly string[] = services[name].command;
    expect(command).toBe('serve');
    return words.flatMap((word, at) => {
      const before = words[at - 1] ?? '';
      const isOfTest = ['--routes', '--xds', '--admin'];
      if (isOfTest.includes(word) || isOfTest.includes(before)) return [];
      return [places[before] ?? word];
    });
  };
  const one = await ControlPlane.start(routes, said('sluice-1', { '--state-dir': state }));
  const follow = said('sluice-2', { '--coordinator': `localhost:${one.xds.port}` });
  const other = await ControlPlane.start(routes, [...follow, '--state-dir', join(state, 'other')]);
  await one.envoy('edge-1');
  await other.envoy('edge-2');
  const held = async () => {
    const [service] = (await one.status()).services;
    return service?.kind === 'limited' ? service.shared?.held : undefined;
  };
  await expect.poll(held, { timeout: 20_000 }).toEqual([
    { node: 'edge-1', slots: 1 },
    { node: 'edge-2', slots: 1 },
  ]);
  expect((await other.status()).follows).toMatchObject({ name: 'sluice-1', state: 'connected' });
  expect((await one.status()).sharing?.members.map(({ via }) => via)).toEqual([undefined, 'sluice-2']);
}, 60_000);

test('two Envoys with one bootstrap and different --service-node are two Envoys, and share the slots', async () => {
  const pods = await Pods.start({ count: 2 });
  onTestFinished(() => pods.stop());
  const plane = await ControlPlane.start({
    services: { demo: { static: pods.addresses, limit: 1 } },
    routes: [{ match: { prefix: '/' }, service: 'demo' }],
  });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-compose-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const local = text
    .replace('address: "sluice"', `address: "${plane.xds.host}"`)
    .replace('port_value: 18000', `port_value: ${plane.xds.port}`)
    .replace('port_value: 9901', 'port_value: 0');
  for (const name of edges) {
    const program = join(folder, name);
    writeFileSync(program, `#!/bin/sh\nexec ${await envoyPath()} --service-node ${name} "$@"\n`);
    chmodSync(program, 0o755);
    const envoy = await startEnvoy(parse(local), 'warn', program, 1);
    onTestFinished(async () => void (await envoy.stop()));
  }
  const members = async () => ((await plane.status()).sharing?.members ?? []).map(({ node, state }) => [node, state]);
  await expect
    .poll(async () => (await members()).sort(), { timeout: 20_000 })
    .toEqual([
      ['edge-1', 'connected'],
      ['edge-2', 'connected'],
    ]);
  const held = async () => {
    const [service] = (await plane.status()).services;
    return service?.kind === 'limited' ? (service.shared?.held ?? []).reduce((all, { slots }) => all + slots, 0) : 0;
  };
  await expect.poll(held, { timeout: 20_000 }).toBe(2);
}, 60_000);

/** What follows each option of a command line. */
function optionsOf(command: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    command.flatMap((word, at) => (word.startsWith('--') ? [[word, command[at + 1] ?? ''] as const] : [])),
  );
}
