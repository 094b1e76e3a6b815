import { readFile, rename, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Collector } from '../kit/collector.ts';
import { until } from '../kit/instant.ts';
import { Pods } from '../kit/pods.ts';
import { Sluice } from '../kit/sluice.ts';

/** A line of the access log as JSON. */
type Line = Readonly<Record<string, unknown>>;

/** A log file of its own, which goes with the test that runs now. */
function logFile(): string {
  const path = join(tmpdir(), `sluice-access-${process.pid}-${Math.random().toString(36).slice(2)}.log`);
  onTestFinished(() => rm(path, { force: true }));
  return path;
}

function routeFile(pods: readonly string[], accessLog: object | undefined, keys: object = {}) {
  return {
    access_log: accessLog,
    services: {
      codec: { static: pods, limit: 1, queue: { max: 2 }, ...keys },
    },
    routes: [
      { match: { prefix: '/codec' }, service: 'codec' },
      { match: { prefix: '/old' }, redirect: { prefix: '/new' } },
    ],
  };
}

async function start(accessLog: object | undefined, keys: object = {}): Promise<{ sluice: Sluice; pods: Pods }> {
  const pods = await Pods.start({ count: 1, workMs: 300 });
  onTestFinished(() => pods.stop());
  const sluice = await Sluice.start({ routes: routeFile(pods.addresses, accessLog, keys) });
  onTestFinished(async () => {
    await sluice.stop();
  });
  return { sluice, pods };
}

interface Sent {
  readonly status: number;
  readonly requestId: string | undefined;
}

/** Sends a request; with `leave` the client goes away. Status 0: there was no whole answer. */
function send(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  leave: AbortSignal | undefined = undefined,
): Promise<Sent> {
  return new Promise((resolve) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      headers,
      agent: false,
      method: 'POST',
      ...(leave && { signal: leave }),
    });
    sent.on('error', () => resolve({ status: 0, requestId: undefined }));
    sent.on('response', (response) => {
      const id = response.headers['x-request-id'];
      const requestId = typeof id === 'string' ? id : undefined;
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, requestId }));
      response.on('error', () => resolve({ status: 0, requestId }));
    });
    sent.end('12345');
  });
}

/** The line of the request with this id: Envoy writes it within a second, not after its own 10. */
function lineOf(path: string, id: string): Promise<Line> {
  return until(async () => (await linesOf(path)).find((line) => line['request_id'] === id), {
    what: `a line of ${id}`,
    within: 6_000,
  }).catch(async (error: Error) => {
    throw new Error(`${error.message}; the log is\n${await readFile(path, 'utf8')}`);
  });
}

async function linesOf(path: string): Promise<readonly Line[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test('with classes a line says which one, and the place that its class gives it', async () => {
  const path = logFile();
  const queue = { priority: { header: 'x-priority', classes: ['high', 'low'], default: 'low' } };
  const { sluice, pods } = await start({ path }, { queue });
  const headers = (id: string, priority: string) => ({ 'x-request-id': id, 'x-priority': priority });
  const first = send(sluice.port, '/codec', { ...headers('first', 'low'), 'x-work-ms': '3000' });
  await until(async () => (await pods.held()) === 1, { what: 'the first at the pod' });
  const all = [first];
  for (const [index, [id, priority]] of (
    [
      ['low-1', 'low'],
      ['low-2', 'odd'],
      ['high-1', 'high'],
    ] as const
  ).entries()) {
    all.push(send(sluice.port, '/codec', headers(id, priority)));
    await queued(sluice, index + 1);
  }
  expect((await Promise.all(all)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  const told = async (id: string) => {
    const { class: own, place } = await lineOf(path, id);
    return [own, place];
  };
  expect(await told('first')).toEqual(['low', '0']);
  expect(await told('low-1')).toEqual(['low', '1']);
  expect(await told('low-2')).toEqual(['low', '2']);
  // Before the two that came before it.
  expect(await told('high-1')).toEqual(['high', '1']);
});

test('a line says what became of a request: its wait, its work, its place, and why it ended', async () => {
  const path = logFile();
  const { sluice, pods } = await start({ path });
  const { port } = sluice;
  const [pod] = pods.addresses;
  const id = (name: string) => ({ 'x-request-id': name });
  const first = send(port, '/codec?x=1', { ...id('first'), 'user-agent': 'a test', 'x-work-ms': '4000' });
  await until(async () => (await pods.held()) === 1, { what: 'the first at the pod' });
  const second = send(port, '/codec', id('second'));
  await queued(sluice, 1);
  const leaving = new AbortController();
  const third = send(port, '/codec', id('third'), leaving.signal);
  await queued(sluice, 2);
  expect(await send(port, '/codec', id('full'))).toEqual({ status: 429, requestId: 'full' });
  leaving.abort();
  expect(await first).toEqual({ status: 200, requestId: 'first' });
  expect((await second).status).toBe(200);
  expect((await third).status).toBe(0);
  const gone = await send(port, '/codec', { ...id('gone'), 'x-work-ms': '60000' }, AbortSignal.timeout(300));
  expect(gone.status).toBe(0);
  expect((await send(port, '/nowhere', id('nowhere'))).status).toBe(404);
  expect((await send(port, '/old', id('old'))).status).toBe(302);

  const one = await lineOf(path, 'first');
  expect(one).toMatchObject({
    client: '127.0.0.1',
    method: 'POST',
    host: `127.0.0.1:${port}`,
    path: '/codec?x=1',
    protocol: 'HTTP/1.1',
    status: 200,
    ended: 'answered',
    route: 'routes[0]',
    service: 'codec',
    pod,
    tries: 1,
    place: '0',
    bytes_in: 5,
    user_agent: 'a test',
  });
  expect(new Date(String(one['time'])).getTime()).toBeGreaterThan(Date.now() - 60_000);
  expect(Number(one['wait_ms'])).toBeLessThan(100);
  expect(Number(one['work_ms'])).toBeGreaterThan(3900);
  expect(one['bytes_out']).toBeGreaterThan(0);

  const two = await lineOf(path, 'second');
  expect(two).toMatchObject({ ended: 'answered', place: '1', pod });
  expect(Number(two['wait_ms'])).toBeGreaterThan(100);
  expect(Number(two['work_ms'])).toBeGreaterThan(250);
  expect(Number(two['wait_ms']) + Number(two['work_ms'])).toBeLessThan(Number(two['duration_ms']) + 50);

  const three = await lineOf(path, 'third');
  expect(three).toMatchObject({ ended: 'client gave up', place: '2', service: 'codec' });
  expect(Number(three['wait_ms'])).toBeGreaterThan(50);
  expect(three).not.toHaveProperty('work_ms');
  expect(three).not.toHaveProperty('pod');

  expect(await lineOf(path, 'full')).toMatchObject({ status: 429, ended: 'queue full', service: 'codec' });
  const left = await lineOf(path, 'gone');
  expect(left).toMatchObject({ ended: 'client gave up', pod, place: '0' });
  expect(Number(left['work_ms'])).toBeGreaterThan(200);
  expect(await lineOf(path, 'nowhere')).toMatchObject({ status: 404, ended: 'no route' });
  expect(await lineOf(path, 'old')).toMatchObject({ status: 302, ended: 'answered by Envoy', route: 'routes[1]' });
});

/** Waits until so many requests wait, as Sluice has heard. */
async function queued(sluice: Sluice, count: number): Promise<void> {
  const filter = 'sluice_queue_waiting';
  await until(async () => [...(await sluice.stats(filter)).values()].includes(count), {
    what: `${count} waiting`,
    every: 5,
  });
}

test('what pods do to requests is in the log too', async () => {
  const path = logFile();
  const { sluice, pods } = await start({ path }, { queue: { timeout: '200ms' }, timeout: { request: '700ms' } });
  const [pod = ''] = pods.addresses;
  const working = send(sluice.port, '/codec', { 'x-request-id': 'work', 'x-work-ms': '60000' });
  await until(async () => (await pods.held()) === 1, { what: 'the first at the pod' });
  const waited = await send(sluice.port, '/codec', { 'x-request-id': 'wait' });
  expect([waited.status, (await working).status]).toEqual([503, 504]);
  expect(await lineOf(path, 'wait')).toMatchObject({ ended: 'waited too long', place: '1' });
  const slow = await lineOf(path, 'work');
  expect(slow).toMatchObject({ ended: 'work timeout', pod });
  expect(Number(slow['work_ms'])).toBeGreaterThan(650);
  await pods.setMode(pod, { kind: 'half' });
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'half' })).status).toBe(0);
  expect(await lineOf(path, 'half')).toMatchObject({ status: 200, ended: 'pod failed', pod });
  await pods.setMode(pod, { kind: 'garbage' });
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'garbage' })).status).toBe(502);
  expect(await lineOf(path, 'garbage')).toMatchObject({ ended: 'unreadable answer', pod });
});

test('failed requests alone, with headers', async () => {
  const path = logFile();
  const { sluice, pods } = await start({ path, requests: 'failed', headers: ['x-tenant'] });
  const [pod = ''] = pods.addresses;
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'good' })).status).toBe(200);
  expect((await send(sluice.port, '/old', { 'x-request-id': 'elsewhere' })).status).toBe(302);
  await pods.setMode(pod, { kind: 'status', status: 500 });
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'bad', 'x-tenant': 'blue' })).status).toBe(500);
  expect((await send(sluice.port, '/nowhere', { 'x-request-id': 'lost' })).status).toBe(404);
  expect(await lineOf(path, 'lost')).toMatchObject({ ended: 'no route' });
  expect(await lineOf(path, 'bad')).toMatchObject({ status: 500, ended: 'answered', 'headers.x-tenant': 'blue' });
  expect(await linesOf(path)).toHaveLength(2);
});

test('what the filter answers itself is in the log as the client was told it, and only what failed as failed', async () => {
  const path = logFile();
  const { sluice, pods } = await start(
    { path, requests: 'failed' },
    { idempotency: { header: 'x-key' }, cost: { header: 'x-cost' }, queue: { max: 2, place: 'on' } },
  );
  const key = { 'x-key': 'one' };
  const first = send(sluice.port, '/codec', { ...key, 'x-request-id': 'first' });
  await until(async () => (await pods.held()) === 1, { what: 'the first at the pod' });
  const joined = send(sluice.port, '/codec', { ...key, 'x-request-id': 'joined' });
  const asked = await fetch(`http://127.0.0.1:${sluice.port}/.well-known/sluice/requests/first`);
  expect(asked.status).toBe(200);
  expect([(await first).status, (await joined).status]).toEqual([200, 200]);
  expect((await pods.requests()).length).toBe(1);
  expect((await send(sluice.port, '/codec', { 'x-cost': '7', 'x-request-id': 'costly' })).status).toBe(400);
  expect(await lineOf(path, 'costly')).toMatchObject({ status: 400, ended: 'too costly', service: 'codec' });
  expect(await linesOf(path)).toHaveLength(1);
});

test('a client that does not name its request gets a name for it, which is in the log', async () => {
  const path = logFile();
  const { sluice } = await start({ path });
  const { requestId = '' } = await send(sluice.port, '/codec');
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  expect(await lineOf(path, requestId)).toMatchObject({ status: 200 });
});

test('a log for people, in a file that can be moved away', async () => {
  const path = logFile();
  const { sluice, pods } = await start({ path, format: 'text' });
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'one' })).status).toBe(200);
  const firstLine = async () => /^(.*)\n/.exec(await readFile(path, 'utf8').catch(() => ''))?.[1];
  const line = await until(firstLine, {
    what: 'a line',
    within: 20_000,
  });
  expect(line).toMatch(
    new RegExp(
      `^\\d{4}-\\d\\d-\\d\\dT\\S+Z 127\\.0\\.0\\.1 200 "POST 127\\.0\\.0\\.1:${sluice.port}/codec HTTP/1\\.1" "answered" service=codec pod=${pods.addresses[0]} class=- place=0 wait=[\\d.]+ms work=[\\d.]+ms duration=\\d+ms in=5 out=\\d+ tries=1 route=routes\\[0\\] details=via_upstream id=one$`,
    ),
  );
  // Moved away and opened anew, as logrotate does it.
  const moved = `${path}.1`;
  onTestFinished(() => rm(moved, { force: true }));
  await rename(path, moved);
  const { host, port } = sluice.envoy.address;
  expect((await fetch(`http://${host}:${port}/reopen_logs`, { method: 'POST' })).status).toBe(200);
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'two' })).status).toBe(200);
  await until(async () => (await readFile(path, 'utf8').catch(() => '')).includes('id=two'), {
    what: 'the line in the new file',
    within: 20_000,
  });
  expect(await readFile(moved, 'utf8')).not.toContain('id=two');
});

test('a file that Envoy cannot open is a problem with its words, and what was active stays', async () => {
  const path = logFile();
  const { sluice, pods } = await start({ path });
  await sluice.edit(routeFile(pods.addresses, { path: '/nowhere/at/all.log' }));
  const look = async () => JSON.stringify((await sluice.status())['problems']);
  await until(async () => (await look()).includes("/nowhere/at/all.log': No such file"), { what: 'the problem' });
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'meanwhile' })).status).toBe(200);
  expect(await lineOf(path, 'meanwhile')).toMatchObject({ ended: 'answered' });
  await sluice.edit(routeFile(pods.addresses, undefined));
  await until(async () => (await look()) === '[]', { what: 'no problem any more' });
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'after' })).status).toBe(200);
  expect(await readFile(path, 'utf8')).not.toContain('"after"');
});

test('a log that begins while requests wait tells what it knows of them', async () => {
  const path = logFile();
  const { sluice, pods } = await start(undefined);
  const first = send(sluice.port, '/codec', { 'x-request-id': 'first', 'x-work-ms': '2000' });
  await until(async () => (await pods.held()) === 1, { what: 'the first at the pod' });
  const second = send(sluice.port, '/codec', { 'x-request-id': 'second' });
  await queued(sluice, 1);
  const since = await sluice.edit(routeFile(pods.addresses, { path }));
  await sluice.acked(since, 'Listener');
  expect([(await first).status, (await second).status]).toEqual([200, 200]);
  // Those two came to the listener as it was before.
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'third' })).status).toBe(200);
  expect(await lineOf(path, 'third')).toMatchObject({ ended: 'answered', place: '0' });
});

test('a collector gets each request as a log record', async () => {
  const collector = await Collector.start();
  const { sluice } = await start({ otlp: collector.address });
  expect((await send(sluice.port, '/codec', { 'x-request-id': 'one' })).status).toBe(200);
  const { attributes, body, resource } = await collector.log(
    'a record',
    (log) => log.attributes['request_id'] === 'one',
  );
  expect(body.stringValue).toBe(`POST 127.0.0.1:${sluice.port}/codec 200 answered`);
  expect(resource).toMatchObject({ 'service.name': 'sluice' });
  expect(attributes).toMatchObject({ ended: 'answered', service: 'codec', status: '200', place: '0' });
  expect(Number(attributes['work_ms'])).toBeGreaterThan(250);
});

test('a collector that is away, or has no address, is no trouble for requests', async () => {
  const { sluice } = await start({ otlp: 'no-such-collector.invalid:4317' });
  expect((await send(sluice.port, '/codec')).status).toBe(200);
});
