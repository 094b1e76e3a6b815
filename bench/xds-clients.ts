// The clients of the xDS benchmark, in a process of their own: node xds-clients.ts PORT COUNT SERVICES
import { Client, credentials } from '@grpc/grpc-js';
import { envoy } from '#xds';
import { TYPE_URLS } from '../src/snapshot/resource.ts';

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const [port, count, services] = process.argv.slice(2).map(Number);
if (port === undefined || count === undefined || services === undefined) throw new Error('PORT COUNT SERVICES');

/** Clusters, endpoints and routes of every service, the listeners, the queue filter. */
const names = Array.from({ length: services }, (_, index) => `pods/service-${index}`);
const wanted = services * 4 + 1;

type Request = envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties;

/** One Envoy-like client on a connection of its own: subscribes to everything and accepts it. */
function connect(index: number): void {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const encode = (request: Request) => Buffer.from(DeltaDiscoveryRequest.encode(request).finish());
  const call = client.makeBidiStreamRequest(PATH, encode, (bytes) => DeltaDiscoveryResponse.decode(bytes));
  let got = 0;
  call.on('error', (error) => process.send?.({ kind: 'error', message: error.message }));
  call.on('data', (response: envoy.service.discovery.v3.DeltaDiscoveryResponse) => {
    call.write({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    got += response.resources.length;
    if (got === wanted) process.send?.({ kind: 'served' });
    else if (got > wanted && response.typeUrl === TYPE_URLS.endpoints) process.send?.({ kind: 'pod', at: Date.now() });
  });
  call.write({ node: { id: `envoy-${index}` }, typeUrl: TYPE_URLS.cluster });
  call.write({ typeUrl: TYPE_URLS.endpoints, resourceNamesSubscribe: names });
  call.write({ typeUrl: TYPE_URLS.listener });
  call.write({ typeUrl: TYPE_URLS.routes, resourceNamesSubscribe: names });
  call.write({ typeUrl: TYPE_URLS.extension, resourceNamesSubscribe: ['sluice.queue'] });
}

for (let index = 0; index < count; index++) connect(index);
