import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { type Clock, sleep } from '../base/clock.ts';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import type { Logger } from '../base/log.ts';
import type { ClientGuard, NodeGuard } from '../base/node-guard.ts';
import type { Result } from '../base/result.ts';
import type { NamespacedApi } from '../kubernetes/own-namespace.ts';
import type { Register } from '../slots/coordination.ts';
import type { RelaySecurity } from '../slots/relay-channel.ts';
import { clientGuard, nodeGuard } from '../xds/protocol/client-names.ts';
import { RotatingCredentials } from '../xds/server/credentials.ts';
import type { ExtraService } from '../xds/server/extra-service.ts';
import { readTlsFiles, type TlsReader } from '../xds/server/tls-files.ts';
import { type Coordinated, CoordinatorLease } from './coordinator-lease.ts';
import { sourceLog } from './log-events.ts';
import { PeerSecret } from './peer-secret.ts';
import { PeerServer } from './peer-server.ts';

/** One of several Sluices that share limits, as its options say. */
export interface PairsChoice {
  /** The coordinator's Lease, in the namespace that Sluice runs in; the name in the certificates as well. */
  readonly lease: string;
  /** Where the others reach this Sluice. */
  readonly address: HostPort;
  /** The Pod that it runs in, which is the node id of the Envoy beside it. */
  readonly pod: string;
  /** The certificate that all of them show each other. */
  readonly tls: PeerTls;
}

/** Where the certificate is. */
export type PeerTls =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string; readonly ca: string };

/** What a Sluice among several works with. */
export interface PairsOptions {
  readonly choice: PairsChoice;
  readonly api: NamespacedApi;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often the certificate is read anew. */
const REREAD_MS = 60_000;

/** After so long is tried again what has failed. */
const AGAIN_MS = 2000;

/** This Sluice among others: it shows them its certificate, is reached by them, and coordinates or follows as the Lease says. */
export class Pairs {
  readonly register: Register;
  /** How the coordinator is reached. */
  readonly security: RelaySecurity;
  /** Who may relay streams to here: whoever has the name in its certificate. */
  readonly guard: NodeGuard;
  /** Who may be another Sluice: the same. */
  readonly sluiceGuard: ClientGuard;
  readonly #options: PairsOptions;
  readonly #election: CoordinatorLease;
  readonly #read: TlsReader;
  readonly #stopping = new AbortController();
  #credentials: RotatingCredentials | undefined;
  #server: PeerServer | undefined;
  #starting: Promise<void> = Promise.resolve();
  #told = '';

  constructor(options: PairsOptions) {
    const { choice, api, clock, log } = options;
    const { lease, address, pod, tls } = choice;
    this.#options = options;
    const told = sourceLog(log, 'kubernetes');
    const { signal } = this.#stopping;
    this.#election = new CoordinatorLease({
      ...{ lease, address: formatHostPort(address), pod },
      ...{ api, clock, random: Math.random, log: told },
    });
    this.register = this.#election.register;
    this.security = { credentials: () => this.#channel(), isTls: true, isByLease: true, serverName: lease };
    const rules = [{ client: lease, node: '*' }];
    this.guard = nodeGuard(rules);
    this.sluiceGuard = clientGuard(rules);
    if (tls.kind === 'files') {
      const files = { certificate: tls.certificate, key: tls.key, clientCa: tls.ca };
      this.#read = (now) => readTlsFiles(files, now);
    } else {
      const secret = new PeerSecret({ api, clock, log: told, secret: tls.secret, name: lease, signal });
      this.#read = (now) => secret.read(now);
    }
  }

  /** From now on, until `stop`. What it needs and does not have is tried until it is there. */
  start(sharing: Coordinated, services: readonly ExtraService[]): void {
    this.#starting = this.#start(sharing, services);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#starting;
    this.#credentials?.stop();
    await Promise.all([this.#election.stop(), this.#server?.stop()]);
  }

  async #start(sharing: Coordinated, services: readonly ExtraService[]): Promise<void> {
    const { choice, clock, log } = this.#options;
    const loaded = await this.#persist('the certificate for other Sluices cannot be used', () =>
      RotatingCredentials.load(this.#read, {
        clock,
        intervalMs: REREAD_MS,
        onProblem: (problems) =>
          log.error({ problems }, 'the certificate for other Sluices cannot be used; the one before it stays active'),
        onRotated: () => log.info('there is a new certificate for other Sluices'),
      }),
    );
    if (loaded === undefined) return;
    this.#credentials = loaded;
    const server = new PeerServer(services, clock);
    const bound = await this.#persist('other Sluices cannot be let in', () =>
      server.start({ kind: 'tcp', ...choice.address }, loaded.server),
    );
    this.#server = server;
    // Whoever coordinates must be reached.
    if (bound !== undefined) this.#election.start(sharing);
  }

  /** Undefined: it is to stop. */
  async #persist<T>(what: string, act: () => Promise<Result<T, string>>): Promise<T | undefined> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const done = await act();
      if (done.ok) return done.value;
      const told = done.errors.join('\n');
      if (told !== this.#told && !signal.aborted)
        log.error(
          { problems: done.errors },
          `${what}: Envoys get no slots until it is so, and go on with those that they have`,
        );
      this.#told = told;
      await sleep(clock, AGAIN_MS, signal);
    }
    return undefined;
  }

  #channel(): ChannelCredentials {
    const material = this.#credentials?.material;
    if (material === undefined) throw new Error('there is no certificate for other Sluices yet');
    return credentials.createSsl(material.clientCa ?? null, material.privateKey, material.certificate);
  }
}
