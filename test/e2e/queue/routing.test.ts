import { expect, test } from 'vitest';
import type { LoadResult } from '../kit/load.ts';
import { load } from '../kit/load.ts';
import { type Keys, type Queue, startQueue } from './queue.ts';

interface Ask {
  readonly path: string;
  readonly host?: string;
  readonly post?: boolean;
  readonly workMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the pods see: the path, and all headers. */
interface Seen {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function ask(queue: Queue, asks: readonly Ask[]): Promise<readonly LoadResult[]> {
  const plan = asks.map(({ path, host, post, workMs = 1, headers }, index) => ({
    id: `${path} ${index}`,
    at: 0,
    workMs,
    path,
    headers: { 'x-echo': '1', ...(host && { host }), ...headers },
    ...(post && { body: Buffer.from('{}') }),
  }));
  return load(queue.http1(), plan);
}

function seen({ status, body }: LoadResult): Seen {
  expect(status).toBe(200);
  return JSON.parse(body);
}

const to = (match: Keys, more: Keys = {}): Keys => ({ match, service: 'codec', ...more });

test('paths, hosts, methods and headers lead where the file says', async () => {
  const queue = await startQueue({
    pods: 4,
    routes: [
      to({ path: '/exact' }),
      to({ prefix: '/v2' }),
      to({ prefix: '/v3/' }),
      to({ regex: '/item/[0-9]+' }),
      to({ path: '/hosted', hosts: ['infer.example', '*.infer.example'] }),
      to({ path: '/posted', methods: ['POST'] }),
      to({ path: '/headed', headers: { 'x-model': 'large', 'x-any': true } }),
    ],
  });
  const good: readonly Ask[] = [
    { path: '/exact' },
    { path: '/exact?a=1&b=%20' },
    { path: '/v2' },
    { path: '/v2/x' },
    { path: '/v3/' },
    { path: '/v3/x?y' },
    { path: '/item/42' },
    { path: '/hosted', host: 'infer.example' },
    { path: '/hosted', host: 'infer.example:8080' },
    { path: '/hosted', host: 'a.infer.example' },
    { path: '/posted', post: true },
    { path: '/headed', headers: { 'x-model': 'large', 'x-any': 'thing' } },
  ];
  const results = await ask(queue, good);
  expect(results.map((result) => seen(result).url)).toEqual(good.map(({ path }) => path));

  const nowhere = await ask(queue, [
    { path: '/' },
    { path: '/exact/' },
    { path: '/exactly' },
    { path: '/v20' },
    { path: '/v3' },
    { path: '/item/42/x' },
    { path: '/item/x' },
    { path: '/hosted' },
    { path: '/hosted', host: 'other.example' },
    { path: '/posted' },
    { path: '/headed', headers: { 'x-model': 'small', 'x-any': 'thing' } },
    { path: '/headed', headers: { 'x-model': 'large' } },
  ]);
  for (const { status, headers, body } of nowhere) {
    expect(status).toBe(404);
    expect(headers).toMatchObject({ 'content-type': 'application/json' });
    expect(JSON.parse(body)).toMatchObject({ error: 'no route', status: 404 });
  }
});

test('a rewrite changes what the pods see', async () => {
  const queue = await startQueue({
    pods: 4,
    routes: [
      to({ prefix: '/v1' }, { rewrite: { prefix: '/' } }),
      to({ prefix: '/v2/' }, { rewrite: { prefix: '/' } }),
      to({ prefix: '/v3' }, { rewrite: { prefix: '/api' } }),
      to({ path: '/health' }, { rewrite: { prefix: '/internal/ok' } }),
      to({ path: '/same' }),
    ],
  });
  const paths = ['/v1', '/v1/', '/v1/x?q=1', '/v2/', '/v2/x/y', '/v3', '/v3/x', '/health', '/health?q', '/same'];
  const results = await ask(
    queue,
    paths.map((path) => ({ path })),
  );
  expect(results.map((result) => seen(result).url)).toEqual([
    '/',
    '/',
    '/x?q=1',
    '/',
    '/x/y',
    '/api',
    '/api/x',
    '/internal/ok',
    '/internal/ok?q',
    '/same',
  ]);
});

test("Sluice's own headers mean nothing from a client, and reach no pod", async () => {
  const queue = await startQueue({
    pods: 1,
    service: { queue: { timeout: '10s', full_status: 503 }, timeout: { request: '20s' } },
    routes: [{ match: { prefix: '/' }, service: 'codec', timeout: { request: '10s' } }],
  });
  const headers = {
    'x-sluice-pod': '127.0.0.1:1', // would be another pod
    'x-sluice-arrived': '1', // would have waited since 1970
    'x-sluice-timeout': '1',
    'x-sluice-full-status': '599',
    'x-sluice-parked': '1',
    'x-sluice-draining': 'codec 127.0.1.1:1',
    'x-envoy-upstream-rq-timeout-ms': '1',
    'x-envoy-upstream-rq-per-try-timeout-ms': '1',
    'x-envoy-upstream-stream-duration-ms': '1',
    'x-envoy-external-address': '192.0.2.1',
  };
  const [result = expect.fail()] = await ask(queue, [{ path: '/x', workMs: 50, headers }]);
  const own = Object.entries(seen(result).headers).filter(([name]) => /^x-(sluice|envoy)/.test(name));
  // Who the client is: from Envoy, not from the client.
  expect(own).toEqual([['x-envoy-external-address', '127.0.0.1']]);
  expect(Object.keys(result.headers).filter((name) => /^x-(sluice|envoy)/.test(name))).toEqual([]);
  expect(result.headers['server-timing']).toMatch(/^queue;dur=\d+(\.\d)?$/);
});

test('query parameters lead where the file says, compared as they are sent', async () => {
  const queue = await startQueue({
    pods: 4,
    routes: [
      to({ path: '/q', query: { model: 'large' } }, { rewrite: { prefix: '/large' } }),
      to({ path: '/q', query: { name: 'a%20b', debug: true } }, { rewrite: { prefix: '/named' } }),
    ],
  });
  const good = [
    '/q?model=large',
    '/q?x=1&model=large&y',
    '/q?model=large&model=small',
    '/q?debug&name=a%20b',
    '/q?debug=0&name=a%20b',
  ];
  const results = await ask(
    queue,
    good.map((path) => ({ path })),
  );
  expect(results.map((result) => seen(result).url.split('?')[0])).toEqual([
    '/large',
    '/large',
    '/large',
    '/named',
    '/named',
  ]);
  const bad = [
    '/q',
    '/q?model=small',
    '/q?model=small&model=large',
    '/q?Model=large',
    '/q?model',
    '/q?name=a%20b',
    '/q?debug&name=a+b',
  ];
  const nowhere = await ask(
    queue,
    bad.map((path) => ({ path })),
  );
  expect(nowhere.map(({ status }) => status)).toEqual(bad.map(() => 404));
});

test('a redirect is answered at once, and keeps what the file does not name', async () => {
  const redirect = (match: Keys, where: Keys): Keys => ({ match, redirect: where });
  const queue = await startQueue({
    pods: 1,
    routes: [
      redirect({ path: '/secure' }, { scheme: 'https' }),
      redirect({ path: '/host' }, { host: 'new.example' }),
      redirect({ path: '/port' }, { scheme: 'https', port: 8443, status: 308 }),
      redirect({ path: '/whole' }, { path: '/elsewhere', status: 301 }),
      redirect({ prefix: '/v1/' }, { prefix: '/v2/', status: 307 }),
      redirect({ prefix: '/api' }, { host: 'api.example', prefix: '/', status: 303 }),
      redirect({ regex: '/r[0-9]+' }, { scheme: 'https', host: 'r.example', path: '/r' }),
      to({ path: '/pod' }),
    ],
  });
  const paths = ['/secure?a=1', '/host', '/port', '/whole?a=1', '/v1/x?b', '/api/x/y', '/api', '/r12'];
  const results = await ask(
    queue,
    paths.map((path) => ({ path, host: 'old.example:81' })),
  );
  expect(results.map(({ status, headers }) => `${status} ${headers['location']}`)).toEqual([
    '302 https://old.example:81/secure?a=1',
    '302 http://new.example/host',
    '308 https://old.example:8443/port',
    '301 http://old.example:81/elsewhere?a=1',
    '307 http://old.example:81/v2/x?b',
    '303 http://api.example/x/y',
    '303 http://api.example/',
    '302 https://r.example/r',
  ]);
  expect(await queue.pods.requests()).toEqual([]);
});

test('headers are set, added and removed, literally', async () => {
  const headers = {
    request: { set: { 'x-a': 'set', 'x-percent': '50% %START_TIME% %%' }, add: { 'x-b': 'added' }, remove: ['x-c'] },
    response: { set: { 'x-pod': 'hidden' }, add: { vary: 'x-a' }, remove: ['content-type'] },
  };
  const queue = await startQueue({
    pods: 1,
    routes: [
      to({ path: '/changed' }, { headers }),
      {
        match: { path: '/moved' },
        redirect: { path: '/' },
        headers: { response: { set: { 'cache-control': 'no-store' } } },
      },
      to({ prefix: '/' }),
    ],
  });
  const sent = { 'x-a': 'client', 'x-b': 'client', 'x-c': 'client' };
  const results = await ask(
    queue,
    ['/changed', '/same', '/moved'].map((path) => ({ path, headers: sent })),
  );
  const [changed = expect.fail(), same = expect.fail(), moved = expect.fail()] = results;
  expect(seen(changed).headers).toMatchObject({
    'x-a': 'set',
    'x-b': 'client, added',
    'x-percent': '50% %START_TIME% %%',
  });
  expect(seen(changed).headers).not.toHaveProperty('x-c');
  expect(changed.headers).toMatchObject({
    'x-pod': 'hidden',
    vary: 'x-a',
    'server-timing': expect.stringMatching(/^queue;dur=/),
  });
  expect(changed.headers).not.toHaveProperty('content-type');
  expect(seen(same).headers).toMatchObject(sent);
  expect(same.headers).toMatchObject({ 'content-type': 'application/json' });
  expect(moved).toMatchObject({ status: 302, headers: { 'cache-control': 'no-store' } });
});
