import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { HostPort } from '../base/host-port.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { PairsChoice, PeerTls } from '../control-plane/pairs.ts';
import { parseBindAddress } from './options.ts';

/** What commander makes of the options that `addPairOptions` adds. */
export interface PairFlags {
  readonly coordinatorLease?: string;
  readonly peers?: HostPort;
  readonly peersSecret?: string;
  readonly peersCert?: string;
  readonly peersKey?: string;
  readonly peersCa?: string;
  readonly pod?: string;
}

/** Where other Sluices connect unless something else is said. */
const PEERS_PORT = 18_002;

/** Several Sluices in Kubernetes that share limits. */
export function addPairOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--coordinator-lease <name>',
        'in Kubernetes: all Sluices that have this Lease in their own namespace share the slots of pods; the one that holds it coordinates',
      ).argParser(parseName),
    )
    .addOption(
      new Option(
        '--peers <address>',
        `with --coordinator-lease: where the others reach this Sluice, over TLS on both sides: the Pod's IP, with a port if it is not ${PEERS_PORT}`,
      ).argParser(parsePeers),
    )
    .option(
      '--peers-secret <name>',
      'the Secret in its own namespace with the certificate that they show each other (tls.crt, tls.key, ca.crt), for the name of the Lease; an empty one is filled with a pair of our own (default: the name of the Lease)',
    )
    .option('--peers-cert <file>', 'that certificate in a file (PEM), in place of a Secret')
    .option('--peers-key <file>', 'its private key (PEM)')
    .option('--peers-ca <file>', 'authorities (PEM) one of which must have signed the certificates of the others')
    .addOption(
      new Option(
        '--pod <name>',
        'the Pod that Sluice runs in, which is the node id of the Envoy beside it (default: the host name)',
      ).env('POD_NAME'),
    );
}

/** What the options say; undefined: this Sluice is not one of several. Errors: every combination that makes no sense. */
export function pairsChoice(flags: PairFlags, filter: 'on' | 'off'): Result<PairsChoice | undefined, string> {
  const { coordinatorLease: lease, peers: address, peersSecret, peersCert, peersKey, peersCa } = flags;
  const files = [peersCert, peersKey, peersCa];
  if (lease === undefined) {
    const more = [address, peersSecret, ...files];
    return more.some((flag) => flag !== undefined)
      ? fail('the --peers… options are for several Sluices in Kubernetes: write --coordinator-lease NAME as well')
      : ok(undefined);
  }
  const errors = [
    ...(address === undefined
      ? [
          '--coordinator-lease needs --peers: the address at which the others reach this Sluice, such as the IP of its Pod',
        ]
      : []),
    ...(filter === 'off'
      ? ['--coordinator-lease shares slots between queue filters, and --filter off runs without: leave one of them out']
      : []),
    ...(files.some((file) => file !== undefined) && files.includes(undefined)
      ? ['--peers-cert, --peers-key and --peers-ca go together: write all three, or none for a Secret']
      : []),
    ...(peersSecret !== undefined && files.some((file) => file !== undefined)
      ? ['--peers-secret and --peers-cert: write one of them']
      : []),
  ];
  if (address === undefined || errors.length > 0) return fail(...errors);
  const tls: PeerTls =
    peersCert === undefined || peersKey === undefined || peersCa === undefined
      ? { kind: 'secret', secret: peersSecret ?? lease }
      : { kind: 'files', certificate: peersCert, key: peersKey, ca: peersCa };
  return ok({ lease, address, pod: flags.pod ?? hostname(), tls });
}

/** Throws what commander prints to the user. */
function parsePeers(text: string): HostPort {
  if (isIP(text) !== 0) return { host: text, port: PEERS_PORT };
  const address = parseBindAddress(text);
  if (address.kind === 'unix') throw new InvalidArgumentError('Write an IP address, such as that of the Pod.');
  return address;
}

/** Throws what commander prints to the user. */
function parseName(text: string): string {
  // It is the value of a label as well.
  if (/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('Write a name of at most 63 small letters, digits, dashes and dots, such as sluice.');
}
