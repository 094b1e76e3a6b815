import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { documentCommands } from '../../scripts/docs/commands.ts';
import { Certificates } from './kit/certificates.ts';
import { envoyPath } from './kit/envoy.ts';
import { until } from './kit/instant.ts';
import { freePorts } from './kit/ports.ts';
import { SluiceProcess } from './kit/sluice-process.ts';

const read = (file: string) => readFileSync(join(import.meta.dirname, '../../docs', file), 'utf8');

test('docs/moving.md: Envoy takes the configuration that people move from', async () => {
  const config = /^```yaml\n(static_resources:.*?)^```/ms.exec(read('moving.md'))?.[1];
  if (config === undefined) throw new Error('there is no such example');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-documents-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'envoy.yaml');
  writeFileSync(file, config);
  const options = { encoding: 'utf8', timeout: 30_000 } as const;
  const { status, stderr } = spawnSync(await envoyPath(), ['--mode', 'validate', '-c', file], options);
  expect([status, stderr]).toEqual([0, expect.not.stringMatching(/\[(warning|error|critical)\]/)]);
});

const MAIN = join(import.meta.dirname, '../../src/main.ts');

/** The commands of the documents but those of the quick start, which a test walks as a whole. */
const commands = documentCommands().filter(({ file }) => file !== 'docs/quick-start.md');

const ROUTES = `version: 1
services: {codec: {static: [127.0.0.1:9], limit: 2}}
routes: [{match: {prefix: /codec}, service: codec}]
`;

/** Objects as those that docs/moving.md has people bring. */
const serviceOf = (name: string, namespace: string) => `---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: ${name}}, ports: [{port: 8080}]}
`;
const INGRESS = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  ingressClassName: sluice
  rules:
    - host: shop.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 8080}}}}]}
${serviceOf('web', 'shop')}`;
const VIRTUAL_SERVICE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: llm, namespace: models}
spec:
  hosts: [llm.example.com]
  gateways: [istio-system/public]
  http: [{route: [{destination: {host: llm.models.svc.cluster.local, port: {number: 8080}}}]}]
${serviceOf('llm', 'models')}`;

describe('commands of the documents', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-documents-'));
  let certificates: Certificates;
  beforeAll(async () => {
    certificates = await Certificates.make('ca');
    copyFileSync(certificates.at('ca.crt'), join(folder, 'ca.pem'));
    for (const name of ['sluice', 'sluice-2']) {
      await certificates.sign(name, `DNS:${name}.example`);
      copyFileSync(certificates.at(`${name}.crt`), join(folder, `${name}.pem`));
      copyFileSync(certificates.at(`${name}.key`), join(folder, `${name}.key`));
    }
    writeFileSync(join(folder, 'routes.yaml'), ROUTES);
    writeFileSync(join(folder, 'ingress.yaml'), INGRESS);
    writeFileSync(join(folder, 'models.yaml'), VIRTUAL_SERVICE);
    writeFileSync(join(folder, 'routes-new.yaml'), ROUTES.replace('limit: 2', 'limit: 3'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await certificates.remove();
  });

  const ending = commands.filter(({ line }) =>
    /^(?:npm run sluice --|sluice) (?!serve|run|demo-pod|status)/.test(line),
  );

  test('there are such', () => expect(ending.length).toBeGreaterThan(5));

  test.each(ending)('$file: $line', ({ line }) => {
    // `init` does not write over a file.
    const own = line.replace(/^(npm run sluice --|sluice) init/, '$& --output made.yaml');
    const text = own.replace(/^(npm run sluice --|sluice) /, `node ${MAIN} `);
    const { status, stderr } = spawnSync('bash', ['-c', text], { cwd: folder, encoding: 'utf8' });
    rmSync(join(folder, 'made.yaml'), { force: true });
    expect([status, stderr]).toEqual([0, '']);
  });

  const serving = commands.filter(({ line }) => line.startsWith('sluice serve'));

  test.each(serving)('$file: $line', async ({ line }) => {
    const [xds = 0, admin = 0, other = 0] = await freePorts(3);
    const own = line.replace('10.0.0.5:18000', `127.0.0.1:${xds}`).replace('sluice serve', '');
    const where = own.includes('--xds ') ? '' : `--xds 127.0.0.1:${other}`;
    const text = `exec node ${MAIN} serve ${own} ${where} --admin 127.0.0.1:${admin} --state-dir ${folder}/state`;
    const running = spawn('bash', ['-c', text], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    onTestFinished(() => void running.kill('SIGKILL'));
    let log = '';
    running.stderr.setEncoding('utf8').on('data', (piece: string) => {
      log += piece;
    });
    await until(() => log.includes('"serving"') || undefined, { what: `it to serve:\n${log}` });
    running.kill('SIGTERM');
    expect(await once(running, 'exit')).toEqual([0, null]);
  });

  test('those that drain an Envoy leave nothing running', async () => {
    const lines = [...new Set(commands.map(({ line }) => line).filter((line) => line.includes('127.0.0.1:9901')))];
    expect(lines).toHaveLength(3);
    const [listen = 0, admin = 0, own = 0] = await freePorts(3);
    writeFileSync(join(folder, 'listen.yaml'), `${ROUTES}listen: {port: ${listen}}\n`);
    const args = ['run', '--routes', join(folder, 'listen.yaml'), '--envoy-admin-port', String(admin)];
    const sluice = new SluiceProcess([...args, '--admin', `127.0.0.1:${own}`, '--state-dir', join(folder, 'state')]);
    onTestFinished(async () => {
      await sluice.end();
    });
    await until(() => sluice.log.some(({ msg }) => msg === 'Envoy takes requests') || undefined, {
      what: 'Envoy to take requests',
      within: 30_000,
    });
    const said = lines.map((line) => {
      const text = line.replace('9901', String(admin));
      return spawnSync('bash', ['-c', text], { encoding: 'utf8' }).stdout;
    });
    expect(said).toEqual(['OK\n', 'OK\n', 'http.public.downstream_rq_active: 0\n']);
    await until(
      () =>
        fetch(`http://127.0.0.1:${listen}/codec`).then(
          () => undefined,
          () => true,
        ),
      { what: 'new connections to be refused' },
    );
  });
});
