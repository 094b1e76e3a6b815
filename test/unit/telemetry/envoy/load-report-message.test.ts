import { expect, test } from 'vitest';
import { envoy } from '#xds';
import { readLoadReport } from '../../../../src/telemetry/envoy/load-report-message.ts';

const { LoadStatsRequest } = envoy.service.load_stats.v3;
type Request = envoy.service.load_stats.v3.LoadStatsRequest.$Properties;

function read(request: Request) {
  return readLoadReport(LoadStatsRequest.encode(request).finish());
}

const at = (address: string) => ({ socketAddress: { address, portValue: 80 } });

test('who reports, what each cluster holds, and each of its pods', () => {
  const node = { id: 'edge', cluster: 'edges', extensions: [{ name: 'envoy.filters.http.router' }] };
  const pods = [
    { address: at('10.0.0.1'), totalRequestsInProgress: 2, totalIssuedRequests: 9 },
    { address: at('fd00::1'), totalRequestsInProgress: 1 },
    // All of its requests have ended.
    { address: at('10.0.0.2'), totalRequestsInProgress: 0, totalIssuedRequests: 9 },
  ];
  const request: Request = {
    node,
    clusterStats: [
      {
        clusterName: 'pods/codec',
        upstreamLocalityStats: [
          { totalRequestsInProgress: 3, upstreamEndpointStats: pods },
          {
            totalRequestsInProgress: 3,
            upstreamEndpointStats: [{ address: at('10.0.0.1'), totalRequestsInProgress: 3 }],
          },
        ],
      },
      { clusterName: 'gate/web', totalDroppedRequests: 4 },
    ],
  };
  expect(read(request)).toEqual({
    nodeId: 'edge',
    clusters: [
      {
        cluster: 'pods/codec',
        requestsInProgress: 6,
        // One that is in two localities is added up.
        endpoints: [
          { address: '10.0.0.1', port: 80, requestsInProgress: 5 },
          { address: 'fd00::1', port: 80, requestsInProgress: 1 },
        ],
      },
      { cluster: 'gate/web', requestsInProgress: 0, endpoints: [] },
    ],
  });
});

test('listeners inside Envoy are no pods; nobody and nothing is no fault', () => {
  const inside = {
    address: { envoyInternalAddress: { serverListenerName: 'pods/codec' } },
    totalRequestsInProgress: 7,
  };
  const locality = { totalRequestsInProgress: 7, upstreamEndpointStats: [inside] };
  expect(read({ clusterStats: [{ clusterName: 'gate/codec', upstreamLocalityStats: [locality] }] })).toEqual({
    nodeId: '',
    clusters: [{ cluster: 'gate/codec', requestsInProgress: 7, endpoints: [] }],
  });
  expect(read({})).toEqual({ nodeId: '', clusters: [] });
});

test('bytes that are no such message throw', () => {
  expect(() => readLoadReport(Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 1))).toThrow();
});
