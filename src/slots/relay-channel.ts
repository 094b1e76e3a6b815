import { type ChannelCredentials, Client, type ClientOptions, type StatusObject, status } from '@grpc/grpc-js';
import { reasonOf } from '../base/reason.ts';
import { connectionFault, type RelayWay } from './relay-faults.ts';

/** An open stream to a coordinator. */
export interface RelayCall {
  write(bytes: Buffer): void;
  /** Ends it; nothing is heard of it any more. */
  end(): void;
}

/** What is heard on a stream to a coordinator. */
export interface RelayListener {
  readonly message: (bytes: Buffer) => void;
  /**
   * It is over, and why, in words; called once, and not after `end`. `isRefusal`: the coordinator is there, and does not want it.
   * `fix`: what is to be done, where that is known.
   */
  readonly closed: (reason: string, isRefusal: boolean, fix?: string) => void;
}

/** Opens a stream to the coordinator at an address, on a connection of its own. */
export type RelayDial = (address: string, listener: RelayListener) => RelayCall;

/** The path of the method, which the coordinator's server has. */
export const RELAY_PATH = '/sluice.slots.v1.RelayService/Stream';

const OPTIONS: ClientOptions = {
  // A try is one try: when the next one is made is said elsewhere.
  'grpc.enable_retries': 0,
  // A connection on which nothing is heard any more is of no use to the next stream.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

const REFUSALS: ReadonlySet<status> = new Set([
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.FAILED_PRECONDITION,
  status.UNIMPLEMENTED,
  status.INVALID_ARGUMENT,
  status.RESOURCE_EXHAUSTED,
]);

const same = (bytes: Buffer): Buffer => bytes;

/** What a follower trusts, and how it shows itself. */
export interface RelaySecurity {
  /** Asked for each connection, as certificates change. Errors: throws, with a message for people. */
  readonly credentials: () => ChannelCredentials;
  readonly isTls: boolean;
  /** A Lease names the coordinator; else an option does. */
  readonly isByLease?: boolean | undefined;
  /** The name in the coordinator's certificate, where it is not the host of its address. */
  readonly serverName?: string | undefined;
}

/** Streams over gRPC, of the method with this path. */
export function grpcDial({ credentials, isTls, isByLease, serverName }: RelaySecurity, path = RELAY_PATH): RelayDial {
  const named = serverName !== undefined && { 'grpc.ssl_target_name_override': serverName };
  return (address, listener) => {
    try {
      return dial(new Client(address, credentials(), { ...OPTIONS, ...named }), listener, { isTls, isByLease, path });
    } catch (error) {
      return failed(reasonOf(error), listener);
    }
  };
}

/** What could not even be begun, as with a certificate that cannot be read, fails a moment later as all else does. */
function failed(reason: string, { closed }: RelayListener): RelayCall {
  let isOver = false;
  queueMicrotask(() => {
    if (!isOver) closed(reason, false);
  });
  return {
    write() {},
    end() {
      isOver = true;
    },
  };
}

function dial(
  client: Client,
  { message, closed }: RelayListener,
  { path, ...way }: RelayWay & { readonly path: string },
): RelayCall {
  const call = client.makeBidiStreamRequest(path, same, same);
  let isOver = false;
  const over = (reason: string, isRefusal: boolean, fix?: string) => {
    if (isOver) return;
    isOver = true;
    client.close();
    closed(reason, isRefusal, fix);
  };
  call.on('data', (bytes: Buffer) => {
    if (!isOver) message(bytes);
  });
  call.on('error', (error: Error & Partial<StatusObject>) => {
    const raw = error.details ?? error.message;
    if (error.code !== undefined && REFUSALS.has(error.code)) {
      over(raw, true);
      return;
    }
    const { reason, fix } = connectionFault(raw, way);
    over(reason, false, fix);
  });
  call.on('end', () => over('it ended the stream', false));
  return {
    write: (bytes) => void call.write(bytes),
    end() {
      isOver = true;
      call.cancel();
      client.close();
    },
  };
}
