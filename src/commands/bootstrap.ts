import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import { reasonOf } from '../base/reason.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { renderBootstrap } from '../envoy/bootstrap.ts';
import { requiredArguments } from '../envoy/command-line.ts';
import { xdsSecrets as secretFiles, type XdsTls } from '../envoy/xds-tls.ts';
import type { BindAddress } from '../xds/server/address.ts';
import { EXIT, failWith } from './exit.ts';
import { parseBindAddress, parsePort } from './options.ts';

interface TlsFlags {
  readonly xdsCa?: string;
  readonly xdsClientCert?: string;
  readonly xdsClientKey?: string;
  readonly xdsSni?: string;
  readonly xdsSecrets?: string;
}

interface Options extends TlsFlags {
  readonly xds: BindAddress;
  readonly adminPort: number;
  readonly nodeId: string;
  readonly nodeCluster: string;
  readonly service: readonly string[];
}

/** `sluice bootstrap`. */
export function addBootstrap(program: Command): void {
  program
    .command('bootstrap')
    .description('print the bootstrap for an Envoy beside Sluice')
    .addOption(
      new Option('--xds <address>', 'where Sluice listens for Envoys')
        .argParser(parseBindAddress)
        .default({ kind: 'tcp', host: '127.0.0.1', port: 18_000 } satisfies BindAddress, '127.0.0.1:18000'),
    )
    .option('--admin-port <port>', "port of Envoy's admin, on loopback", parsePort, 9901)
    .option('--node-id <id>', 'what this Envoy is called', 'envoy')
    .option('--node-cluster <name>', 'the group of Envoys it belongs to', 'sluice')
    .option('--service <name...>', 'the services it serves; all when left out', [])
    .option('--xds-ca <file>', "authorities (PEM) of the control plane's certificate; Envoy then connects with TLS")
    .option('--xds-client-cert <file>', 'the certificate Envoy shows (PEM)')
    .option('--xds-client-key <file>', 'its private key (PEM)')
    .option('--xds-sni <name>', "the name in the control plane's certificate, where it is not the host of --xds")
    .option(
      '--xds-secrets <folder>',
      'write files there by which Envoy reads certificates again when they change; when left out it reads them once, when it starts',
    )
    .addHelpText(
      'after',
      `\nExample:\n  sluice bootstrap > bootstrap.yaml\n  envoy -c bootstrap.yaml ${requiredArguments().join(' ')}`,
    )
    .action(async (options: Options) => {
      const { xds, adminPort, nodeId, nodeCluster, service } = options;
      const tls = tlsOf(options);
      if (!tls.ok) {
        failWith(EXIT.badInput, tls.errors);
        return;
      }
      const written = await writeSecrets(tls.value.tls);
      if (!written.ok) {
        failWith(EXIT.failed, written.errors);
        return;
      }
      const services = service.length === 0 ? {} : { services: service };
      const admin = { host: '127.0.0.1', port: adminPort };
      process.stdout.write(renderBootstrap({ nodeId, nodeCluster, ...services, xds, admin, ...tls.value }));
    });
}

/** Envoy may be started in another folder, so files get their absolute paths. */
function tlsOf(flags: TlsFlags): Result<{ readonly tls?: XdsTls }, string> {
  const { xdsCa, xdsClientCert, xdsClientKey, xdsSni, xdsSecrets } = flags;
  const errors = [
    ...((xdsClientCert === undefined) === (xdsClientKey === undefined)
      ? []
      : ['--xds-client-cert and --xds-client-key go together: write both, or none']),
    ...(xdsCa === undefined && [xdsClientCert, xdsClientKey, xdsSni, xdsSecrets].some((flag) => flag !== undefined)
      ? ['without --xds-ca Envoy connects in plaintext: write it as well']
      : []),
  ];
  if (errors.length > 0) return fail(...errors);
  if (xdsCa === undefined) return ok({});
  const pair =
    xdsClientCert === undefined || xdsClientKey === undefined
      ? {}
      : { client: { certificate: resolve(xdsClientCert), key: resolve(xdsClientKey) } };
  const serverName = xdsSni === undefined ? {} : { serverName: xdsSni };
  const secrets = xdsSecrets === undefined ? {} : { secrets: resolve(xdsSecrets) };
  return ok({ tls: { ca: resolve(xdsCa), ...pair, ...serverName, ...secrets } });
}

/** Without its parents: where one cannot be made Node may try for ever. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** Writes what Envoy finds its certificates by, where it was asked for. Errors: the file that cannot be written. */
async function writeSecrets(tls: XdsTls | undefined): Promise<Result<void, string>> {
  const folder = tls?.secrets;
  if (tls === undefined || folder === undefined) return ok(undefined);
  try {
    await makeFolder(folder);
    for (const [name, text] of secretFiles(tls)) await writeFile(join(folder, name), text);
    return ok(undefined);
  } catch (error) {
    return fail(`--xds-secrets ${folder}: cannot be written: ${reasonOf(error)}`);
  }
}
