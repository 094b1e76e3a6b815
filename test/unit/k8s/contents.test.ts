import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { requiredArguments } from '../../../src/envoy/command-line.ts';
import { readRoutes } from '../../../src/routes/manifests/read-routes.ts';
import { K8S, ROOT } from './kustomize.ts';

const deployment = parse(readFileSync(join(K8S, 'base/deployment.yaml'), 'utf8'));
const compose = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'));
const [sluice, envoy] = deployment.spec.template.spec.containers;

function sluiceCommand(...args: readonly string[]): string {
  return execFileSync(process.execPath, [join(ROOT, 'src/main.ts'), ...args], { encoding: 'utf8' });
}

test('every YAML file is well-formed', () => {
  const files = readdirSync(K8S, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'));
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    for (const document of parseAllDocuments(readFileSync(join(K8S, file), 'utf8'))) {
      expect([file, ...document.errors, ...document.warnings]).toEqual([file]);
    }
  }
});

test.each([join(K8S, 'base/routes.yaml'), join(ROOT, 'compose/routes.yaml')])(
  '%s is a route file without a fault, for the port that is published',
  async (path) => {
    const read = await readRoutes(path, {});
    expect(read).toMatchObject({
      ok: true,
      value: { warnings: [], routing: { listeners: [{ address: '0.0.0.0', port: 8080 }] } },
    });
    expect(envoy.ports).toEqual([{ name: 'http', containerPort: 8080 }]);
  },
);

describe('what the containers are started with', () => {
  test.each([
    ['k8s', envoy.args, ['--service-node', '$(POD_NAME)', '--concurrency', '1']],
    ['compose', compose.services.envoy.command, []],
  ])('%s: Envoy has the arguments it must have', (_, args, own) => {
    expect(args).toEqual(['-c', '/etc/envoy/bootstrap.yaml', ...own, ...requiredArguments()]);
  });

  test.each([
    ['k8s', sluice.args],
    ['compose', compose.services.sluice.command],
    ['compose pods', compose.services.pod.command],
  ])('%s: Sluice knows the command and its options', (_, [command, ...args]: readonly string[]) => {
    const help = sluiceCommand(command ?? '', '--help');
    for (const arg of args.filter((each) => each.startsWith('--'))) {
      expect(help).toContain(`${arg.replace(/=.*/, '')} <`);
    }
  });

  test('the ports fit together', () => {
    const bootstrap = readFileSync(join(K8S, 'base/bootstrap.yaml'), 'utf8');
    expect(bootstrap).toContain('port_value: 18000');
    expect(sluice.args).toContain('--xds=127.0.0.1:18000');
    expect(readFileSync(join(K8S, 'base/envoy-admin.sh'), 'utf8')).toContain('9901');
    expect(bootstrap).toContain('port_value: 9901');
    expect(sluice.args).toContain('--admin=127.0.0.1:18001');
    expect(readFileSync(join(K8S, 'base/sluice-probe.sh'), 'utf8')).toContain('18001');
    const { port } = parse(readFileSync(join(ROOT, 'compose/routes.yaml'), 'utf8')).services.demo.dns;
    expect(compose.services.pod.command.join(' ')).toContain(`--port ${port} `);
  });

  test('compose: an Envoy that is restarted, or a Sluice, comes back into the network of the other one', () => {
    const { network, sluice: own, envoy: proxy } = compose.services;
    for (const { network_mode: mode, restart } of [own, proxy]) {
      expect([mode, restart]).toEqual(['service:network', 'unless-stopped']);
    }
    expect([network.network_mode, network.entrypoint]).toEqual([undefined, ['sleep', 'infinity']]);
    expect(network.ports).toHaveLength(2);
  });

  test('compose: Envoy is stopped before those that it needs to finish what it has', () => {
    expect(compose.services.envoy.depends_on.sort()).toEqual(['pod', 'sluice']);
    expect(compose.services.envoy.entrypoint).toEqual(['bash', '/etc/envoy/run.sh']);
  });

  test('both use the same Envoy image', () => {
    expect(compose.services.envoy.image).toBe(envoy.image);
  });
});
