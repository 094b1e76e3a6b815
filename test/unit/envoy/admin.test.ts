import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EnvoyAdmin, envoyAdmin } from '../../../src/envoy/admin.ts';

let server: Server;
let port: number;
let admin: EnvoyAdmin;
let asked: string[];
let answer: { readonly status: number; readonly body: string } | undefined;
beforeEach(async () => {
  asked = [];
  answer = undefined;
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    // No answer stands for an Envoy that hangs.
    if (answer !== undefined) response.writeHead(answer.status).end(answer.body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on TCP, so this is no pipe's name.
  ({ port } = server.address() as AddressInfo);
  admin = envoyAdmin({ host: '127.0.0.1', port }, 20_000);
});
afterEach(async () => {
  server.closeAllConnections();
  await once(server.close(), 'close');
});

const json = (value: unknown) => ({ status: 200, body: JSON.stringify(value) });

describe('state', () => {
  test.each([
    [200, 'LIVE'],
    [503, 'PRE_INITIALIZING'],
    [503, 'INITIALIZING'],
    [503, 'DRAINING'],
  ])('%d %s', async (status, state) => {
    answer = { status, body: `${state}\n` };
    expect(await admin.state()).toEqual({ ok: true, value: state });
    expect(asked).toEqual(['/ready']);
  });

  test('something else on that port is no Envoy', async () => {
    answer = { status: 200, body: 'welcome' };
    expect(await admin.state()).toEqual({
      ok: false,
      errors: [`127.0.0.1:${port}/ready is not the admin of an Envoy`],
    });
  });
});

test('server_info', async () => {
  answer = json({
    version: '9e55809337/1.40.0/Clean/RELEASE/BoringSSL',
    state: 'LIVE',
    command_line_options: { concurrency: 1, log_level: 'info' },
    node: { id: 'envoy-1', cluster: 'edge' },
    uptime_all_epochs: '3s',
  });
  expect(await admin.serverInfo()).toEqual({
    ok: true,
    value: { version: { major: 1, minor: 40, patch: 0 }, state: 'LIVE', concurrency: 1, nodeId: 'envoy-1' },
  });
});

describe('stats', () => {
  test('gives numbers only', async () => {
    answer = json({
      stats: [
        { name: 'a.cx', value: 3 },
        { name: 'b.text', value: 'x' },
        { histograms: { computed_quantiles: [] } },
        { name: 'c', value: 0 },
      ],
    });
    const stats = await admin.stats({ filter: 'endpoint.*rq_active|a&b' });
    expect(stats).toEqual({
      ok: true,
      value: new Map([
        ['a.cx', 3],
        ['c', 0],
      ]),
    });
    expect(asked).toEqual(['/stats?format=json&filter=endpoint.*rq_active%7Ca%26b']);
  });

  test('asks for less when told so', async () => {
    answer = json({ stats: [] });
    await admin.stats({ filter: 'x', usedOnly: true, type: 'Gauges' });
    expect(asked).toEqual(['/stats?format=json&filter=x&usedonly&type=Gauges']);
  });
});

describe('config_dump', () => {
  test('gives the resources', async () => {
    answer = json({ configs: [{ name: 'a' }, { name: 'b' }] });
    const dump = await admin.configDump({ resource: 'dynamic_active_clusters', nameRegex: 'gate/.*' });
    expect(dump).toEqual({ ok: true, value: [{ name: 'a' }, { name: 'b' }] });
    expect(asked).toEqual(['/config_dump?resource=dynamic_active_clusters&name_regex=gate%2F.*']);
  });

  test('none is an empty list', async () => {
    answer = json({});
    expect(await admin.configDump({ resource: 'dynamic_listeners' })).toEqual({ ok: true, value: [] });
  });
});

describe('hosts', () => {
  test('of matching clusters, with what Envoy thinks of them', async () => {
    const socket = (address: string) => ({ address: { socket_address: { address, port_value: 80 } } });
    const health = (what: object) => ({ health_status: { eds_health_status: 'HEALTHY', ...what } });
    answer = json({
      cluster_statuses: [
        {
          name: 'pods/a',
          host_statuses: [
            { ...socket('10.0.0.1'), ...health({}) },
            { ...socket('10.0.0.2'), ...health({ failed_outlier_check: true }) },
            { ...socket('fd00::1'), ...health({ failed_active_health_check: true }) },
            { address: { envoy_internal_address: { server_listener_name: 'parking' } }, ...health({}) },
          ],
        },
        { name: 'pods/b' },
      ],
    });
    expect(await admin.hosts('^pods/')).toEqual({
      ok: true,
      value: new Map([
        [
          'pods/a',
          [
            { address: '10.0.0.1', port: 80, isOut: false },
            { address: '10.0.0.2', port: 80, isOut: true },
            { address: 'fd00::1', port: 80, isOut: true },
          ],
        ],
        ['pods/b', []],
      ]),
    });
    expect(asked).toEqual(['/clusters?format=json&filter=%5Epods%2F']);
  });
});

describe('failures say where and why', () => {
  test('another status', async () => {
    answer = { status: 400, body: 'Invalid re2 regex\n' };
    expect(await admin.stats({ filter: '(' })).toEqual({
      ok: false,
      errors: [`127.0.0.1:${port}/stats?format=json&filter=(: status 400: Invalid re2 regex`],
    });
  });

  test.each(['<html>', '{}', '{"stats":[{"name":1}]}'])('another body: %s', async (body) => {
    answer = { status: 200, body };
    expect(await admin.stats({ filter: 'x' })).toMatchObject({
      ok: false,
      errors: [expect.stringContaining('is not the admin of an Envoy')],
    });
  });

  test('no answer in time', async () => {
    const impatient = envoyAdmin({ host: '127.0.0.1', port }, 50);
    expect(await impatient.state()).toEqual({ ok: false, errors: [`127.0.0.1:${port}/ready: no answer in time`] });
  });

  test('called off', async () => {
    const abort = new AbortController();
    const asking = admin.state(abort.signal);
    await once(server, 'request');
    abort.abort();
    expect(await asking).toEqual({ ok: false, errors: [`127.0.0.1:${port}/ready: cancelled`] });
  });

  test('nobody there', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    // As above.
    const { port: free } = other.address() as AddressInfo;
    await once(other.close(), 'close');
    const { state } = envoyAdmin({ host: '127.0.0.1', port: free });
    expect(await state()).toEqual({ ok: false, errors: [`127.0.0.1:${free}/ready: connection refused`] });
  });
});
