import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { envoy, google } from '#xds';
import { ackDelta, nackDelta, SHORT, useWorld } from './world.ts';

const { ClientStatusRequest, ClientStatusResponse, ConfigStatus } = envoy.service.status.v3;
const { ClientResourceStatus } = envoy.admin.v3;
const { StringValue, UInt32Value } = google.protobuf;
type StatusRequest = envoy.service.status.v3.ClientStatusRequest.$Properties;
type StatusResponse = envoy.service.status.v3.ClientStatusResponse;

const world = useWorld();
let client: Client | undefined;
afterEach(() => {
  client?.close();
  client = undefined;
});
const same = (bytes: Buffer) => bytes;
function connection(): Client {
  client ??= new Client(`127.0.0.1:${world().port}`, credentials.createInsecure());
  return client;
}

function unary(path: string, request: Uint8Array): Promise<Buffer | ServiceError> {
  return new Promise((resolve) => {
    connection().makeUnaryRequest(path, same, same, Buffer.from(request), (error, response) =>
      resolve(error ?? response ?? Buffer.alloc(0)),
    );
  });
}

describe('client status discovery', () => {
  const PATH = '/envoy.service.status.v3.ClientStatusDiscoveryService';
  async function ask(request: StatusRequest): Promise<StatusResponse> {
    const response = await unary(`${PATH}/FetchClientStatus`, ClientStatusRequest.encode(request).finish());
    if (!Buffer.isBuffer(response)) throw response;
    return ClientStatusResponse.decode(response);
  }
  const ids = (response: StatusResponse) => response.config.map((config) => config.node?.id);

  test('tells per node and resource what was sent, taken, and refused in which words', async () => {
    world().publish({ cds: { good: 'G', evil: 'E' }, eds: { good: 'GE' } });
    const stream = world().client().delta();
    stream.send({ node: { id: 'one', cluster: 'edge', userAgentName: 'test' }, typeUrl: SHORT.cds });
    nackDelta(stream, await stream.next(), 'evil is not wanted');
    stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['good', 'nobody'] });
    const response = await stream.next();
    const [config] = (await ask({})).config;
    expect(config?.node).toMatchObject({ id: 'one', cluster: 'edge', userAgentName: 'test' });
    const rows = () =>
      config?.genericXdsConfigs?.map((each) => [
        each.name,
        each.configStatus,
        each.clientStatus,
        each.errorState?.details,
        each.xdsConfig?.value?.toString(),
      ]);
    expect(rows()).toEqual([
      ['evil', ConfigStatus.ERROR, ClientResourceStatus.NACKED, 'evil is not wanted', 'E'],
      ['good', ConfigStatus.SYNCED, ClientResourceStatus.ACKED, undefined, 'G'],
      ['good', ConfigStatus.STALE, ClientResourceStatus.REQUESTED, undefined, 'GE'],
      ['nobody', ConfigStatus.NOT_SENT, ClientResourceStatus.DOES_NOT_EXIST, undefined, undefined],
    ]);
    const now = Date.now();
    const ages = config?.genericXdsConfigs?.map(({ lastUpdated }) => {
      return lastUpdated && now - (Number(lastUpdated.seconds) * 1000 + (lastUpdated.nanos ?? 0) / 1e6);
    });
    // What was sent has a time, within the minute at most that this test may take; what is missing has none.
    expect(ages?.map((age) => age != null && age >= 0 && age < 60_000)).toEqual([true, true, true, false]);
    ackDelta(stream, response);
    await expect
      .poll(async () => (await ask({ excludeResourceContents: true })).config[0]?.genericXdsConfigs?.[2])
      .toMatchObject({ configStatus: ConfigStatus.SYNCED });
    expect(
      (await ask({ excludeResourceContents: true })).config[0]?.genericXdsConfigs?.some((each) => each.xdsConfig),
    ).toBe(false);
  });

  test('of the nodes asked for, by id and metadata', async () => {
    world().publish({});
    for (const [id, zone] of [
      ['one', 'a'],
      ['two', 'b'],
      ['Three', 'b'],
    ] as const) {
      const metadata = { fields: { place: { structValue: { fields: { zone: { stringValue: zone } } } } } };
      const stream = world().client().delta();
      stream.send({ node: { id, metadata }, typeUrl: SHORT.cds });
      await stream.next();
    }
    const zone = (exact: string) => ({ path: [{ key: 'place' }, { key: 'zone' }], value: { stringMatch: { exact } } });
    expect(ids(await ask({}))).toEqual(['Three', 'one', 'two']);
    expect(ids(await ask({ nodeMatchers: [{ nodeId: { exact: 'one' } }, { nodeId: { prefix: 'tw' } }] }))).toEqual([
      'one',
      'two',
    ]);
    expect(
      ids(await ask({ nodeMatchers: [{ nodeMetadatas: [zone('b')], nodeId: { contains: 'HRE', ignoreCase: true } }] })),
    ).toEqual(['Three']);
    const refused = ask({ nodeMatchers: [{ nodeId: { safeRegex: { regex: '(a+)+' } } }] });
    await expect(refused).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('prefix'),
    });
  });

  test('over a stream, as often as it is asked; garbage is refused', async () => {
    world().publish({});
    const stream = world().client().raw(`${PATH}/StreamClientStatus`);
    for (let count = 0; count < 3; count++) {
      stream.send(Buffer.alloc(0));
      expect(ClientStatusResponse.decode(await stream.next()).config).toEqual([]);
    }
    stream.send(Buffer.from([0xff]));
    expect(await stream.end()).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(await unary(`${PATH}/FetchClientStatus`, Buffer.from([0xff]))).toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });
});

describe('health', () => {
  const check = async (service: string) => {
    const response = await unary('/grpc.health.v1.Health/Check', StringValue.encode({ value: service }).finish());
    return Buffer.isBuffer(response) ? UInt32Value.decode(response).value : response.code;
  };
  const [serving, notServing] = [1, 2];

  test('serving from the first snapshot on, the whole and every service', async () => {
    expect(await check('')).toBe(notServing);
    world().publish({});
    expect(await check('')).toBe(serving);
    expect(await check('envoy.service.discovery.v3.AggregatedDiscoveryService')).toBe(serving);
    expect(await check('no.such.Service')).toBe(status.NOT_FOUND);
    const garbage = await unary('/grpc.health.v1.Health/Check', Buffer.from([0x0a, 0x7f]));
    expect(garbage).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test('whoever watches is told of every change, the end included', async () => {
    const call = connection().makeServerStreamRequest('/grpc.health.v1.Health/Watch', same, same, Buffer.alloc(0));
    const seen: number[] = [];
    call.on('data', (bytes: Buffer) => seen.push(UInt32Value.decode(bytes).value));
    call.on('error', () => {});
    await expect.poll(() => seen).toEqual([notServing]);
    world().publish({});
    await expect.poll(() => seen).toEqual([notServing, serving]);
    world().publish({ cds: { a: 'A' } });
    const ended = new Promise((resolve) => call.on('status', ({ code }) => resolve(code)));
    void world().server.stop();
    expect(await ended).toBe(status.OK);
    expect(seen).toEqual([notServing, serving, notServing]);
  });
});
