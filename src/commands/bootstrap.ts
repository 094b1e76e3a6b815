import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import { fail, ok, type Result } from '../base/result.ts';
import { renderBootstrap } from '../envoy/bootstrap.ts';
import type { XdsTls } from '../envoy/xds-tls.ts';
import type { BindAddress } from '../xds/address.ts';
import { EXIT, failWith } from './exit.ts';
import { parseBindAddress, parsePort } from './options.ts';

interface TlsFlags {
  readonly xdsCa?: string;
  readonly xdsClientCert?: string;
  readonly xdsClientKey?: string;
  readonly xdsSni?: string;
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
    .option('--service <name...>', 'the services it carries; all when left out', [])
    .option('--xds-ca <file>', "authorities (PEM) of the control plane's certificate; Envoy then connects with TLS")
    .option('--xds-client-cert <file>', 'the certificate Envoy shows (PEM), read when Envoy starts')
    .option('--xds-client-key <file>', 'its private key (PEM)')
    .option('--xds-sni <name>', "the name in the control plane's certificate, where it is not the host of --xds")
    .addHelpText(
      'after',
      '\nExample:\n  sluice bootstrap > bootstrap.yaml\n  envoy -c bootstrap.yaml --concurrency 1 --disable-hot-restart --drain-time-s 600',
    )
    .action((options: Options) => {
      const { xds, adminPort, nodeId, nodeCluster, service } = options;
      const tls = tlsOf(options);
      if (!tls.ok) {
        failWith(EXIT.badInput, tls.errors);
        return;
      }
      const services = service.length === 0 ? {} : { services: service };
      const admin = { host: '127.0.0.1', port: adminPort };
      process.stdout.write(renderBootstrap({ nodeId, nodeCluster, ...services, xds, admin, ...tls.value }));
    });
}

/** Envoy may be started in another folder, so files get their absolute paths. */
function tlsOf({ xdsCa, xdsClientCert, xdsClientKey, xdsSni }: TlsFlags): Result<{ readonly tls?: XdsTls }, string> {
  const errors = [
    ...((xdsClientCert === undefined) === (xdsClientKey === undefined)
      ? []
      : ['--xds-client-cert and --xds-client-key go together: write both, or none']),
    ...(xdsCa === undefined && [xdsClientCert, xdsClientKey, xdsSni].some((flag) => flag !== undefined)
      ? ['without --xds-ca Envoy connects in plaintext: write it as well']
      : []),
  ];
  if (errors.length > 0) return fail(...errors);
  if (xdsCa === undefined) return ok({});
  const pair =
    xdsClientCert === undefined || xdsClientKey === undefined
      ? {}
      : { client: { certificate: resolve(xdsClientCert), key: resolve(xdsClientKey) } };
  return ok({ tls: { ca: resolve(xdsCa), ...pair, ...(xdsSni !== undefined && { serverName: xdsSni }) } });
}
