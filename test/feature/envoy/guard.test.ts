import { readFile } from 'node:fs/promises';
import { type ChannelCredentials, Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { envoy } from '#xds';
import { systemClock } from '../../../src/base/clock.ts';
import { AccessLogs } from '../../../src/telemetry/envoy/access-logs.ts';
import { LoadReports } from '../../../src/telemetry/envoy/load-reports.ts';
import { RequestEnded } from '../../../src/telemetry/envoy/request-ended.ts';
import { nodeGuard } from '../../../src/xds/protocol/client-names.ts';
import { RotatingCredentials } from '../../../src/xds/server/credentials.ts';
import { Certificates } from '../../e2e/kit/certificates.ts';
import { TestClient } from '../xds/client.ts';
import { SHORT, World } from '../xds/world.ts';

const { LoadStatsRequest } = envoy.service.load_stats.v3;
const { StreamAccessLogsMessage } = envoy.service.accesslog.v3;
const { ClientStatusRequest, ClientStatusResponse } = envoy.service.status.v3;
const EDGE = 'spiffe://cluster.local/ns/edge/sa/envoy';
const REFUSED = { code: status.PERMISSION_DENIED, details: `${EDGE} may not speak for node "other"` };

let certificates: Certificates;
beforeAll(async () => {
  certificates = await Certificates.make('ca');
  await certificates.sign('server', 'IP:127.0.0.1');
  await certificates.sign('edge', `URI:${EDGE}`);
  await certificates.sign('ops', 'DNS:ops.example');
});
afterAll(async () => certificates.remove());
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function secureAs(name: string): Promise<ChannelCredentials> {
  const files = ['ca.crt', `${name}.key`, `${name}.crt`].map((file) => readFile(certificates.at(file)));
  return credentials.createSsl(...(await Promise.all(files)));
}

/** A server on which the certificate `edge` is good for `edge-*` and `ops` for all, and what its services were told. */
async function serve() {
  const told: string[] = [];
  const guard = nodeGuard([
    { client: EDGE, node: 'edge-*' },
    { client: 'ops.example', node: '*' },
  ]);
  const at = (name: string) => certificates.at(name);
  const files = { certificate: at('server.crt'), key: at('server.key'), clientCa: at('ca.crt') };
  const loaded = await RotatingCredentials.load(files, { clock: systemClock, onProblem: () => {} });
  if (!loaded.ok) throw new Error(loaded.errors.join());
  endings.push(() => loaded.value.stop());
  const world = new World({
    credentials: loaded.value.server,
    guard,
    extraServices: [
      new LoadReports({ guard, onReport: (_, nodeId) => told.push(`load ${nodeId}`) }),
      new AccessLogs({ guard, onEntries: () => told.push('entries'), onOpen: ({ logName }) => told.push(logName) }),
      new RequestEnded(async (pods, pod, isCaller) => {
        for (const node of ['edge-1', 'other']) told.push(`${pods} ${pod} ${node} ${isCaller(node)}`);
      }, guard),
    ],
  });
  await world.start();
  endings.push(() => world.stop());
  const connect = async (as: string) => {
    const secure = await secureAs(as);
    const client = new TestClient(`127.0.0.1:${world.port}`, secure);
    endings.push(() => client.close());
    return client;
  };
  return { told, client: await connect('edge'), ops: await connect('ops'), world };
}

test('load reports of a node that the client may not speak for are refused', async () => {
  const { told, client } = await serve();
  const report = (id: string) =>
    Buffer.from(LoadStatsRequest.encode({ node: { id }, clusterStats: [{ clusterName: 'pods/codec' }] }).finish());
  const path = '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats';
  const bad = client.raw(path);
  bad.send(report('other'));
  expect(await bad.end()).toEqual(REFUSED);
  const good = client.raw(path);
  good.send(report('edge-1'));
  await good.next();
  expect(told).toEqual(['load edge-1']);
});

test('access logs of a node that the client may not speak for are refused', async () => {
  const { told, client } = await serve();
  const log = (id: string) =>
    Buffer.from(StreamAccessLogsMessage.encode({ identifier: { node: { id }, logName: `of ${id}` } }).finish());
  const path = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';
  const bad = client.raw(path);
  bad.send(log('other'));
  expect(await bad.end()).toEqual(REFUSED);
  const good = client.raw(path);
  good.send(log('edge-1'));
  await expect.poll(() => told).toEqual(['of edge-1', 'entries']);
  const nameless = client.raw(path);
  nameless.send(Buffer.from(StreamAccessLogsMessage.encode({ httpLogs: {} }).finish()));
  expect(await nameless.end()).toEqual({ ...REFUSED, details: `${EDGE} may not speak for node ""` });
});

test('a request that ends counts for the nodes that the client may speak for', async () => {
  const { told, world } = await serve();
  const client = new Client(`127.0.0.1:${world.port}`, await secureAs('edge'));
  endings.push(() => client.close());
  const metadata = new Metadata();
  metadata.set('x-sluice-draining', 'codec 127.0.1.1:80');
  const same = (bytes: Buffer) => bytes;
  await new Promise<void>((resolve, reject) => {
    const done = (error: Error | null) => (error ? reject(error) : resolve());
    client.makeUnaryRequest('/sluice.v1.Slots/RequestEnded', same, same, Buffer.alloc(0), metadata, done);
  });
  expect(told).toEqual(['codec 127.0.1.1:80 edge-1 true', 'codec 127.0.1.1:80 other false']);
});

test('a client sees the status of the nodes that it may speak for', async () => {
  const { client, ops, world } = await serve();
  world.publish({ cds: { a: 'A' } });
  for (const [from, id] of [
    [client, 'edge-1'],
    [ops, 'other'],
  ] as const) {
    const stream = from.delta();
    stream.send({ node: { id }, typeUrl: SHORT.cds });
    await stream.next();
  }
  const ask = async (from: TestClient) => {
    const stream = from.raw('/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus');
    stream.send(Buffer.from(ClientStatusRequest.encode({}).finish()));
    return ClientStatusResponse.decode(await stream.next()).config.map(({ node }) => node?.id);
  };
  expect(await ask(client)).toEqual(['edge-1']);
  expect(await ask(ops)).toEqual(['edge-1', 'other']);
});
