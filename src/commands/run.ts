import type { Command } from 'commander';
import { sleep, systemClock } from '../base/clock.ts';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import { type Logger, type LogLevel, makeLogger } from '../base/log.ts';
import { startControlPlane } from '../control-plane/assemble.ts';
import { type Demo, startDemo } from '../demo/demo.ts';
import { envoyAdmin } from '../envoy/admin.ts';
import { findEnvoy } from '../envoy/binary/binary.ts';
import { envoyBootstrap, type XdsAddress } from '../envoy/bootstrap.ts';
import { type SupervisedEnvoy, superviseEnvoy } from '../envoy/process/supervise.ts';
import { addDnsOptions, type DnsFlags, dnsSettings } from './dns-options.ts';
import { EXIT, failWith } from './exit.ts';
import { freePort } from './free-port.ts';
import { adminHostOption, filterOption, kubeconfigOption, logLevelOption, parsePort, routesOption } from './options.ts';
import { stateDir, stateDirOption } from './state-dir.ts';
import { DEFAULT_ADMIN, parseAdminUrl } from './status.ts';
import { aborted, stopSignal } from './stop-signal.ts';

interface Options extends DnsFlags {
  readonly routes?: string;
  readonly envoyAdminPort?: number;
  readonly admin?: HostPort;
  readonly filter: 'on' | 'off';
  readonly kubeconfig?: string;
  readonly stateDir?: string;
  readonly adminHost?: readonly string[];
  readonly logLevel: LogLevel;
}

/** Where Envoy's admin listens unless told otherwise: the port of Envoy's own examples. */
const ENVOY_ADMIN_PORT = 9901;

/** `sluice run`. */
export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('run the control plane and an Envoy as its child; without --routes: a demo with three pods')
    .addOption(routesOption())
    .option(
      '--admin <host:port>',
      'where Sluice serves health, status and metrics (default: 127.0.0.1:18001, or any free port)',
      parseAdminUrl,
    )
    .option('--envoy-admin-port <port>', `port of Envoy's admin, on loopback (default: ${ENVOY_ADMIN_PORT})`, parsePort)
    .addOption(filterOption())
    .addOption(kubeconfigOption())
    .addOption(stateDirOption())
    .addOption(adminHostOption());
  addDnsOptions(command)
    .addOption(logLevelOption())
    .addHelpText('after', '\nExamples:\n  sluice run\n  sluice run --routes routes.yaml')
    .action(async (options: Options) => {
      const run = new Run(options);
      try {
        await run.untilStopped();
      } finally {
        await run.cleanUp();
      }
    });
}

/** One run: what it has started, it also ends, in the opposite order. */
class Run {
  readonly #options: Options;
  readonly #log: Logger;
  readonly #stopping = stopSignal();
  readonly #cleanups: (() => Promise<unknown>)[] = [];
  /** Where the control plane's own page is. */
  #dashboard = '';

  constructor(options: Options) {
    this.#options = options;
    this.#log = makeLogger(options.logLevel);
  }

  async untilStopped(): Promise<void> {
    const found = await findEnvoy({ signal: this.#stopping });
    if (this.#stopping.aborted) return;
    if (!found.ok) {
      failWith(EXIT.failed, ['Sluice needs an Envoy, and found none:', ...found.errors.map((error) => `  - ${error}`)]);
      return;
    }
    const demo = this.#options.routes === undefined ? await startDemo(await freePort(8080)) : undefined;
    if (demo !== undefined) this.#cleanups.push(() => demo.stop());
    const adminPort = await this.#adminPort();
    const xds = await this.#startControlPlane(demo);
    if (xds === undefined) return;
    const envoy = this.#startEnvoy(found.value.path, xds, adminPort);
    this.#cleanups.push(() => envoy.stop());
    const up = await Promise.race([envoy.up, aborted(this.#stopping)]);
    if (up === undefined) return;
    if (!up.ok) {
      failWith(EXIT.failed, up.errors);
      return;
    }
    await this.#live(up.value);
    if (demo !== undefined && !this.#stopping.aborted) {
      process.stdout.write(demo.text({ dashboard: `${this.#dashboard}/`, envoyAdminPort: up.value.port }));
    }
    await aborted(this.#stopping);
    this.#log.info('stopping');
  }

  async cleanUp(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
  }

  /** Where the control plane listens; undefined when it could not be started, which has been told. */
  async #startControlPlane(demo: Demo | undefined): Promise<XdsAddress | undefined> {
    const started = await startControlPlane({
      routes: this.#options.routes ?? demo?.routes ?? '',
      // What the demo was started with nobody wants back.
      stateDir: demo === undefined ? stateDir(this.#options.stateDir, process.env, this.#log) : undefined,
      adminHosts: this.#options.adminHost,
      burst: demo && ((count) => demo.burst(count)),
      // Both on this machine, under one command: any free ports will do.
      xds: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
      admin: await this.#adminAddress(),
      filter: this.#options.filter,
      kubeconfig: this.#options.kubeconfig,
      dns: dnsSettings(this.#options),
      log: this.#log,
    });
    if (!started.ok) {
      const badInput = started.errors.some(({ kind }) => kind === 'bad input');
      failWith(
        badInput ? EXIT.badInput : EXIT.failed,
        started.errors.map(({ message }) => message),
      );
      return undefined;
    }
    this.#cleanups.push(() => started.value.stop());
    this.#dashboard = `http://${formatHostPort(started.value.admin)}`;
    this.#log.info({ admin: this.#dashboard }, 'dashboard, status and metrics');
    return started.value.xds[0];
  }

  /** The demo takes any port when the usual one is in use; a user's Envoy is found where it was asked for. */
  async #adminPort(): Promise<number> {
    const { routes, envoyAdminPort } = this.#options;
    // Both sides must know it: 0 would let Envoy alone choose.
    if (envoyAdminPort === 0) return freePort();
    return envoyAdminPort ?? (routes === undefined ? await freePort(ENVOY_ADMIN_PORT) : ENVOY_ADMIN_PORT);
  }

  /** The usual place unless it is in use: two of these may run at a time. */
  async #adminAddress(): Promise<HostPort> {
    return this.#options.admin ?? { ...DEFAULT_ADMIN, port: await freePort(DEFAULT_ADMIN.port) };
  }

  #startEnvoy(binary: string, xds: XdsAddress, adminPort: number): SupervisedEnvoy {
    const log = this.#log;
    return superviseEnvoy({
      binary,
      bootstrap: envoyBootstrap({
        nodeId: 'envoy',
        nodeCluster: 'sluice',
        xds,
        admin: { host: '127.0.0.1', port: adminPort },
      }),
      clock: systemClock,
      onLog: ({ level, component, message }) => log[level]({ envoy: component }, message),
      onRestart: ({ reason }, delayMs) => log.error({ delayMs }, `Envoy ended and is started again: ${reason}`),
    });
  }

  /** Waits until Envoy takes requests. */
  async #live(address: { readonly host: string; readonly port: number }): Promise<void> {
    const admin = envoyAdmin(address);
    while (!this.#stopping.aborted) {
      const state = await admin.state(this.#stopping);
      if (state.ok && state.value === 'LIVE') {
        this.#log.info({ admin: `http://${address.host}:${address.port}` }, 'Envoy takes requests');
        return;
      }
      await sleep(systemClock, 20, this.#stopping);
    }
  }
}
