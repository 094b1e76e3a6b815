import { describe, expect, test } from 'vitest';
import { readService, readSlice, type Slice, sameSlice } from '../../../../src/endpoints/kube/slice.ts';

const metadata = { name: 'codec-x', labels: { 'kubernetes.io/service-name': 'codec' } };

describe('readSlice', () => {
  test.each([
    // As kube-apiserver documents `EndpointConditions`: unset ready = true, unset terminating = false.
    [undefined, 'ready'],
    [{}, 'ready'],
    [{ ready: true, serving: true, terminating: false }, 'ready'],
    [{ ready: false, serving: false, terminating: false }, 'unready'],
    [{ ready: false, serving: true, terminating: false }, 'unready'],
    [{ ready: false, serving: true, terminating: true }, 'draining'],
    [{ ready: false, serving: false, terminating: true }, 'draining'],
    // publishNotReadyAddresses.
    [{ ready: true, serving: true, terminating: true }, 'draining'],
  ])('%j is %s', (conditions, expected) => {
    const endpoint = { addresses: ['10.0.0.1'], ...(conditions === undefined ? {} : { conditions }) };
    const slice = readSlice({ metadata, addressType: 'IPv4', endpoints: [endpoint], ports: [] });
    expect(slice?.endpoints.map(({ state }) => state)).toEqual(expected === 'unready' ? [] : [expected]);
    expect(slice?.unready).toBe(expected === 'unready' ? 1 : 0);
  });

  test('keeps first addresses, TCP ports and whose address it is', () => {
    const slice = readSlice({
      metadata,
      addressType: 'IPv6',
      endpoints: [
        { addresses: ['fd00::1', 'fd00::2'], targetRef: { uid: 'one' } },
        { addresses: ['10.0.0.1'] },
        { addresses: ['web.example'] },
      ],
      ports: [
        { name: 'http', port: 80, protocol: 'TCP' },
        { port: 81 },
        { name: 'any', protocol: 'TCP' },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    });
    expect(slice).toEqual({
      name: 'codec-x',
      service: 'codec',
      family: 'IPv6',
      endpoints: [{ ip: 'fd00::1', state: 'ready', pod: 'one' }],
      unready: 0,
      ports: [
        { name: 'http', port: 80 },
        { name: '', port: 81 },
        { name: 'any', port: undefined },
      ],
    });
  });

  test('null lists are empty: the API sends them for slices without pods', () => {
    const json = JSON.parse(
      `{"metadata": ${JSON.stringify(metadata)}, "addressType": "IPv4", "endpoints": null, "ports": null}`,
    );
    expect(readSlice(json)).toMatchObject({ endpoints: [], ports: [] });
  });

  test('leaves out what belongs to no Service, and host names', () => {
    expect(readSlice({ metadata: { name: 'x' }, addressType: 'IPv4', endpoints: [] })).toBeUndefined();
    expect(readSlice({ metadata, addressType: 'FQDN', endpoints: [{ addresses: ['a.example'] }] })).toBeUndefined();
  });
});

describe('readService', () => {
  test('keeps TCP ports and the first family', () => {
    const ports = [
      { port: 80 },
      { name: 'metrics', port: 9090, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    expect(readService({ metadata: { name: 'codec' }, spec: { ports, ipFamilies: ['IPv6', 'IPv4'] } })).toEqual({
      name: 'codec',
      externalName: undefined,
      ports: [
        { name: '', port: 80 },
        { name: 'metrics', port: 9090 },
      ],
      family: 'IPv6',
      dualStack: true,
    });
  });

  test('knows an ExternalName by its type', () => {
    const spec = { type: 'ExternalName', externalName: 'far.example' };
    expect(readService({ metadata: { name: 'far' }, spec })).toMatchObject({ externalName: 'far.example', ports: [] });
    expect(readService({ metadata: { name: 'near' }, spec: { externalName: 'x' } })?.externalName).toBeUndefined();
  });
});

describe('sameSlice', () => {
  const slice: Slice = {
    name: 'a',
    service: 'codec',
    family: 'IPv4',
    ports: [{ name: 'http', port: 80 }],
    endpoints: [{ ip: '10.0.0.1', state: 'ready', pod: 'one' }],
    unready: 0,
  };
  test('holds for an equal copy', () => {
    expect(sameSlice(slice, structuredClone(slice))).toBe(true);
  });
  test.each<Partial<Slice>>([
    { service: 'other' },
    { family: 'IPv6' },
    { unready: 1 },
    { ports: [] },
    { ports: [{ name: 'http', port: 81 }] },
    { ports: [{ name: 'web', port: 80 }] },
    { endpoints: [] },
    { endpoints: [{ ip: '10.0.0.2', state: 'ready', pod: 'one' }] },
    { endpoints: [{ ip: '10.0.0.1', state: 'draining', pod: 'one' }] },
    { endpoints: [{ ip: '10.0.0.1', state: 'ready', pod: 'two' }] },
  ])('fails with %j', (change) => {
    expect(sameSlice(slice, { ...slice, ...change })).toBe(false);
  });
});

test("a pod's name and its node are kept, and are a change when they are others", () => {
  const of = (name: string, nodeName: string) =>
    readSlice({
      metadata: { name: 'codec-1', labels: { 'kubernetes.io/service-name': 'codec' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.1'], nodeName, targetRef: { kind: 'Pod', name, uid: 'one' } }],
      ports: [],
    });
  const slice = of('codec-7d9f', 'node-3');
  expect(slice?.endpoints).toEqual([
    { ip: '10.0.0.1', state: 'ready', pod: 'one', name: 'codec-7d9f', node: 'node-3' },
  ]);
  const [same, other] = [of('codec-7d9f', 'node-3'), of('codec-7d9f', 'node-4')];
  if (!slice || !same || !other) throw new Error('they are slices');
  expect(sameSlice(slice, same)).toBe(true);
  expect(sameSlice(slice, other)).toBe(false);
});
