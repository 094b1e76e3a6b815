import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Server, type TLSSocket } from 'node:tls';

/** Why a client has no connection, and what is to be done. */
export interface FailedHandshake {
  /** The address it came from; undefined: it has gone already, and nobody knows any more. */
  readonly peer: string | undefined;
  readonly reason: string;
  readonly fix: string;
}

/** Told by Node of each connection that a server of this process accepts. */
const ACCEPTED = 'net.server.socket';

const CERTIFICATE = 'the authorities are those of --xds-client-ca (of --peers-… between the Sluices of a Lease)';

/** What is said of a connection, by a piece of it that does not change, and what that means. The first that fits counts. */
const KNOWN: readonly (readonly [RegExp, string, string])[] = [
  [
    /PEER_DID_NOT_RETURN_A_CERTIFICATE/,
    'it shows no certificate',
    'write --xds-client-cert in its `sluice bootstrap`, or --coordinator-client-cert if it is a Sluice that follows',
  ],
  [
    /WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG/,
    'it does not speak TLS',
    'write --xds-ca in its `sluice bootstrap`, or --coordinator-ca if it is a Sluice that follows',
  ],
  [
    /ALERT_UNKNOWN_CA|ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN|ALERT_CERTIFICATE_EXPIRED/,
    'it does not trust the certificate of this Sluice',
    'its --xds-ca, or --coordinator-ca, has to be the authority of --xds-cert, which has to be valid now',
  ],
  [/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/, 'its certificate is not valid at this time', 'renew it, or set the clocks'],
];

/**
 * Tells of clients that TLS fails for, at all servers of this process that speak it. gRPC keeps that to itself, and a client often only
 * knows that its connection was closed. What ends it. A client that only looks whether somebody listens is none.
 */
export function watchFailedHandshakes(told: (failed: FailedHandshake) => void): () => void {
  const watched = new Set<Server>();
  const failed = (error: Error & { readonly code?: string }, socket: TLSSocket) => {
    const found = faultOf(error, socket);
    if (found !== undefined) told({ peer: socket.remoteAddress, ...found });
  };
  const accepted = (message: unknown) => {
    const server = serverOf(message);
    if (server === undefined || watched.has(server)) return;
    watched.add(server);
    server.on('tlsClientError', failed);
    server.once('close', () => watched.delete(server));
  };
  subscribe(ACCEPTED, accepted);
  return () => {
    unsubscribe(ACCEPTED, accepted);
    for (const server of watched) server.off('tlsClientError', failed);
    watched.clear();
  };
}

function serverOf(message: unknown): Server | undefined {
  if (typeof message !== 'object' || message === null || !('socket' in message)) return undefined;
  const { socket } = message;
  if (typeof socket !== 'object' || socket === null || !('server' in socket)) return undefined;
  return socket.server instanceof Server ? socket.server : undefined;
}

/** Undefined: nothing is wrong that somebody could mend. */
function faultOf(
  { code = '', message }: Error & { readonly code?: string },
  { authorizationError }: TLSSocket,
): Pick<FailedHandshake, 'reason' | 'fix'> | undefined {
  const verdict = authorizationError === undefined || authorizationError === null ? '' : String(authorizationError);
  const known = KNOWN.find(([says]) => says.test(`${code} ${verdict}`));
  if (known !== undefined) return { reason: known[1], fix: known[2] };
  if (verdict !== '')
    return { reason: `its certificate is of no authority that is trusted here (${verdict})`, fix: CERTIFICATE };
  // It has gone away: who finds another name in our certificate than it looked for does, and so does a probe.
  if (code === 'ECONNRESET' || code === 'EPIPE') return undefined;
  return { reason: `TLS fails with it (${code || message})`, fix: CERTIFICATE };
}
