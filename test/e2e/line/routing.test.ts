import { expect, test } from 'vitest';
import type { LoadResult } from '../kit/load.ts';
import { load } from '../kit/load.ts';
import { type Keys, type Line, startLine } from './line.ts';

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

async function ask(line: Line, asks: readonly Ask[]): Promise<readonly LoadResult[]> {
  const plan = asks.map(({ path, host, post, workMs = 1, headers }, index) => ({
    id: `${path} ${index}`,
    at: 0,
    workMs,
    path,
    headers: { 'x-echo': '1', ...(host && { host }), ...headers },
    ...(post && { body: Buffer.from('{}') }),
  }));
  return load(line.http1(), plan);
}

function seen({ status, body }: LoadResult): Seen {
  expect(status).toBe(200);
  return JSON.parse(body);
}

const to = (match: Keys, more: Keys = {}): Keys => ({ match, service: 'codec', ...more });

test('paths, hosts, methods and headers lead where the file says', async () => {
  const line = await startLine({
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
  const results = await ask(line, good);
  expect(results.map((result) => seen(result).url)).toEqual(good.map(({ path }) => path));

  const nowhere = await ask(line, [
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
  const line = await startLine({
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
    line,
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
  const line = await startLine({
    pods: 1,
    service: { queue: { timeout: '10s', full_status: 503 }, timeout: { request: '20s' } },
    routes: [{ match: { prefix: '/' }, service: 'codec', timeout: { request: '10s' } }],
  });
  const headers = {
    'x-sluice-kick': '1', // would be answered 204 without a pod
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
  const [result = expect.fail()] = await ask(line, [{ path: '/x', workMs: 50, headers }]);
  const own = Object.entries(seen(result).headers).filter(([name]) => /^x-(sluice|envoy)/.test(name));
  // Who the client is: from Envoy, not from the client.
  expect(own).toEqual([['x-envoy-external-address', '127.0.0.1']]);
  expect(Object.keys(result.headers).filter((name) => /^x-(sluice|envoy)/.test(name))).toEqual([]);
  expect(result.headers['server-timing']).toMatch(/^queue;dur=\d+$/);
});
