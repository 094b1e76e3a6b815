import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { sleep, systemClock } from '../base/clock.ts';
import { formatDuration, type Millis, millis } from '../base/duration.ts';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import { type Logger, type LogLevel, makeLogger } from '../base/log.ts';
import { fewOpenFiles } from '../base/open-files.ts';
import { reasonOf } from '../base/reason.ts';
import { makeTempFolder } from '../base/temp-folder.ts';
import { startControlPlane } from '../control-plane/assemble.ts';
import { type Demo, startDemo } from '../demo/demo.ts';
import { envoyAdmin } from '../envoy/admin.ts';
import { type AdminPlace, curlCommand, formatPlace } from '../envoy/admin-place.ts';
import { findEnvoy } from '../envoy/binary/binary.ts';
import { envoyBootstrap, type XdsAddress } from '../envoy/bootstrap.ts';
import { drainEnvoy } from '../envoy/drain.ts';
import { Repeats } from '../envoy/process/repeats.ts';
import { type SupervisedEnvoy, superviseEnvoy } from '../envoy/process/supervise.ts';
import { addDnsOptions, type DnsFlags, dnsSettings } from './dns-options.ts';
import { EXIT, failWith } from './exit.ts';
import { freePort } from './free-port.ts';
import { addObjectOptions, type ObjectFlags, objectRoutes, wantsObjects } from './object-options.ts';
import {
  adminHostOption,
  durationArgument,
  filterOption,
  kubeconfigOption,
  logLevelOption,
  parsePort,
  parseWorkers,
  routesOption,
} from './options.ts';
import { stateDir, stateDirOption } from './state-dir.ts';
import { DEFAULT_ADMIN, parseAdminUrl } from './status.ts';
import { aborted, stopSignals } from './stop-signal.ts';

interface Options extends DnsFlags, ObjectFlags {
  readonly routes?: string;
  readonly envoyAdminPort?: number;
  readonly concurrency?: number;
  readonly drainTimeout?: Millis;
  readonly admin?: HostPort;
  readonly filter: 'on' | 'off';
  readonly kubeconfig?: string;
  readonly stateDir?: string;
  readonly adminHost?: readonly string[];
  readonly logLevel: LogLevel;
}

/** What /readyz answers when it is not. */
const readiness = z.object({ reasons: z.array(z.string()) });

/** How long a stop waits for requests: as long as k8s/base does. */
const DRAIN_TIMEOUT = millis(3_600_000);

/** After so long without a listener that takes requests, it is told what is missing. */
const SLOW_MS = 5000;

/** More share one queue at a higher price than they are worth. */
const MOST_WORKERS = 8;

function usualWorkers(): number {
  return Math.min(availableParallelism(), MOST_WORKERS);
}

/** `sluice run`. */
export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description(
      'run the control plane and an Envoy as its child; without --routes and --gateway-api: a demo with three pods',
    )
    .addOption(routesOption())
    .option(
      '--admin <host:port>',
      'where Sluice serves health, status and metrics (default: 127.0.0.1:18001, or any free port)',
      parseAdminUrl,
    )
    .option(
      '--envoy-admin-port <port>',
      "a loopback port for Envoy's admin, where anybody on this machine can stop Envoy, pages in a browser included (default: a Unix socket for this user alone)",
      parsePort,
    )
    .option(
      '--concurrency <n>',
      'worker threads of Envoy, which share one queue; each has a filter of its own (default: as many as there are cores, 8 at most)',
      parseWorkers,
    )
    .option(
      '--drain-timeout <duration>',
      `after SIGTERM or Ctrl-C: how long requests that run or wait may take to end, 0 for not at all (default: ${formatDuration(DRAIN_TIMEOUT)}; the demo: 0); a second signal ends the wait`,
      durationArgument,
    )
    .addOption(filterOption())
    .addOption(kubeconfigOption())
    .addOption(stateDirOption())
    .addOption(adminHostOption());
  addObjectOptions(command);
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
  readonly #signals = stopSignals();
  readonly #stopping = this.#signals.stopping;
  readonly #cleanups: (() => Promise<unknown>)[] = [];
  /** Where the control plane's own page is. */
  #dashboard = '';

  constructor(options: Options) {
    this.#options = options;
    this.#log = makeLogger(options.logLevel);
  }

  /** Whether there is nothing to route but what is made up. */
  get #isDemo(): boolean {
    return this.#options.routes === undefined && !wantsObjects(this.#options);
  }

  async untilStopped(): Promise<void> {
    const temporary = makeTempFolder('sluice-run-');
    if (!temporary.ok) {
      failWith(EXIT.failed, temporary.errors);
      return;
    }
    this.#cleanups.push(async () => rmSync(temporary.value, { recursive: true, force: true }));
    const few = fewOpenFiles();
    if (few !== undefined) {
      this.#log.warn(
        { openFiles: few },
        `at most ${few} files may be open, which is about ${Math.floor(few / 2)} requests at a time: raise it (ulimit -n 65536)`,
      );
    }
    const found = await findEnvoy({ signal: this.#stopping });
    if (this.#stopping.aborted) return;
    if (!found.ok) {
      failWith(EXIT.failed, ['Sluice needs an Envoy, and found none:', ...found.errors.map((error) => `  - ${error}`)]);
      return;
    }
    const demo = this.#isDemo ? await startDemo(await freePort(8080)) : undefined;
    if (demo !== undefined) this.#cleanups.push(() => demo.stop());
    const { envoyAdminPort } = this.#options;
    const admin: AdminPlace =
      envoyAdminPort === undefined
        ? { socket: join(temporary.value, 'envoy-admin.sock') }
        : // Both sides must know it: 0 would let Envoy alone choose.
          { host: '127.0.0.1', port: envoyAdminPort === 0 ? await freePort() : envoyAdminPort };
    const xds = await this.#startControlPlane(demo);
    if (xds === undefined) return;
    const envoy = this.#startEnvoy(found.value.path, xds, admin);
    this.#cleanups.push(() => envoy.stop());
    const up = await Promise.race([envoy.up, aborted(this.#stopping)]);
    if (up === undefined) return;
    if (!up.ok) {
      failWith(EXIT.failed, up.errors);
      return;
    }
    await this.#live(up.value);
    if (demo !== undefined && !this.#stopping.aborted) {
      const envoysView = curlCommand(up.value, '/clusters');
      process.stdout.write(demo.text({ dashboard: `${this.#dashboard}/`, envoysView }));
    }
    await aborted(this.#stopping);
    await this.#drain(up.value, this.#options.drainTimeout ?? (demo === undefined ? DRAIN_TIMEOUT : millis(0)));
    this.#log.info('stopping');
    // That Envoy and its filter go away now is no news.
    if (!this.#log.isLevelEnabled('debug')) this.#log.level = 'error';
  }

  async cleanUp(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
  }

  /** Where the control plane listens; undefined when it could not be started, which has been told. */
  async #startControlPlane(demo: Demo | undefined): Promise<XdsAddress | undefined> {
    const started = await startControlPlane({
      routes: this.#options.routes ?? demo?.routes,
      objects: objectRoutes(this.#options),
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

  /** The usual place unless it is in use: two of these may run at a time. */
  async #adminAddress(): Promise<HostPort> {
    return this.#options.admin ?? { ...DEFAULT_ADMIN, port: await freePort(DEFAULT_ADMIN.port) };
  }

  #startEnvoy(binary: string, xds: XdsAddress, admin: AdminPlace): SupervisedEnvoy {
    const log = this.#log;
    const repeats = new Repeats(() => systemClock.monotonic());
    return superviseEnvoy({
      binary,
      bootstrap: envoyBootstrap({
        nodeId: 'envoy',
        nodeCluster: 'sluice',
        xds,
        admin,
      }),
      // Without the filter workers have queues of their own, and the limit is that of each.
      workers: this.#options.filter === 'off' ? 1 : (this.#options.concurrency ?? usualWorkers()),
      clock: systemClock,
      onLog: ({ level, component, message }) => {
        if (message === '') return;
        const isRepeat = repeats.isRepeat(`${component} ${message}`);
        log[isRepeat ? 'debug' : level]({ envoy: component }, message);
      },
      onRestart: ({ reason }, delayMs) => log.error({ delayMs }, `Envoy ended and is started again: ${reason}`),
    });
  }

  /** Lets requests end: those that run, and those that wait. */
  async #drain(place: AdminPlace, timeout: Millis): Promise<void> {
    if (timeout === 0) return;
    const log = this.#log;
    const over = AbortSignal.timeout(timeout);
    let told = false;
    const drained = await drainEnvoy({
      admin: envoyAdmin(place),
      clock: systemClock,
      signal: AbortSignal.any([this.#signals.now, over]),
      onProgress: (requests) => {
        const end = `at most ${formatDuration(timeout)}, or until the next signal (Ctrl-C)`;
        if (requests > 0 && !told) log.info({ requests }, `no new connections; waiting for requests to end, ${end}`);
        else if (requests > 0) log.debug({ requests }, 'waiting for requests to end');
        told ||= requests > 0;
      },
    });
    if (drained === 'given up') {
      const why = over.aborted ? `${formatDuration(timeout)} are over (--drain-timeout)` : 'a second signal';
      log.warn(`requests that still run or wait are cut off: ${why}`);
    }
  }

  /** Waits until Envoy takes requests: it is up, and has a listener for them. */
  async #live(place: AdminPlace): Promise<void> {
    const admin = envoyAdmin(place);
    const started = systemClock.monotonic();
    let told = '';
    while (!this.#stopping.aborted) {
      const state = await admin.state(this.#stopping);
      const reasons = state.ok && state.value === 'LIVE' ? await this.#missing() : [];
      if (state.ok && state.value === 'LIVE' && reasons.length === 0) {
        this.#log.info({ admin: formatPlace(place) }, 'Envoy takes requests');
        return;
      }
      if (systemClock.monotonic() - started > SLOW_MS && reasons.length > 0 && told !== reasons.join()) {
        told = reasons.join();
        this.#log.warn({ reasons }, 'Envoy takes no requests yet; Sluice goes on trying');
      }
      await sleep(systemClock, told === '' ? 20 : 250, this.#stopping);
    }
  }

  /** What Envoy still lacks before requests can be expected to work. */
  async #missing(): Promise<readonly string[]> {
    try {
      const response = await fetch(`${this.#dashboard}/readyz`, { signal: this.#stopping });
      const parsed = readiness.safeParse(await response.json());
      return response.ok ? [] : parsed.success ? parsed.data.reasons : [`answered with ${response.status}`];
    } catch (error) {
      return [reasonOf(error)];
    }
  }
}
