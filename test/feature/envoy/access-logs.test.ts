import { status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { envoy } from '#xds';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import type { LogEntry } from '../../../src/telemetry/envoy/access-log-entry.ts';
import { AccessLogs } from '../../../src/telemetry/envoy/access-logs.ts';
import { XdsServer } from '../../../src/xds/server/server.ts';
import { until } from '../../e2e/kit/instant.ts';
import { TestClient } from '../xds/client.ts';

const { StreamAccessLogsMessage } = envoy.service.accesslog.v3;
const PATH = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

async function serve() {
  const told: string[] = [];
  const entries: LogEntry[] = [];
  const logs = new AccessLogs({
    onOpen: ({ id, logName }) => told.push(`open ${id} ${logName}`),
    onEntries: (some, { id }) => {
      told.push(`entries ${id}`);
      entries.push(...some);
    },
    onClosed: ({ id }) => told.push(`closed ${id}`),
  });
  const addresses = [{ kind: 'tcp', host: '127.0.0.1', port: 0 }] as const;
  const server = new XdsServer({ addresses, cache: new SnapshotCache(), extraServices: [logs] });
  const started = await server.start();
  const address = started.ok ? started.value[0] : undefined;
  if (address?.kind !== 'tcp') throw new Error('not bound');
  onTestFinished(() => server.stop());
  const connect = () => {
    const client = new TestClient(`127.0.0.1:${address.port}`);
    onTestFinished(() => client.close());
    return client.raw(PATH);
  };
  return { told, entries, server, connect };
}

function message(id: string, logName?: string): Buffer {
  const identifier = logName === undefined ? {} : { identifier: { logName } };
  const logEntry = [{ commonProperties: { accessLogType: 6, duration: { seconds: 1 } }, request: { requestId: id } }];
  return Buffer.from(StreamAccessLogsMessage.encode({ ...identifier, httpLogs: { logEntry } }).finish());
}

test('a stream is told from its first message to its end', async () => {
  const { told, entries, connect } = await serve();
  const stream = connect();
  stream.send(message('a', 'requests'));
  stream.send(message('b'));
  await until(() => entries.length === 2, { what: 'both entries' });
  expect(entries.map(({ requestId }) => requestId)).toEqual(['a', 'b']);
  stream.halfClose();
  await until(() => told.length === 4, { what: 'the end' });
  expect(told).toEqual(['open 0 requests', 'entries 0', 'entries 0', 'closed 0']);
});

test('bytes that are no log end this stream, and no other', async () => {
  const { told, connect } = await serve();
  const good = connect();
  good.send(message('a', 'requests'));
  await until(() => told.includes('entries 0'), { what: 'the good stream' });
  const bad = connect();
  bad.send(Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]));
  expect(await bad.end()).toMatchObject({ code: status.INVALID_ARGUMENT });
  good.send(message('b'));
  await until(() => told.filter((line) => line === 'entries 0').length === 2, { what: 'the good stream to go on' });
  expect(told).not.toContain('closed 0');
});

test('a server that stops ends its streams', async () => {
  const { told, server, connect } = await serve();
  connect().send(message('a', 'requests'));
  await until(() => told.includes('entries 0'), { what: 'the stream' });
  await server.stop();
  expect(told.at(-1)).toBe('closed 0');
});
