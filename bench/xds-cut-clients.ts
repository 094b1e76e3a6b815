// The clients of xds-cut.ts, below gRPC so that many fit into one process: node xds-cut-clients.ts PORT COUNT
import { connect } from 'node:http2';
import { envoy } from '#xds';
import { TYPE_URLS } from '../src/snapshot/resource.ts';

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;
const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const [port, count] = process.argv.slice(2).map(Number);
if (port === undefined || count === undefined) throw new Error('PORT COUNT');

/** As many connections are being opened at a time. */
const AT_ONCE = 200;

function open(index: number): Promise<void> {
  const session = connect(`http://127.0.0.1:${port}`);
  // The other side may be cut off, which is what is measured.
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const message = DeltaDiscoveryRequest.encode({
    node: { id: `envoy-${index}`, userAgentName: 'envoy' },
    typeUrl: TYPE_URLS.cluster,
  }).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([head, message]));
  return new Promise((resolve) => stream.once('data', () => resolve()).on('error', () => resolve()));
}

for (let index = 0; index < count; index += AT_ONCE) {
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - index) }, (_, at) => open(index + at)));
}
process.send?.('connected');
