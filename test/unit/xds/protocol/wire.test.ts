import { expect, test } from 'vitest';
import { envoy } from '#xds';
import { TYPE_URLS } from '../../../../src/snapshot/resource.ts';
import { decodeDelta, decodeSotw, encodeDelta, encodeSotw } from '../../../../src/xds/protocol/wire.ts';

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse } =
  envoy.service.discovery.v3;
const typeUrl = TYPE_URLS.cluster;
const resources = ['a', 'b'].map((name) => ({
  typeUrl,
  name,
  version: `version of ${name}`,
  body: Buffer.from(`body of ${name}`),
}));
const response = { typeUrl, nonce: '7', version: 'v', resources, removed: [] };

test('responses are what protobuf makes of them, the second time as well', () => {
  for (let time = 0; time < 2; time++) {
    expect(DiscoveryResponse.decode(encodeSotw(response, 'me'))).toMatchObject({
      versionInfo: 'v',
      nonce: '7',
      typeUrl,
      controlPlane: { identifier: 'me' },
      resources: [
        { typeUrl, value: Buffer.from('body of a') },
        { typeUrl, value: Buffer.from('body of b') },
      ],
    });
    expect(DeltaDiscoveryResponse.decode(encodeDelta({ ...response, removed: ['gone'] }, 'me'))).toMatchObject({
      systemVersionInfo: 'v',
      nonce: '7',
      typeUrl,
      controlPlane: { identifier: 'me' },
      removedResources: ['gone'],
      resources: [
        { name: 'a', version: 'version of a', resource: { typeUrl, value: Buffer.from('body of a') } },
        { name: 'b', version: 'version of b', resource: { typeUrl, value: Buffer.from('body of b') } },
      ],
    });
  }
});

test('responses do not keep more memory than their own', () => {
  for (const bytes of [encodeSotw(response, 'me'), encodeDelta(response, 'me')]) {
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  }
});

test('an Envoy introduces itself', () => {
  const node = {
    id: 'id',
    cluster: 'cluster',
    metadata: { fields: { a: { listValue: { values: [{ numberValue: 1 }] } }, __proto__: { stringValue: 'x' } } },
    userAgentName: 'envoy',
    userAgentBuildVersion: { version: { majorNumber: 1, minorNumber: 40 } },
  };
  const { introduction, request } = decodeSotw(
    DiscoveryRequest.encode({ node, typeUrl, resourceNames: ['a'] }).finish(),
  );
  expect(introduction).toMatchObject({
    node: { id: 'id', cluster: 'cluster', metadata: { a: [1] } },
    userAgent: 'envoy 1.40.0',
  });
  expect(request).toEqual({ kind: 'request', nonce: '', version: '', names: ['a'], error: undefined });
});

test('who was there before says so: with versions, and in state of the world with the names of endpoints', () => {
  const { cluster, endpoints } = TYPE_URLS;
  const held = DeltaDiscoveryRequest.encode({ typeUrl: cluster, initialResourceVersions: { a: '1' } }).finish();
  expect(decodeDelta(held)).toMatchObject({ returning: true, holds: ['a'] });
  const others = DeltaDiscoveryRequest.encode({ typeUrl: endpoints, initialResourceVersions: { a: '1' } }).finish();
  expect(decodeDelta(others)).toMatchObject({ returning: true, holds: [] });
  const sotw = (request: Parameters<typeof DiscoveryRequest.encode>[0]) =>
    decodeSotw(DiscoveryRequest.encode(request).finish());
  expect(sotw({ typeUrl: cluster })).toMatchObject({ returning: false, holds: [] });
  expect(sotw({ typeUrl: cluster, versionInfo: '1' })).toMatchObject({ returning: true, holds: [] });
  expect(sotw({ typeUrl: endpoints, versionInfo: '1', resourceNames: ['a'] })).toMatchObject({
    returning: true,
    holds: ['a'],
  });
  // An ACK: it is of this stream.
  expect(sotw({ typeUrl: endpoints, versionInfo: '1', responseNonce: '1', resourceNames: ['a'] })).toMatchObject({
    returning: false,
    holds: [],
  });
});

test('other clients say their version as a text, or nothing at all', () => {
  const told = DeltaDiscoveryRequest.encode({
    node: { userAgentName: 'gRPC Node', userAgentVersion: '1.14' },
  }).finish();
  expect(decodeDelta(told).introduction.userAgent).toBe('gRPC Node 1.14');
  expect(decodeDelta(new Uint8Array()).introduction).toEqual({
    node: { id: '', cluster: '', metadata: {} },
    userAgent: '',
  });
});

test('a delta request', () => {
  const bytes = DeltaDiscoveryRequest.encode({
    typeUrl,
    resourceNamesSubscribe: ['a'],
    resourceNamesUnsubscribe: ['b'],
    initialResourceVersions: { c: '1', constructor: '2' },
    responseNonce: '3',
    errorDetail: { code: 13, message: 'no' },
  }).finish();
  expect(decodeDelta(bytes)).toMatchObject({
    typeUrl,
    request: {
      subscribe: ['a'],
      unsubscribe: ['b'],
      nonce: '3',
      error: 'no',
      initialVersions: new Map([
        ['c', '1'],
        ['constructor', '2'],
      ]),
    },
  });
});

test('an error without words is a refusal all the same, and one with too many is cut', () => {
  const refused = (errorDetail: { code?: number; message?: string }) =>
    decodeSotw(DiscoveryRequest.encode({ errorDetail }).finish()).request.error;
  expect(refused({})).toBe('refused without a reason (code 0)');
  expect(refused({ code: 3 })).toBe('refused without a reason (code 3)');
  expect(refused({ message: 'x'.repeat(1_000_000) })?.length).toBe(8192);
});
