import { type Command, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import type { Millis } from '../base/duration.ts';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import { type LogLevel, makeLogger } from '../base/log.ts';
import { startControlPlane } from '../control-plane/assemble.ts';
import { type BindAddress, grpcTarget } from '../xds/server/address.ts';
import { addCoordinatorOptions, type CoordinatorFlags, coordinatorChoice } from './coordinator-options.ts';
import { addDnsOptions, type DnsFlags, dnsSettings } from './dns-options.ts';
import { EXIT, failWith } from './exit.ts';
import { addObjectOptions, type ObjectFlags, objectRoutes, wantsObjects } from './object-options.ts';
import {
  adminHostOption,
  deletionCostOption,
  durationArgument,
  filterOption,
  kubeconfigOption,
  logLevelOption,
  nameArgument,
  parseBindAddress,
  routesOption,
} from './options.ts';
import { addPairOptions, type PairFlags, pairsChoice } from './pair-options.ts';
import { stateDir, stateDirOption } from './state-dir.ts';
import { DEFAULT_ADMIN, parseAdminUrl } from './status.ts';
import { aborted, stopSignal } from './stop-signal.ts';
import { addXdsSecurityOptions, type XdsSecurityFlags, xdsSecurity } from './xds-security-options.ts';

interface Options extends DnsFlags, XdsSecurityFlags, CoordinatorFlags, PairFlags, ObjectFlags {
  readonly routes?: string;
  readonly xds: readonly BindAddress[];
  readonly admin?: HostPort;
  readonly name?: string;
  readonly slotsReclaim?: Millis;
  readonly filter: 'on' | 'off';
  readonly allowTrap?: boolean;
  readonly kubeconfig?: string;
  readonly stateDir?: string;
  readonly adminHost?: readonly string[];
  readonly logLevel: LogLevel;
  readonly podDeletionCost?: boolean;
}

const DEFAULT_XDS: readonly BindAddress[] = [{ kind: 'tcp', host: '127.0.0.1', port: 18_000 }];

/** `sluice serve`. */
export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('run the control plane alone, for an Envoy started elsewhere with `sluice bootstrap`')
    .addOption(routesOption())
    .addOption(
      new Option('--xds <address>', 'where Envoys connect; may be given several times')
        .argParser((text, before: readonly BindAddress[] = []) => [
          ...(before === DEFAULT_XDS ? [] : before),
          parseBindAddress(text),
        ])
        .default(DEFAULT_XDS, '127.0.0.1:18000'),
    );
  addXdsSecurityOptions(command);
  addCoordinatorOptions(command);
  addPairOptions(command)
    .option(
      '--name <name>',
      'how this Sluice calls itself before others that share slots (default: its host and the port of its --xds)',
      nameArgument,
    )
    .option(
      '--admin <host:port>',
      'where Sluice serves health, status and metrics (default: 127.0.0.1:18001)',
      parseAdminUrl,
    )
    .addOption(
      new Option(
        '--slots-reclaim <duration>',
        'where several Envoys share slots: after how long the slots of one that has lost its connection are given to the others; if it still runs, its pods get more than their limit (default: never)',
      ).argParser(durationArgument),
    )
    .addOption(filterOption())
    .addOption(new Option('--allow-trap', 'a request may end the queue filter, for tests').hideHelp())
    .addOption(kubeconfigOption())
    .addOption(deletionCostOption())
    .addOption(stateDirOption())
    .addOption(adminHostOption());
  addObjectOptions(command);
  addDnsOptions(command)
    .addOption(logLevelOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sluice serve --routes routes.yaml --xds 127.0.0.1:18000\n  sluice serve --gateway-api',
    )
    .action(serve);
}

async function serve(options: Options): Promise<void> {
  const { routes, xds, admin = DEFAULT_ADMIN, slotsReclaim, filter, kubeconfig, logLevel } = options;
  if (routes === undefined && !wantsObjects(options)) {
    failWith(EXIT.badInput, [
      'Name a route file with --routes, or take routes from objects with --gateway-api, --ingress or --istio.',
    ]);
    return;
  }
  const coordinator = coordinatorChoice(options, options);
  if (!coordinator.ok) {
    failWith(EXIT.badInput, coordinator.errors);
    return;
  }
  const pairs = pairsChoice(options, filter);
  if (!pairs.ok) {
    failWith(EXIT.badInput, pairs.errors);
    return;
  }
  if (pairs.value !== undefined && coordinator.value !== undefined) {
    failWith(EXIT.badInput, [
      '--coordinator names the one that coordinates, --coordinator-lease has a Lease say so: leave one of them out',
    ]);
    return;
  }
  const stopping = stopSignal();
  const log = makeLogger(logLevel);
  const security = await xdsSecurity(options, xds, { clock: systemClock, log });
  if (!security.ok) {
    failWith(EXIT.badInput, security.errors);
    return;
  }
  const { credentials, guard, sluiceGuard, maxAgeMs } = security.value;
  const started = await startControlPlane({
    routes,
    objects: objectRoutes(options),
    stateDir: stateDir(options.stateDir, process.env, log),
    adminHosts: options.adminHost,
    xds,
    xdsSecurity: { credentials: credentials?.server, guard, sluiceGuard, maxAgeMs },
    name: options.name,
    admin,
    coordinator: coordinator.value,
    pairs: pairs.value,
    slotsReclaim,
    filter,
    allowTrap: options.allowTrap,
    kubeconfig,
    deletionCosts: options.podDeletionCost,
    dns: dnsSettings(options),
    log,
  });
  if (!started.ok) {
    credentials?.stop();
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
  credentials?.stop();
}
