import { status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { TestClient } from '../../feature/xds/client.ts';
import { instant } from '../kit/instant.ts';
import { ControlPlane } from './control-plane.ts';

const CLIENTS = 1000;
const CONNECTIONS = 20;

test('on SIGTERM the streams of 1,000 clients end in order, and the process within 10 s', async () => {
  const plane = await ControlPlane.start({
    services: { web: { static: ['127.0.1.1:9000'] } },
    routes: [{ match: { prefix: '/' }, service: 'web' }],
  });
  const connections = Array.from({ length: CONNECTIONS }, () => new TestClient(`127.0.0.1:${plane.xds.port}`));
  onTestFinished(() => {
    for (const client of connections) client.close();
  });
  const streams = connections.flatMap((client, connection) =>
    Array.from({ length: CLIENTS / CONNECTIONS }, (_, index) => {
      const stream = client.delta();
      stream.send({ node: { id: `envoy-${connection}-${index}` }, typeUrl: TYPE_URLS.cluster });
      return stream;
    }),
  );
  for (const stream of streams) expect((await stream.next()).resources.map(({ name }) => name)).toContain('web');

  const told = instant();
  const exit = await plane.process.end('SIGTERM');
  expect(exit).toEqual({ code: 0, signal: null });
  expect(instant() - told).toBeLessThan(10_000);
  const ends = await Promise.all(streams.map((stream) => stream.end()));
  expect([...new Set(ends.map(({ code }) => status[code]))]).toEqual(['OK']);
}, 120_000);
