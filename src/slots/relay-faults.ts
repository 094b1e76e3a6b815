/** Why there is no stream to a coordinator, and what is to be done, in words that stay the same while the cause does. */
export interface RelayFault {
  readonly reason: string;
  readonly fix: string;
}

const START = 'start it, or mend the way to it; its address is what --coordinator says';
/** Where a Lease names the coordinator nobody writes its address, and all show each other one certificate. */
const LEASE_FIX =
  'look whether the Pod that holds the Lease runs, whether a NetworkPolicy lets the Sluices reach each other (the port of --peers), and whether all of them use the same certificate (--peers-secret, or --peers-cert, --peers-key and --peers-ca)';
const IS_IT_XDS = 'is --coordinator the address of its --xds (and not of its --admin, or of a listener)?';

/** What a library says, by a piece of it that does not change, and what that means. The first that fits counts. */
const KNOWN: readonly (readonly [RegExp, string, string])[] = [
  [
    /wrong version number/,
    'it does not speak TLS there',
    `leave out --coordinator-ca, or give it --xds-cert and --xds-key; ${IS_IT_XDS}`,
  ],
  [
    /alert certificate required|handshake failure.*alert number 40/s,
    'it wants a certificate to be shown',
    'write --coordinator-client-cert and --coordinator-client-key, with a certificate of an authority of its --xds-client-ca',
  ],
  [
    /alert (unknown ca|bad certificate|certificate unknown|certificate expired|unsupported certificate)/,
    'it does not accept the certificate that is shown',
    'write one in --coordinator-client-cert that has not expired, of an authority of its --xds-client-ca',
  ],
  [
    /ALTNAME_INVALID/,
    'its certificate is for another name',
    'write a name of its certificate as --coordinator-sni, or give it one for the host of --coordinator',
  ],
  [
    /certificate has expired|CERT_HAS_EXPIRED|not yet valid/,
    'its certificate is not valid at this time',
    'give it another --xds-cert, or set the clocks',
  ],
  [
    /unable to verify|self[- ]signed certificate|unable to get (local )?issuer/,
    'its certificate is not of an authority that is trusted here',
    'write the authority of its --xds-cert as --coordinator-ca',
  ],
  [/Protocol error/, 'what listens there does not speak gRPC', IS_IT_XDS],
  [/ECONNREFUSED|ENOENT/, 'nobody listens there', START],
  [/EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/, 'there is no way to it', START],
  [/Name resolution failed|ENOTFOUND|EAI_AGAIN/, 'no address is known for its name', START],
];

/** How a coordinator is reached, as far as that decides what is to be done. */
export interface RelayWay {
  readonly isTls: boolean;
  /** A Lease names it; else an option does. */
  readonly isByLease?: boolean | undefined;
}

/** What a connection was that could not be made, or has broken. */
export function connectionFault(raw: string, way: RelayWay): RelayFault {
  const fault = faultOf(raw, way.isTls);
  return way.isByLease === true ? { reason: fault.reason, fix: LEASE_FIX } : fault;
}

/** Nothing was heard of it; for how long depends on how far it had come, and is no other fault. */
export function silence({ isByLease }: Pick<RelayWay, 'isByLease'>): RelayFault {
  return { reason: 'nothing is heard of it', fix: isByLease === true ? LEASE_FIX : START };
}

function faultOf(raw: string, isTls: boolean): RelayFault {
  const known = KNOWN.find(([says]) => says.test(raw));
  if (known !== undefined) return { reason: known[1], fix: known[2] };
  if (!/Failed to connect|ECONNRESET|socket hang up/.test(raw)) return { reason: steady(raw), fix: START };
  return {
    reason: 'it closes the connection at once',
    fix: isTls
      ? 'its --xds-client-ca may not have the authority of --coordinator-client-cert, or it may not speak TLS; its address is what --coordinator says'
      : 'it may want TLS: write --coordinator-ca, the authority of its --xds-cert; its address is what --coordinator says',
  };
}

/** Words of somebody else in one line, without what differs from one time to the next. */
function steady(raw: string): string {
  return raw
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? Resolution note:.*$/s, '')
    .replace(/\s*\(\d{4}-\d\d-\d\dT[\d:.]+Z\)/g, '')
    .replace(/\b[\dA-F]{8,}:error:/g, 'error:')
    .replace(/\s+/g, ' ')
    .trim();
}
