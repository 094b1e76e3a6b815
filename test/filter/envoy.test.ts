import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { grpcClient } from '../e2e/kit/client-grpc.ts';
import { h2Client } from '../e2e/kit/client-h2.ts';
import { instant, pause, until } from '../e2e/kit/instant.ts';
import { load, startLoad } from '../e2e/kit/load.ts';
import { burst, poisson, spaced } from '../e2e/kit/load-plan.ts';
import { exponential } from '../e2e/kit/random.ts';
import { judge } from '../e2e/kit/summary.ts';
import { CODE } from './kit/bootstrap.ts';
import { type FilterRun, SETTINGS } from './kit/run.ts';
import { client, start, started, stopAfterEach } from './kit/started.ts';

stopAfterEach();

/** A server that is no pod of the kit. Resolves to its `address:port`. */
async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  started.push({ stop: () => server.close() });
  // It listens on an address and port.
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What the filter last said of the service, as plain numbers. */
function counts(run: FilterRun): Record<string, number> {
  const entries = Object.entries({ ...run.side.reports.get('work')?.counts });
  return Object.fromEntries(entries.map(([name, value]) => [name, Number(value)]));
}

test('never above the limit, first in first out, and no answer is lost', async () => {
  const run = await start();
  const results = await load(client(run), spaced(500, 5.5, { work: exponential(20) }));
  const tie = { sent: 20, arrived: 30 };
  const verdict = judge({ results, requests: await run.pods.requests(), limit: 1, slots: 4, tie });
  expect(verdict.outcomes).toEqual({ 200: 500 });
  expect(verdict.strict.peak).toBe(1);
  expect(verdict.order.overtaken).toBe(0);
  // How long each waited stands in its answer.
  for (const { headers } of results) expect(headers['server-timing']).toMatch(/^queue;dur=\d+\.\d$/);
  await until(() => counts(run)['answered'] === 500, { what: 'all to be reported' });
  const report = run.side.reports.get('work');
  const total = (report?.work?.buckets ?? []).reduce<number>((sum, bucket) => sum + Number(bucket), 0);
  expect([counts(run)['arrived'], counts(run)['started'], total]).toEqual([500, 500, 500]);
});

test('pods with several slots: each has its share, none too much', async () => {
  const run = await start({ pods: { count: 3 }, limit: 3 });
  const results = await load(client(run), burst(150, { each: { workMs: 30 } }));
  const requests = await run.pods.requests();
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(3);
  const shares = Object.values(Object.groupBy(requests, ({ pod }) => pod)).map((list) => list?.length ?? 0);
  expect(Math.min(...shares)).toBeGreaterThan(40);
});

test('clients that give up: the limit holds, and no slot is lost', async () => {
  const settings = { ...SETTINGS, abortHoldMs: 20 };
  const run = await start({ limit: 2, settings });
  const plan = poisson(1500, 600, { work: exponential(40), seed: 5 });
  const leaving = plan.map((planned, index) =>
    index % 2 === 0 ? { ...planned, abortAfter: 5 + (index % 30) } : planned,
  );
  const results = await load(client(run), leaving);
  const { strict, outcomes } = judge({ results, requests: await run.pods.requests(), limit: 2, slots: 8 });
  expect(strict.unexcused).toBe(0);
  expect(strict.peak).toBeLessThanOrEqual(2);
  expect(outcomes['aborted']).toBeGreaterThan(300);
  await until(() => run.side.reports.get('work')?.inUse === 0 && run.side.reports.get('work')?.waiting === 0, {
    what: 'all slots to be back',
  });
  const { started: began = 0, answered = 0, abandonedWorking = 0, abandonedWaiting = 0, arrived = 0 } = counts(run);
  expect(began).toBe(answered + abandonedWorking);
  expect(arrived).toBe(began + abandonedWaiting);
});

test('a pod that refuses connections gets nothing, and no client sees it', async () => {
  const run = await start();
  const [, dead = ''] = run.pods.addresses;
  await run.pods.setMode(dead, { kind: 'dead' });
  const results = await load(client(run), poisson(300, 100, { seed: 3 }));
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(1);
  const [first] = run.side.events;
  expect(first).toMatchObject({ service: 'work', address: dead, kind: 0, reason: 1 });
  // The requests that met it are counted where they went instead.
  await until(() => counts(run)['answered'] === 300, { what: 'all to be reported' });
  expect(counts(run)['retried']).toBe(counts(run)['ejections']);
  // It is tried again with one request, and gets all when that one succeeds.
  await run.pods.setMode(dead, { kind: 'normal' });
  await until(() => run.side.pods.get(dead)?.state === 4, { what: 'the pod to be tried', within: 30_000 });
  await load(client(run), burst(12));
  await until(() => run.side.pods.get(dead)?.state === 0, { what: 'the pod to be ready' });
});

test('a further try at a pod that Sluice has not told of, or not any more, waits for that, and is told when it does not come', async () => {
  const settings = { ...SETTINGS, ejection: { consecutiveGateway: 3, baseMs: 50, maxMs: 50 } };
  const envoy = { control: { unknownWaitMs: 300 } };
  const run = await start({ pods: { count: 2 }, settings, untold: true, envoy });
  const [dead = '', other = ''] = run.pods.addresses;
  await run.pods.setMode(dead, { kind: 'dead' });
  run.side.set({ name: 'work', settings, pods: [{ address: dead, limit: 1 }] });
  const own = client(run);
  const early = startLoad(own, burst(1));
  await pause(300);
  expect(await run.pods.requests()).toEqual([]);
  run.side.send({ podsDelta: { name: 'work', set: [{ address: other, limit: 1 }] } });
  expect((await early.results).map(({ status }) => status)).toEqual([200]);

  run.side.send({ podsDelta: { name: 'work', remove: [other] } });
  await until(() => run.side.events.some(({ address, kind }) => address === other && kind === 2), {
    what: 'the pod to be forgotten',
  });
  const [late] = await load(own, burst(1, { name: 'late' }));
  expect([late?.status, late?.body]).toEqual([503, expect.stringContaining('the next one is not for this service')]);
  expect((late?.ended ?? 0) - (late?.sent ?? 0)).toBeGreaterThan(599);
  expect((await run.pods.requests()).map(({ pod }) => pod)).toEqual([other]);
});

test('who is tried again takes no connection from one that has the slot for it', async () => {
  const settings = { ...SETTINGS, ejection: { consecutiveGateway: 3, baseMs: 5, maxMs: 5 } };
  const run = await start({ pods: { count: 3 }, settings });
  const [dead = '', ...others] = run.pods.addresses;
  await run.pods.setMode(dead, { kind: 'dead' });
  const results = await load(client(run), spaced(1000, 4, { work: exponential(6) }));
  expect(results.filter(({ status }) => status === 200)).toHaveLength(1000);
  expect(await run.pods.peak()).toBe(1);
  const visits = [...(await run.pods.requests())].sort((a, b) => a.arrived - b.arrived);
  for (const pod of others) {
    const own = visits.filter((visit) => visit.pod === pod);
    const rests = own.slice(1).map(({ arrived }, before) => arrived - (own[before]?.ended ?? 0));
    // A connection that nobody uses is closed by its pod after 5 s.
    expect(Math.max(...rests), pod).toBeLessThan(2000);
  }
});

test('all pods refuse connections, then one comes back: nobody fails', async () => {
  const run = await start({ pods: { count: 2 } });
  for (const address of run.pods.addresses) await run.pods.setMode(address, { kind: 'dead' });
  const running = startLoad(client(run), burst(6));
  await pause(700);
  expect(running.ended).toHaveLength(0);
  await run.pods.setMode(run.pods.addresses[0] ?? '', { kind: 'normal' });
  const results = await running.results;
  expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
  expect(await run.pods.peak()).toBe(1);
});

test('a pod that answers 503 is ejected after three', async () => {
  const run = await start();
  const [bad = ''] = run.pods.addresses;
  await run.pods.setMode(bad, { kind: 'status', status: 503 });
  const results = await load(client(run), poisson(150, 100, { seed: 7 }));
  expect(results.filter(({ status }) => status === 503)).toHaveLength(3);
  expect(run.side.events[0]).toMatchObject({ address: bad, kind: 0, reason: 2 });
  expect(Number(run.side.events[0]?.forMs)).toBe(2000);
});

test('a pod whose answers cannot be read, and one that refuses streams, are not ejected', async () => {
  const garbled = await start({ pods: { count: 2 } });
  await garbled.pods.setMode(garbled.pods.addresses[0] ?? '', { kind: 'garbage' });
  const results = await load(client(garbled), spaced(40, 10));
  expect(results.filter(({ status }) => status === 502).length).toBeGreaterThan(10);
  expect(garbled.side.events).toEqual([]);

  let streams = 0;
  const refusing = createHttp2Server();
  refusing.on('stream', (stream) => {
    stream.on('error', () => {});
    streams += 1;
    if (streams <= 2) {
      stream.close(7); // REFUSED_STREAM
      return;
    }
    stream.respond({ ':status': 200 });
    stream.end('late');
  });
  const address = await listen(refusing);
  const run = await start({ service: { pods: [address], h2c: true }, pods: { count: 1 } });
  const [result] = await load(client(run), burst(1));
  expect([result?.status, result?.body, streams]).toEqual([200, 'late', 3]);
  expect(run.side.events).toEqual([]);
});

test('the queue is full: 429 that says when to come again; gRPC gets its status', async () => {
  const settings = { ...SETTINGS, queueMax: 3 };
  const run = await start({ pods: { count: 1 }, settings });
  const own = client(run);
  const held = startLoad(own, burst(4, { each: { workMs: 400 } }));
  await until(async () => run.side.reports.get('work')?.waiting === 3, { what: 'three to wait' });
  const refused = await own.send({ id: 'more', at: 0 });
  expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
  expect(refused.body).toBe('The queue of this service is full. Try again in 1 s.\n');
  const call = await client(run, grpcClient).send({ id: 'call', at: 0 });
  expect([call.grpcStatus, call.error]).toEqual([8, expect.stringContaining('queue of this service is full')]);
  expect((await held.results).every(({ status }) => status === 200)).toBe(true);
});

test('queue.timeout is over when it is over, also without a pod; gRPC gets UNAVAILABLE', async () => {
  const settings = { ...SETTINGS, queueTimeoutMs: 300 };
  const run = await start({ pods: { count: 1 }, settings, untold: true });
  run.side.set({ name: 'work', settings, pods: [] });
  const results = await load(client(run), spaced(20, 7));
  for (const { status, sent, ended } of results) {
    expect(status).toBe(503);
    expect(ended - sent).toBeGreaterThan(299);
    expect(ended - sent).toBeLessThan(450);
  }
  const waits = results.map(({ sent, ended }) => ended - sent).sort((a, b) => a - b);
  // Those that no busy machine delayed.
  expect(waits[3]).toBeLessThan(320);
  expect(results[0]?.body).toBe('No pod became free in the time that a request may wait.\n');
  const call = await client(run, grpcClient).send({ id: 'call', at: 0 });
  expect(call.grpcStatus).toBe(14);
  expect(await run.pods.peak()).toBe(0);
});

test('a service that Sluice has not sent yet waits for it, and is told when it does not come', async () => {
  const run = await start({ pods: { count: 1 }, untold: true, envoy: { control: { unknownWaitMs: 600 } } });
  const own = client(run);
  const sent = instant();
  const [late] = await load(own, burst(1));
  expect([late?.status, late?.body]).toEqual([503, expect.stringContaining('Sluice has not sent them')]);
  expect(instant() - sent).toBeGreaterThan(599);
  const running = startLoad(own, burst(3));
  await pause(100);
  run.side.set({ name: 'work', settings: SETTINGS, pods: [{ address: run.pods.addresses[0] ?? '', limit: 1 }] });
  expect((await running.results).map(({ status }) => status)).toEqual([200, 200, 200]);
});

test('pods come and go: those that wait go to the new one, one that goes ends what it has', async () => {
  const run = await start({ pods: { count: 2 } });
  const [first = '', second = ''] = run.pods.addresses;
  run.side.send({ podsDelta: { name: 'work', remove: [second] } });
  await until(() => run.side.events.some(({ address, kind }) => address === second && kind === 2), {
    what: 'the idle pod to be forgotten',
  });
  const running = startLoad(client(run), burst(3, { each: { workMs: 500 } }));
  await until(async () => (await run.pods.held()) === 1, { what: 'the first request' });
  run.side.send({ podsDelta: { name: 'work', set: [{ address: second, limit: 1 }], remove: [first] } });
  await until(async () => (await run.pods.held()) === 2, { what: 'the second pod to have one' });
  expect(run.side.events.filter(({ address, kind }) => address === first && kind === 2)).toEqual([]);
  await running.results;
  await until(() => run.side.events.some(({ address, kind }) => address === first && kind === 2), {
    what: 'the pod to be forgotten',
  });
  const requests = await run.pods.requests();
  expect(requests.map(({ pod }) => pod)).toEqual([first, second, second]);
});

test('a pod whose health check fails gets nothing until it is well', async () => {
  const run = await start({ pods: { count: 2 } });
  const [ill = '', well = ''] = run.pods.addresses;
  run.side.send({ podsDelta: { name: 'work', set: [{ address: ill, limit: 1, unhealthy: true }] } });
  await until(() => run.side.pods.get(ill)?.state === 3, { what: 'the pod to be unhealthy' });
  await load(client(run), burst(4));
  expect((await run.pods.requests()).every(({ pod }) => pod === well)).toBe(true);
  run.side.send({ podsDelta: { name: 'work', set: [{ address: ill, limit: 1 }] } });
  await until(() => run.side.pods.get(ill)?.state === 0, { what: 'the pod to be well' });
  await load(client(run), burst(4, { name: 's' }));
  expect((await run.pods.requests()).some(({ pod }) => pod === ill)).toBe(true);
});

test('Sluice is killed: requests go on, and the next one is told what there is', async () => {
  const run = await start({ pods: { count: 2 } });
  const running = startLoad(client(run), spaced(300, 10, { work: exponential(15) }));
  await pause(700);
  const { port } = run.side;
  run.side.stop();
  await pause(700);
  const held = startLoad(client(run), burst(1, { name: 'held', each: { workMs: 3000 } }));
  await run.side.start(port);
  await until(() => run.side.streams === 2, { what: 'the filter to come back', within: 5000 });
  await until(() => run.side.hellos.length === 2, { what: 'its hello' });
  expect(run.side.hellos[1]?.epoch).toEqual(run.side.hellos[0]?.epoch);
  expect(run.side.hellos[1]?.stream).toBeGreaterThan(1);
  const member = run.side.messages.findLast(({ memberService }) => memberService)?.memberService;
  expect(member).toMatchObject({ name: 'work', known: true });
  expect(member?.pods?.map(({ address }) => address).sort()).toEqual([...run.pods.addresses].sort());
  const results = [...(await running.results), ...(await held.results)];
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(1);
});

test('Sluice is frozen: noticed in about a second', async () => {
  const run = await start({ pods: { count: 1 } });
  const before = instant();
  run.side.freeze();
  await until(() => run.side.streams === 2, { what: 'another stream', within: 5000 });
  expect(instant() - before).toBeLessThan(2500);
});

test('two services do not disturb each other', async () => {
  const run = await start({
    pods: { count: 2 },
    others: ['other'],
  });
  const [first = '', second = ''] = run.pods.addresses;
  run.side.set({ name: 'work', settings: SETTINGS, pods: [{ address: first, limit: 1 }] });
  run.side.set({ name: 'other', settings: SETTINGS, pods: [{ address: second, limit: 1 }] });
  await until(() => run.side.acked >= 5, { what: 'both to be known' });
  const held = startLoad(client(run), burst(4, { each: { workMs: 600 } }));
  await pause(50);
  const results = await load(client(run), spaced(10, 30, { name: 'o', each: { path: '/other', workMs: 5 } }));
  expect(Math.max(...results.map(({ sent, ended }) => ended - sent))).toBeLessThan(400);
  const requests = await run.pods.requests();
  expect(requests.filter(({ path }) => path === '/other').every(({ pod }) => pod === second)).toBe(true);
  await held.results;
});

test.each(['h2c', 'grpc'] as const)('HTTP/2 to the pods and from the clients: %s', async (protocol) => {
  const run = await start({ pods: { count: 2, protocol }, limit: 3, service: { h2c: true } });
  const own = protocol === 'grpc' ? client(run, grpcClient) : client(run, h2Client);
  const results = await load(own, burst(60, { each: { workMs: 20 } }));
  expect(results.every(({ status, grpcStatus }) => status === 200 && (grpcStatus ?? 0) === 0)).toBe(true);
  expect(await run.pods.peak()).toBe(3);
  await until(() => counts(run)['answered'] === 60, { what: 'all to be reported' });
});

test('a gRPC service that is UNAVAILABLE three times is ejected', async () => {
  const run = await start({ pods: { count: 2, protocol: 'grpc' }, service: { h2c: true } });
  const [bad = ''] = run.pods.addresses;
  await run.pods.setMode(bad, { kind: 'status', status: 503 });
  const results = await load(client(run, grpcClient), spaced(20, 20));
  expect(results.filter(({ grpcStatus }) => grpcStatus === 14)).toHaveLength(3);
  expect(run.side.events[0]).toMatchObject({ address: bad, reason: 2 });
});

test('a WebSocket holds its slot until it ends, whoever ends it', async () => {
  const run = await start({ pods: { count: 1 } });
  const upgrade = (id: string) => {
    const socket = connect(run.port, '127.0.0.1');
    socket.write(
      `GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-request-id: ${id}\r\nx-work-ms: 1\r\n\r\n`,
    );
    return socket;
  };
  const first = upgrade('a');
  const [head] = (await once(first, 'data')) as [Buffer];
  expect(head.toString()).toContain('101 Switching Protocols');
  const next = startLoad(client(run), burst(1));
  await pause(200);
  expect(next.open).toBe(1);
  first.destroy();
  expect((await next.results)[0]?.status).toBe(200);
  // The pod ends it.
  const second = upgrade('b');
  await once(second, 'data');
  const last = startLoad(client(run), burst(1, { name: 's' }));
  await pause(100);
  second.end();
  expect((await last.results)[0]?.status).toBe(200);
  expect(await run.pods.peak()).toBe(1);
});

test('Expect: 100-continue is answered when the slot is there', async () => {
  const run = await start({ pods: { count: 1 } });
  const held = startLoad(client(run), burst(1, { each: { workMs: 500 } }));
  await until(async () => (await run.pods.held()) === 1, { what: 'the pod to be busy' });
  const sent = instant();
  const socket = connect(run.port, '127.0.0.1');
  started.push({ stop: () => socket.destroy() });
  socket.write('POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n');
  const [head] = (await once(socket, 'data')) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1.1 100 Continue/);
  expect(instant() - sent).toBeGreaterThan(350);
  socket.write('body');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 200 OK/);
  await held.results;
});

test('an answer with trailers, one that is broken off, one to half of a request: each ends its slot once', async () => {
  const answers = [
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbroken off',
    'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
  ];
  let next = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {
      const answer = answers[next++ % answers.length] ?? '';
      socket.write(answer);
      if (answer.includes('broken off')) setTimeout(() => socket.destroy(), 20);
    });
  });
  const run = await start({ pods: { count: 1 }, service: { pods: [await listen(server)] } });
  const results = await load(client(run), spaced(25, 5, { each: { abortAfter: 10_000 } }));
  const statuses = results.map(({ outcome, status }) => (outcome === 'answered' ? status : outcome)).sort();
  expect(statuses).toEqual([...fives(200), ...fives(200), ...fives(204), ...fives(413), ...fives('failed')].sort());
  await until(() => counts(run)['arrived'] === 25 && run.side.reports.get('work')?.inUse === 0, { what: 'the slot' });
  expect(counts(run)).toMatchObject({ started: 25, answered: 20, failed: 5 });
});

function fives<T>(value: T): T[] {
  return [value, value, value, value, value];
}

test('thousands that fail at once do not end the VM', async () => {
  // The filter has pods that the cluster lacks: Envoy answers at once, and the next one goes within that.
  const retry = { retry_on: 'connect-failure', num_retries: 0 };
  const run = await start({ pods: { count: 1 }, untold: true, service: { pods: [] }, envoy: { retry } });
  run.side.set({ name: 'work', settings: SETTINGS, pods: [] });
  const running = startLoad(client(run), burst(1500));
  await until(() => run.side.reports.get('work')?.waiting === 1500, { what: 'all to wait' });
  run.side.set({ name: 'work', settings: SETTINGS, pods: [{ address: '127.0.0.1:9', limit: 700 }] });
  const results = await running.results;
  expect(results.every(({ status }) => status === 503)).toBe(true);
  await until(() => counts(run)['failed'] === 1500, { what: 'all to be counted' });
  // One VM: a busy machine may cost a stream, but only a trap makes another VM.
  expect(new Set(run.side.hellos.map(({ epoch }) => String(epoch))).size).toBe(1);
});

test('more requests than the filter has places for are told so', async () => {
  const run = await start({ pods: { count: 1 }, envoy: { control: { requestsMax: 5 } } });
  const running = startLoad(client(run), burst(12, { each: { workMs: 200 } }));
  const results = await running.results;
  const refused = results.filter(({ status }) => status === 503);
  expect(refused).toHaveLength(7);
  expect(refused[0]?.body).toBe('Envoy has more requests than it has memory for.\n');
  expect(counts(run)['unserved']).toBe(7);
});

test('who waits can be listed, and one can be cancelled', async () => {
  const run = await start({ pods: { count: 1 } });
  const own = client(run);
  const held = startLoad(own, burst(1, { each: { workMs: 700 } }));
  await until(async () => (await run.pods.held()) === 1, { what: 'the pod to be busy' });
  const waiting = startLoad(own, spaced(3, 20, { name: 'w', each: { path: '/some/where?secret=1', workMs: 1 } }));
  await until(() => run.side.reports.get('work')?.waiting === 3, { what: 'three to wait' });
  run.side.send({ listWaiting: { query: 7, service: 'work', most: 2 } });
  await until(() => run.side.waitingLists.length === 1, { what: 'the list' });
  const [list] = run.side.waitingLists;
  expect(list).toMatchObject({ query: 7, waiting: 3 });
  expect(list?.requests).toHaveLength(2);
  expect(list?.requests?.[0]).toMatchObject({ method: 'GET', path: '/some/where' });
  expect(list?.requests?.[0]?.client).toMatch(/^127\.0\.0\.1:\d+$/);
  run.side.send({ cancelRequest: { service: 'work', id: list?.requests?.[0]?.id ?? 0 } });
  const results = await waiting.results;
  expect(results.map(({ status }) => status)).toEqual([503, 200, 200]);
  expect(results[0]?.body).toBe('The request was cancelled while it waited.\n');
  await held.results;
});

test("Envoy's own statistics tell the queue", async () => {
  const run = await start({ pods: { count: 1 } });
  const running = startLoad(client(run), burst(4, { each: { workMs: 600 } }));
  const stats = async () => {
    const { host, port } = run.envoy.address;
    return (await fetch(`http://${host}:${port}/stats?filter=sluice_queue`)).text();
  };
  await until(async () => (await stats()).includes('sluice_queue_waiting.work: 3'), { what: 'three to wait' });
  expect(await stats()).toContain('wasmcustom.sluice_queue_in_use.work: 1');
  await running.results;
  await until(async () => (await stats()).includes('sluice_queue_answered.work: 4'), { what: 'four answers' });
  expect(await stats()).toContain('sluice_queue_waiting.work: 0');
});

test('the VM traps: it is back at once, the limit holds, and those that waited are told', async () => {
  const run = await start({ pods: { count: 2 }, envoy: { control: { allowTrap: true } } });
  const own = client(run);
  const before = startLoad(own, burst(6, { each: { workMs: 1500 } }));
  await until(async () => (await run.pods.held()) === 2, { what: 'the pods to be busy' });
  const trapped = await own.send({ id: 'trap', at: 0, headers: { 'sluice-test-trap': '1' } });
  const since = instant();
  expect(trapped.status).toBe(503);
  // The next request starts the VM anew, and the guard ends at once what the one before had.
  const results = await load(own, burst(20, { name: 'after', each: { workMs: 5 } }));
  expect(results.map(({ status }) => status)).toEqual(results.map(() => 200));
  expect(Math.max(...results.map(({ ended }) => ended)) - since).toBeLessThan(1200);
  expect(run.side.hellos).toHaveLength(2);
  expect(run.side.hellos[1]?.epoch).not.toEqual(run.side.hellos[0]?.epoch);
  const old = await before.results;
  expect(old.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503, 503]);
  expect(Math.max(...old.map(({ ended }) => ended)) - since).toBeLessThan(1200);
  // What the old VM had counted is gone; Envoy's connections hold the limit.
  expect(await run.pods.peak()).toBe(1);
});

test('the VM traps once more: what it used when it was last one of two counts no more', async () => {
  const run = await start({ pods: { count: 2 }, envoy: { control: { allowTrap: true } } });
  const own = client(run);
  const trap = () => own.send({ id: 'trap', at: 0, headers: { 'sluice-test-trap': '1' } });
  const answered = () =>
    until(async () => (await own.send({ id: 'try', at: 0, workMs: 1 })).status === 200, { what: 'an answer' });
  await trap();
  await answered();
  // The one that is left has both slots in use, and some wait.
  await load(own, burst(6, { name: 'busy', each: { workMs: 1500 } }));
  await trap();
  const since = instant();
  await answered();
  await run.pods.forget();
  const results = await load(own, burst(4, { name: 'after', each: { workMs: 400 } }));
  expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(new Set((await run.pods.requests()).map(({ pod }) => pod)).size).toBe(2);
  expect(Math.max(...results.map(({ ended }) => ended)) - since).toBeLessThan(3000);
});

test('the VM traps: the guard takes the one that follows it for alive', async () => {
  const run = await start({ pods: { count: 2 }, envoy: { control: { allowTrap: true } } });
  const own = client(run);
  await own.send({ id: 'trap', at: 0, headers: { 'sluice-test-trap': '1' } });
  await until(async () => (await own.send({ id: 'try', at: 0, workMs: 1 })).status === 200, { what: 'an answer' });
  // A VM that stands still for 2.5 s counts as dead, and so much later all that it has is answered.
  const results = await load(own, spaced(80, 100, { name: 'after', each: { workMs: 150 } }));
  expect(results.filter(({ status }) => status !== 200).map(({ id, status }) => `${id}: ${status}`)).toEqual([]);
});

test('a pod that Envoy does not have yet: the one that it takes instead keeps its limit', async () => {
  const run = await start({
    pods: { count: 1, protocol: 'h2c' },
    service: { h2c: true, connections: 2 },
    untold: true,
  });
  const [there = ''] = run.pods.addresses;
  const pods = [there, '127.0.0.1:9'].map((address) => ({ address, limit: 1 }));
  run.side.set({ name: 'work', settings: SETTINGS, pods });
  const results = await load(client(run), burst(8, { each: { workMs: 100 } }));
  expect(results.map(({ status }) => status)).toEqual(results.map(() => 200));
  expect(await run.pods.peak()).toBe(1);
});

test('the VM traps and nobody comes: those that waited are told all the same', async () => {
  const run = await start({ pods: { count: 1 }, envoy: { control: { allowTrap: true } } });
  const own = client(run);
  const before = startLoad(own, burst(80, { each: { workMs: 60_000 } }));
  await until(() => run.side.reports.get('work')?.waiting === 79, { what: '79 to wait' });
  await own.send({ id: 'trap', at: 0, headers: { 'sluice-test-trap': '1' } });
  const since = instant();
  const old = await before.results;
  expect(old.every(({ status }) => status === 503)).toBe(true);
  expect(Math.max(...old.map(({ ended }) => ended)) - since).toBeLessThan(5000);
});

test('new settings of the plugins: nothing is lost, and the stream stays', async () => {
  const run = await start({ dynamic: true, pods: { count: 2 } });
  const running = startLoad(client(run), spaced(200, 12, { work: exponential(15) }));
  for (let i = 0; i < 8; i++) {
    await pause(250);
    await run.set({}, ['queue', 'try']);
  }
  expect((await running.results).every(({ status }) => status === 200)).toBe(true);
  expect(run.side.streams).toBe(1);
  expect(await run.pods.peak()).toBe(1);
});

test('new code: a VM beside the old one; each ends what it has, and the limit holds', async () => {
  const run = await start({ dynamic: true, pods: { count: 2 } });
  const own = client(run);
  const working = startLoad(own, burst(2, { name: 'old', each: { workMs: 2500 } }));
  await until(async () => (await run.pods.held()) === 2, { what: 'the pods to be busy' });
  const waiting = startLoad(own, burst(3, { name: 'waiting', each: { workMs: 10 } }));
  // The same code with another hash: a section that nobody reads.
  const code = join(tmpdir(), `sluice-queue-${process.pid}.wasm`);
  started.push({ stop: () => rm(code) });
  await writeFile(code, Buffer.concat([await readFile(CODE), Buffer.from([0, 5, 4, 116, 101, 115, 116])]));
  await run.set({ code });
  await until(() => run.side.hellos.some(({ epoch }) => String(epoch) !== String(run.side.hellos[0]?.epoch)), {
    what: 'the new VM to say hello',
  });
  const more = startLoad(own, burst(4, { name: 'new', each: { workMs: 10 } }));
  const results = [...(await working.results), ...(await waiting.results), ...(await more.results)];
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(1);
});
