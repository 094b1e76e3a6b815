import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Millis } from '../base/duration.ts';
import { reasonOf } from '../base/reason.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type BindAddress, grpcTarget, isPrivate } from '../xds/server/address.ts';
import { parseBindAddress } from './options.ts';

/** What commander makes of the options that `addCoordinatorOptions` adds. */
export interface CoordinatorFlags {
  readonly coordinator?: BindAddress | 'none';
  readonly coordinatorCa?: string;
  readonly coordinatorClientCert?: string;
  readonly coordinatorClientKey?: string;
  readonly coordinatorSni?: string;
  readonly coordinatorInsecure?: boolean;
}

/** The other options of `sluice serve` that must fit to them. */
export interface ServingFlags {
  readonly filter: 'on' | 'off';
  readonly xds: readonly BindAddress[];
  readonly slotsReclaim?: Millis;
}

/** Another Sluice that coordinates the slots of pods that both use. */
export interface CoordinatorChoice {
  /** As gRPC writes it. */
  readonly address: string;
  /** Asked for each connection. */
  readonly credentials: () => ChannelCredentials;
  readonly isTls: boolean;
  /** The name in its certificate, where it is not the host of its address. */
  readonly serverName?: string | undefined;
}

/** Where the Sluice is that coordinates the slots, and how it is reached. */
export function addCoordinatorOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--coordinator <address>',
        'where another Sluice listens for Envoys (its --xds) that shares the slots of the same pods with this one; that one coordinates, and is started without this option. none: no other Sluice shares them any more',
      ).argParser(parseCoordinator),
    )
    .option(
      '--coordinator-ca <file>',
      "authorities (PEM) of the coordinator's certificate; Sluice then connects with TLS",
    )
    .option('--coordinator-client-cert <file>', 'the certificate Sluice shows there (PEM)')
    .option('--coordinator-client-key <file>', 'its private key (PEM); all files are read again for each connection')
    .option(
      '--coordinator-sni <name>',
      "the name in the coordinator's certificate, where it is not the host of --coordinator",
    )
    .option('--coordinator-insecure', 'allow plaintext to a coordinator on another machine');
}

/** An address, or `none`. Throws what commander prints to the user. */
function parseCoordinator(text: string, before?: BindAddress | 'none'): BindAddress | 'none' {
  if (before !== undefined) throw new InvalidArgumentError('A Sluice follows one coordinator: write the option once.');
  if (text === 'none') return text;
  const scheme = /^(?:https?|grpcs?):\/\//.exec(text)?.[0];
  if (scheme !== undefined)
    throw new InvalidArgumentError(
      `Write HOST:PORT, without ${scheme} and without a path; whether TLS is spoken is what --coordinator-ca says.`,
    );
  const address = parseBindAddress(text);
  if (address.kind === 'tcp' && address.port === 0)
    throw new InvalidArgumentError('Nobody listens on port 0: write the port of its --xds.');
  return address;
}

/** Whether an address of a server is one at which this Sluice listens itself. */
function isOwn(address: BindAddress, own: BindAddress): boolean {
  if (address.kind === 'unix' || own.kind === 'unix') return grpcTarget(address) === grpcTarget(own);
  if (address.port !== own.port) return false;
  const host = address.host.toLowerCase();
  if (host === own.host.toLowerCase()) return true;
  if (host === 'localhost' && isPrivate(own)) return true;
  if (own.host !== '0.0.0.0' && own.host !== '::') return false;
  const here = Object.values(networkInterfaces()).flatMap((all = []) => all.map((each) => each.address));
  return isPrivate(address) || here.includes(host);
}

/**
 * What the options say. Undefined: this Sluice is the only one, or coordinates; `none`: the same, though it followed another one before.
 * Errors: every combination that makes no sense, and files that cannot be used.
 */
export function coordinatorChoice(
  flags: CoordinatorFlags,
  serving: ServingFlags,
): Result<CoordinatorChoice | 'none' | undefined, string> {
  const errors = contradictions(flags, serving);
  if (errors.length > 0) return fail(...errors);
  const { coordinator, coordinatorCa: ca, coordinatorSni: serverName } = flags;
  if (coordinator === undefined || coordinator === 'none') return ok(coordinator);
  const address = grpcTarget(coordinator);
  if (ca === undefined) return ok({ address, credentials: () => credentials.createInsecure(), isTls: false });
  const files = { ca, cert: flags.coordinatorClientCert, key: flags.coordinatorClientKey };
  const read = () => tlsCredentials(files);
  try {
    read();
  } catch (error) {
    return fail(reasonOf(error));
  }
  return ok({ address, credentials: read, isTls: true, serverName });
}

/** Errors: throws, with the file and what is wrong with it. */
function tlsCredentials(files: {
  readonly ca: string;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}): ChannelCredentials {
  const ca = readPem('--coordinator-ca', files.ca);
  const cert = files.cert === undefined ? null : readPem('--coordinator-client-cert', files.cert);
  const key = files.key === undefined ? null : readPem('--coordinator-client-key', files.key);
  try {
    return credentials.createSsl(ca, key, cert);
  } catch (error) {
    const named = Object.values(files).filter((file) => file !== undefined);
    throw new Error(`${named.join(', ')}: ${reasonOf(error)}`);
  }
}

function readPem(option: string, file: string): Buffer {
  let pem: Buffer;
  try {
    pem = readFileSync(file);
  } catch (error) {
    throw new Error(`${option} ${file}: cannot be read: ${reasonOf(error)}`);
  }
  if (!pem.includes('-----BEGIN '))
    throw new Error(`${option} ${file}: holds nothing in PEM form (no line that begins with -----BEGIN)`);
  return pem;
}

function contradictions(flags: CoordinatorFlags, { filter, xds, slotsReclaim }: ServingFlags): readonly string[] {
  const { coordinator, coordinatorCa, coordinatorClientCert, coordinatorClientKey, coordinatorSni } = flags;
  const errors: string[] = [];
  const more = [coordinatorCa, coordinatorClientCert, coordinatorClientKey, coordinatorSni, flags.coordinatorInsecure];
  if (coordinator === undefined || coordinator === 'none') {
    if (more.some((flag) => flag !== undefined))
      errors.push(
        'the --coordinator-… options say how the coordinator is reached: write --coordinator ADDRESS as well',
      );
    return errors;
  }
  if (xds.some((own) => isOwn(coordinator, own)))
    errors.push(
      `--coordinator ${grpcTarget(coordinator)} is where this Sluice listens itself (--xds): write the address of the other one, or start the one that coordinates without --coordinator`,
    );
  if (slotsReclaim !== undefined)
    errors.push(
      '--slots-reclaim is what the coordinator does with slots, and this Sluice follows another one: leave it out, and write it there',
    );
  if (filter === 'off')
    errors.push(
      '--coordinator shares slots between queue filters, and --filter off runs without: leave one of them out',
    );
  if ((coordinatorClientCert === undefined) !== (coordinatorClientKey === undefined))
    errors.push('--coordinator-client-cert and --coordinator-client-key go together: write both, or none');
  const needsCa = [coordinatorClientCert, coordinatorClientKey, coordinatorSni].some((flag) => flag !== undefined);
  if (coordinatorCa === undefined && needsCa)
    errors.push('without --coordinator-ca Sluice connects in plaintext: write it as well');
  else if (coordinatorCa === undefined && !isPrivate(coordinator) && flags.coordinatorInsecure !== true) {
    errors.push(
      `--coordinator ${grpcTarget(coordinator)}: it is on another machine, and without TLS anybody on the way can take slots, or pass for it; write --coordinator-ca (the authorities of its --xds-cert), or accept it with --coordinator-insecure`,
    );
  }
  return errors;
}
