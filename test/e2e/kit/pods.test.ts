import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { grpcClient } from './client-grpc.ts';
import { h2Client } from './client-h2.ts';
import { http1Client, type Target } from './client-http1.ts';
import { pause, until } from './instant.ts';
import { type LoadClient, load, startLoad } from './load.ts';
import { burst, spaced } from './load-plan.ts';
import { ALIVE_PATH } from './pod-ask.ts';
import { type PodProtocol, Pods } from './pods.ts';
import { fixed } from './random.ts';
import { outcomeOf } from './summary.ts';
import { overLimit } from './verdict.ts';

const opened: { stop?(): unknown; close?(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await (one.stop?.() ?? one.close?.());
});

const clientOf: Record<PodProtocol, (target: Target) => LoadClient> = {
  http1: http1Client,
  h2c: h2Client,
  grpc: grpcClient,
  both: http1Client,
};

async function start(protocol: PodProtocol, count = 1) {
  // Addresses of their own, so that no other test's pods get in the way.
  const pods = await Pods.start({ count, protocol, first: 101 });
  opened.push(pods);
  return { pods, client: () => client(pods, protocol) };
}

function client(pods: Pods, protocol: PodProtocol): LoadClient {
  const [host = '', port] = pods.addresses[0]?.split(':') ?? [];
  const made = clientOf[protocol]({ host, port: Number(port) });
  opened.push(made);
  return made;
}

describe.each(['http1', 'h2c', 'grpc'] as const)('%s pods', (protocol) => {
  const good = protocol === 'grpc' ? 'grpc 0' : '200';

  it('log each request once, with its id and work, and count what they hold', async () => {
    const { pods, client } = await start(protocol);
    const results = await load(client(), spaced(6, 5, { work: fixed(60), each: { body: Buffer.from('x') } }));
    expect(results.map(outcomeOf)).toEqual(Array(6).fill(good));
    const requests = await pods.requests();
    expect(requests.map(({ id }) => id)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4', 'r5']);
    for (const { arrived, started = 0, ended = 0, outcome } of requests) {
      expect(started).toBeGreaterThanOrEqual(arrived);
      expect(ended - started).toBeGreaterThanOrEqual(59);
      expect(outcome).toBe('answered');
    }
    const [count] = await pods.counts();
    expect(count?.held).toBe(0);
    expect(count?.peak).toBe(overLimit(requests, 1).peak);
    expect(count?.changes.map(({ held }) => held).at(-1)).toBe(0);
    expect(count?.changes).toHaveLength(12);
    for (const [index, { sent, ended }] of results.entries()) {
      expect(requests[index]?.arrived).toBeGreaterThan(sent);
      expect(requests[index]?.ended).toBeLessThan(ended);
    }
  });

  it('learn that a client has gone', async () => {
    const { pods, client } = await start(protocol);
    const [result] = await load(client(), burst(1, { work: fixed(60_000), each: { abortAfter: 100 } }));
    expect(result?.outcome).toBe('aborted');
    await until(async () => (await pods.held()) === 0, { what: 'the pod to notice' });
    expect((await pods.requests()).map(({ outcome }) => outcome)).toEqual(['aborted']);
  });

  it('refuse, break off, die and come back at the same address', async () => {
    const { pods, client } = await start(protocol);
    const [address = ''] = pods.addresses;
    const say = async () => (await load(client(), burst(1))).map(outcomeOf).join();
    await pods.setMode(address, { kind: 'status', status: 503 });
    expect(await say()).toBe(protocol === 'grpc' ? 'grpc 14' : '503');
    await pods.setMode(address, { kind: 'half' });
    expect(await say()).toBe(protocol === 'grpc' ? 'grpc 15' : 'failed');
    await pods.setMode(address, { kind: 'dead' });
    expect(await say()).toBe(protocol === 'grpc' ? 'grpc 14' : 'failed');
    await pods.setMode(address, { kind: 'garbage' });
    expect(await say()).toBe(protocol === 'grpc' ? 'grpc 14' : 'failed');
    await pods.setMode(address, { kind: 'normal' });
    expect(await say()).toBe(good);
    // What is answered with garbage was broken as well.
    const outcomes = ['refused', 'broken', 'broken', 'answered'];
    expect((await pods.requests()).map(({ outcome }) => outcome)).toEqual(outcomes);
  });

  it('freeze, and work on what they have when they thaw', async () => {
    const { pods, client } = await start(protocol);
    const [address = ''] = pods.addresses;
    await pods.setMode(address, { kind: 'frozen' });
    const run = startLoad(client(), burst(3, { work: fixed(10) }));
    await until(async () => (await pods.held()) === 3, { what: 'three held' });
    await pause(100);
    expect(run.ended).toEqual([]);
    await pods.setMode(address, { kind: 'normal' });
    expect((await run.results).map(outcomeOf)).toEqual([good, good, good]);
  });
});

describe('pods', () => {
  it('serve a slow connection late', async () => {
    const { pods, client } = await start('http1');
    await pods.setMode(pods.addresses[0] ?? '', { kind: 'slow-accept', ms: 300 });
    const [result] = await load(client(), burst(1, { work: fixed(0) }));
    expect((result?.ended ?? 0) - (result?.sent ?? 0)).toBeGreaterThanOrEqual(290);
  });

  it('send back what comes over an upgraded connection, and hold it until it is closed', async () => {
    const { pods } = await start('http1');
    const [host = '', port] = pods.addresses[0]?.split(':') ?? [];
    const socket = connect(Number(port), host);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.write('GET /ws?id=ws&work=0 HTTP/1.1\r\nhost: pod\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await until(() => text.includes('101 Switching'), { what: 'the upgrade' });
    socket.write('hello');
    await until(() => text.endsWith('hello'), { what: 'the echo' });
    expect(await pods.held()).toBe(1);
    socket.end();
    await until(async () => (await pods.held()) === 0, { what: 'the end' });
    expect((await pods.requests()).map(({ id, outcome }) => [id, outcome])).toEqual([['ws', 'answered']]);
  });

  it('are added and removed, and what a removed one saw still counts', async () => {
    const { pods, client } = await start('http1', 1);
    const [first = ''] = pods.addresses;
    await load(client(), burst(2, { work: fixed(20) }));
    const [second] = await pods.add(1);
    expect(pods.addresses).toEqual([first, second]);
    expect(second?.startsWith('127.0.1.102:')).toBe(true);
    await pods.remove(first);
    expect(pods.addresses).toEqual([second]);
    expect(await pods.requests()).toHaveLength(2);
    await pods.forget();
    expect(await pods.requests()).toHaveLength(0);
    await expect(pods.remove(first)).rejects.toThrow(`there is no pod ${first}`);
  });
});

describe('pods with fewer workers than requests', () => {
  it('hold them all, and begin them in their order as workers come free', async () => {
    const pods = await Pods.start({ count: 1, workers: 2, first: 101 });
    opened.push(pods);
    const results = await load(client(pods, 'http1'), burst(5, { work: fixed(400) }));
    expect(results.map(outcomeOf)).toEqual(Array(5).fill('200'));
    const requests = await pods.requests();
    expect(await pods.peak()).toBe(5);
    const starts = requests.map(({ started = 0 }) => started);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    for (const start of starts) {
      const begun = requests.filter(({ started = 0, ended = 0 }) => started <= start && start < ended);
      expect(begun.length).toBeLessThanOrEqual(2);
    }
  });

  it('forget those who leave before it was their turn, and go on with the next', async () => {
    const pods = await Pods.start({ count: 1, workers: 1, first: 101 });
    opened.push(pods);
    const [first, second, third] = spaced(3, 5, { work: fixed(20) });
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were asked for');
    const plan = [
      { ...first, workMs: 1500 },
      { ...second, at: 200, abortAfter: 50 },
      { ...third, at: 300 },
    ];
    const results = await load(client(pods, 'http1'), plan);
    expect(results.map(outcomeOf)).toEqual(['200', 'aborted', '200']);
    const seen = new Map((await pods.requests()).map((request) => [request.id, request]));
    expect(seen.get('r1')).toMatchObject({ started: undefined, outcome: 'aborted' });
    expect(seen.get('r2')?.outcome).toBe('answered');
  });

  it('give a worker back at once when they refuse', async () => {
    const pods = await Pods.start({ count: 1, workers: 1, first: 101 });
    opened.push(pods);
    await pods.setMode(pods.addresses[0] ?? '', { kind: 'status', status: 503 });
    const results = await load(client(pods, 'http1'), spaced(3, 1));
    expect(results.map(outcomeOf)).toEqual(['503', '503', '503']);
  });
});

it('pods say that they are alive while they work, and not while they fail', async () => {
  const pods = await Pods.start({ count: 1, workers: 1, first: 101 });
  opened.push(pods);
  const [address = ''] = pods.addresses;
  const alive = async () => (await fetch(`http://${address}${ALIVE_PATH}`)).status;
  const run = startLoad(client(pods, 'http1'), burst(1, { work: fixed(2000) }));
  await until(async () => (await pods.held()) === 1, { what: 'the pod to work' });
  expect(await alive()).toBe(200);
  expect(run.ended).toEqual([]);
  await run.results;
  expect(await pods.requests(), 'checks are not logged').toHaveLength(1);
  await pods.setMode(address, { kind: 'status', status: 500 });
  expect(await alive()).toBe(500);
});

describe('gRPC calls', () => {
  it.each([
    ['unary', 'ping'],
    ['serverStream', '012'],
    ['clientStream', '3'],
    ['bidi', 'pingpingping'],
  ] as const)('%s', async (call, body) => {
    const { client } = await start('grpc');
    const [result] = await load(client(), burst(1, { work: fixed(30), each: { call, body: Buffer.from('ping') } }));
    expect(result).toMatchObject({ outcome: 'answered', grpcStatus: 0, body, trailers: { 'x-done': '1' } });
  });
});

it('pods of both protocols take each', async () => {
  const { pods, client } = await start('both');
  const [host = '', port] = pods.addresses[0]?.split(':') ?? [];
  const other = h2Client({ host, port: Number(port) });
  opened.push(other);
  const results = [...(await load(client(), burst(3, { name: 'a' }))), ...(await load(other, burst(3, { name: 'b' })))];
  expect(results.map(outcomeOf)).toEqual(Array(6).fill('200'));
});
