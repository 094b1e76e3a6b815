import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Clock } from '../base/clock.ts';
import { type Millis, parseDuration } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import type { ClientGuard, NodeGuard } from '../base/node-guard.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { clientGuard, type NodeRule, nodeGuard } from '../xds/protocol/client-names.ts';
import { type BindAddress, grpcTarget, isPrivate } from '../xds/server/address.ts';
import { RotatingCredentials } from '../xds/server/credentials.ts';
import { readTlsFiles } from '../xds/server/tls-files.ts';

/** What commander makes of the options that `addXdsSecurityOptions` adds. */
export interface XdsSecurityFlags {
  readonly xdsCert?: string;
  readonly xdsKey?: string;
  readonly xdsClientCa?: string;
  readonly xdsAllow?: readonly NodeRule[];
  readonly xdsMaxAge?: Millis;
  readonly xdsInsecure?: boolean;
}

/** Who may connect to the xDS server, and how. */
export interface XdsSecurity {
  /** Undefined: plaintext. Its owner stops it. */
  readonly credentials: RotatingCredentials | undefined;
  /** Which clients may speak for which nodes. */
  readonly guard: NodeGuard;
  /** Which of them may be another Sluice. */
  readonly sluiceGuard: ClientGuard;
  /** Undefined: a connection may be of any age. */
  readonly maxAgeMs: number | undefined;
}

/** A connection that is closed sooner than this spends its life with opening. */
const SHORTEST_AGE_MS = 10_000;

/** TLS for the xDS server, and who may connect. */
export function addXdsSecurityOptions(command: Command): Command {
  return command
    .option('--xds-cert <file>', 'certificate of the xDS server (PEM); Envoys then connect with TLS')
    .option('--xds-key <file>', 'its private key (PEM); both files are read again when they change')
    .option('--xds-client-ca <file>', 'authorities (PEM) one of which must have signed the certificate of each Envoy')
    .addOption(
      new Option(
        '--xds-allow <client=node>',
        'which node ids a client may use, by the SPIFFE id or DNS name in its certificate; each side may end in *; may be given several times',
      ).argParser(anotherRule),
    )
    .addOption(
      new Option(
        '--xds-max-age <duration>',
        'connections of Envoys are renewed at this age, give or take a tenth; never when left out',
      ).argParser(parseAge),
    )
    .option('--xds-insecure', 'allow plaintext on an address that other machines reach');
}

/**
 * What the options say, with the TLS files read for the first time. Errors: every combination that makes no sense,
 * and everything that is wrong with the files.
 */
export async function xdsSecurity(
  flags: XdsSecurityFlags,
  addresses: readonly BindAddress[],
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<Result<XdsSecurity, string>> {
  const errors = contradictions(flags, addresses);
  if (errors.length > 0) return fail(...errors);
  const { xdsCert, xdsKey, xdsClientCa, xdsAllow, xdsMaxAge: maxAgeMs } = flags;
  const guards = { guard: nodeGuard(xdsAllow), sluiceGuard: clientGuard(xdsAllow) };
  if (xdsCert === undefined || xdsKey === undefined) return ok({ credentials: undefined, ...guards, maxAgeMs });
  const clientCa = xdsClientCa === undefined ? {} : { clientCa: xdsClientCa };
  const loaded = await RotatingCredentials.load(
    (now) => readTlsFiles({ certificate: xdsCert, key: xdsKey, ...clientCa }, now),
    {
      clock,
      onProblem: (problems) =>
        log.error({ problems }, 'the TLS files of the xDS server cannot be used; those before them stay active'),
      onRotated: () => log.info({ certificate: xdsCert }, 'the xDS server has a new certificate'),
    },
  );
  return loaded.ok ? ok({ credentials: loaded.value, ...guards, maxAgeMs }) : loaded;
}

function contradictions(flags: XdsSecurityFlags, addresses: readonly BindAddress[]): readonly string[] {
  const { xdsCert, xdsKey, xdsClientCa, xdsAllow, xdsInsecure = false } = flags;
  const errors: string[] = [];
  if ((xdsCert === undefined) !== (xdsKey === undefined)) {
    errors.push('--xds-cert and --xds-key go together: write both, or none for plaintext');
  }
  if (xdsClientCa !== undefined && xdsCert === undefined && xdsKey === undefined) {
    errors.push('--xds-client-ca needs TLS: write --xds-cert and --xds-key as well');
  }
  if (xdsAllow !== undefined && xdsClientCa === undefined) {
    errors.push("--xds-allow goes by the clients' certificates: write --xds-client-ca as well");
  }
  const open = addresses.filter((address) => !isPrivate(address)).map(grpcTarget);
  if (open.length > 0 && xdsCert === undefined && xdsKey === undefined && !xdsInsecure) {
    errors.push(
      `--xds ${open.join(', ')}: other machines reach this address, and without TLS anybody there can read the configuration or pass for an Envoy; write --xds-cert and --xds-key, bind to 127.0.0.1 or unix:/PATH, or accept it with --xds-insecure`,
    );
  }
  return errors;
}

function anotherRule(text: string, before: readonly NodeRule[] = []): readonly NodeRule[] {
  // A node id with a `=` in it can be written with `*`; a name in a certificate cannot be changed so easily.
  const at = text.lastIndexOf('=');
  const [client, node] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  if (client === '' || node === '') {
    throw new InvalidArgumentError('Write one like spiffe://cluster.local/ns/edge/sa/envoy=envoy-*');
  }
  return [...before, { client, node }];
}

function parseAge(text: string): Millis {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.errors.join('; '));
  if (parsed.value < SHORTEST_AGE_MS) throw new InvalidArgumentError('Write 10s or more.');
  return parsed.value;
}
