import type { Command } from 'commander';
import { Option } from 'commander';
import { renderBootstrap } from '../envoy/bootstrap.ts';
import type { BindAddress } from '../xds/address.ts';
import { parseBindAddress, parsePort } from './options.ts';

interface Options {
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
    .addHelpText(
      'after',
      '\nExample:\n  sluice bootstrap > bootstrap.yaml\n  envoy -c bootstrap.yaml --concurrency 1 --disable-hot-restart --drain-time-s 600',
    )
    .action(({ xds, adminPort, nodeId, nodeCluster, service }: Options) => {
      const services = service.length === 0 ? {} : { services: service };
      const admin = { host: '127.0.0.1', port: adminPort };
      process.stdout.write(renderBootstrap({ nodeId, nodeCluster, ...services, xds, admin }));
    });
}
