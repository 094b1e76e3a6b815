import { type Command, Option } from 'commander';
import { startControlPlane } from '../control-plane.ts';
import { formatHostPort, type HostPort } from '../envoy/address.ts';
import { type LogLevel, makeLogger } from '../log.ts';
import { type BindAddress, grpcTarget } from '../xds/address.ts';
import { addDnsOptions, type DnsFlags, dnsSettings } from './dns-options.ts';
import { EXIT, failWith } from './exit.ts';
import { kickPortOption, kubeconfigOption, logLevelOption, parseBindAddress, routesOption } from './options.ts';
import { DEFAULT_ADMIN, parseAdminUrl } from './status.ts';
import { aborted, stopSignal } from './stop-signal.ts';

interface Options extends DnsFlags {
  readonly routes: string;
  readonly xds: readonly BindAddress[];
  readonly admin?: HostPort;
  readonly kickPort: number;
  readonly kubeconfig?: string;
  readonly logLevel: LogLevel;
}

const DEFAULT_XDS: readonly BindAddress[] = [{ kind: 'tcp', host: '127.0.0.1', port: 18_000 }];

/** `sluice serve`. */
export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('run the control plane alone, for an Envoy started elsewhere with `sluice bootstrap`')
    .addOption(routesOption().makeOptionMandatory())
    .addOption(
      new Option('--xds <address>', 'where Envoys connect; may be given several times')
        .argParser((text, before: readonly BindAddress[] = []) => [
          ...(before === DEFAULT_XDS ? [] : before),
          parseBindAddress(text),
        ])
        .default(DEFAULT_XDS, '127.0.0.1:18000'),
    )
    .option(
      '--admin <host:port>',
      'where Sluice serves health, status and metrics (default: 127.0.0.1:18001)',
      parseAdminUrl,
    )
    .addOption(kickPortOption())
    .addOption(kubeconfigOption());
  addDnsOptions(command)
    .addOption(logLevelOption())
    .addHelpText('after', '\nExample:\n  sluice serve --routes routes.yaml --xds 127.0.0.1:18000')
    .action(serve);
}

async function serve(options: Options): Promise<void> {
  const { routes, xds, admin = DEFAULT_ADMIN, kickPort, kubeconfig, logLevel } = options;
  const stopping = stopSignal();
  const log = makeLogger(logLevel);
  const started = await startControlPlane({ routes, xds, admin, kickPort, kubeconfig, dns: dnsSettings(options), log });
  if (!started.ok) {
    const badInput = started.errors.some(({ kind }) => kind === 'bad input');
    failWith(
      badInput ? EXIT.badInput : EXIT.failed,
      started.errors.map(({ message }) => message),
    );
    return;
  }
  const place = `http://${formatHostPort(started.value.admin)}`;
  log.info({ xds: started.value.xds.map(grpcTarget), routes, admin: place }, 'serving');
  await aborted(stopping);
  log.info('stopping');
  await started.value.stop();
}
