// The clients of xds-cut.ts, below gRPC so that many fit into one process:
// node xds-cut-clients.ts PORT COUNT stay|pass. `stay`: each on a connection of its own; `pass`: all over one connection,
// each comes and goes.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { envoy } from '#xds';
import { TYPE_URLS } from '../src/snapshot/resource.ts';

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const [port, count] = process.argv.slice(2, 4).map(Number);
const how = process.argv[4];
if (port === undefined || count === undefined || how === undefined) throw new Error('PORT COUNT stay|pass');

/** As many are being opened at a time. */
const AT_ONCE = 200;

function session(): ClientHttp2Session {
  // The other side may be cut off, which is what is measured.
  return connect(`http://127.0.0.1:${port}`).on('error', () => {});
}

function say(stream: ClientHttp2Stream, request: envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties): void {
  const message = DeltaDiscoveryRequest.encode(request).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([head, message]));
}

/** Takes everything that it gets, as an Envoy does; resolves with the listeners. */
function open(over: ClientHttp2Session, index: number): Promise<ClientHttp2Stream> {
  const stream = over.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const node = { id: `envoy-${index}`, userAgentName: 'envoy' };
  say(stream, { node, typeUrl: TYPE_URLS.cluster });
  say(stream, { typeUrl: TYPE_URLS.listener });
  let rest = Buffer.alloc(0);
  return new Promise((resolve) => {
    stream.on('error', () => resolve(stream));
    stream.on('close', () => resolve(stream));
    stream.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        const { typeUrl, nonce } = DeltaDiscoveryResponse.decode(rest.subarray(5, end));
        rest = rest.subarray(end);
        say(stream, { typeUrl, responseNonce: nonce });
        if (typeUrl === TYPE_URLS.listener) resolve(stream);
      }
    });
  });
}

const shared = how === 'pass' ? session() : undefined;
for (let index = 0; index < count; index += AT_ONCE) {
  const streams = Array.from({ length: Math.min(AT_ONCE, count - index) }, (_, at) =>
    open(shared ?? session(), index + at),
  );
  for (const stream of await Promise.all(streams)) if (shared !== undefined) stream.end();
}
process.send?.('connected');
