import { request } from 'node:http';
import { expect, test } from 'vitest';
import { http1Client } from '../e2e/kit/client-http1.ts';
import { until } from '../e2e/kit/instant.ts';
import { startLoad } from '../e2e/kit/load.ts';
import { spaced } from '../e2e/kit/load-plan.ts';
import { fixed } from '../e2e/kit/random.ts';
import { SETTINGS } from './kit/run.ts';
import { client as clientOf, start, stopAfterEach } from './kit/started.ts';

stopAfterEach();

/** Asks over a connection of its own, which goes to any of the workers. */
function ask(port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asking.on('error', reject);
    asking.end();
  });
}

test('several workers: each tells of the requests of all', async () => {
  const run = await start({ workers: 3, pods: { count: 1 }, settings: { ...SETTINGS, tellPlace: true } });
  const client = clientOf(run);
  const plan = spaced(6, 20, { work: fixed(600) }).map((planned) => ({
    ...planned,
    headers: { 'x-request-id': `id-${planned.id}` },
  }));
  const running = startLoad(client, plan);
  await until(() => running.open === 6, { what: 'all to be sent' });
  for (const { id } of plan.slice(1)) {
    for (let times = 0; times < 8; times++) {
      const { status, body } = await ask(run.port, `/.well-known/sluice/requests/id-${id}`);
      expect([status, JSON.parse(body).state]).toEqual([200, expect.stringMatching(/^(waiting|working)$/)]);
    }
  }
  expect((await ask(run.port, '/.well-known/sluice/requests/nobody')).status).toBe(404);
  expect((await running.results).every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(1);
});

test('several workers: of requests with one key one goes to a pod, wherever they come', async () => {
  const settings = { ...SETTINGS, idempotencyHeader: 'x-key', onDuplicate: 2 };
  const run = await start({ workers: 3, pods: { count: 4 }, settings });
  for (let round = 0; round < 3; round++) {
    const clients = Array.from({ length: 9 }, () => http1Client({ port: run.port }));
    const plan = spaced(1, 0, { name: `round${round}`, work: fixed(2000), each: { headers: { 'x-key': `${round}` } } });
    const results = await Promise.all(
      clients.map(async (client, index) => {
        const [planned] = plan;
        if (planned === undefined) throw new Error('one is planned');
        const result = await client.send({ ...planned, id: `${planned.id}.${index}` });
        client.close();
        return result;
      }),
    );
    // Those at the worker of the first one have joined it, the others are told.
    expect(results.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect(results.some(({ status }) => status === 200)).toBe(true);
    const atPods = (await run.pods.requests()).filter(({ id }) => id.startsWith(`round${round}`));
    expect(atPods).toHaveLength(1);
  }
});

test('several workers: a request with a key joins the queue with its body as well', async () => {
  const settings = { ...SETTINGS, idempotencyHeader: 'x-key', onDuplicate: 2, waitForBodyBytes: 65536 };
  const run = await start({ workers: 3, pods: { count: 1 }, settings });
  const post = (key: string) => {
    const sending = request({
      host: '127.0.0.1',
      port: run.port,
      method: 'POST',
      agent: false,
      headers: { 'x-key': key, 'x-work-ms': '20', 'content-length': '10' },
    });
    const status = new Promise<number>((resolve, reject) => {
      sending.on('error', reject);
      sending.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)));
    });
    return { sending, status };
  };
  for (let round = 0; round < 4; round++) {
    const slow = post(`slow-${round}`);
    slow.sending.write('12345');
    // Meanwhile others have the only slot, whatever worker they come to.
    for (let i = 0; i < 3; i++) {
      const quick = post(`quick-${round}-${i}`);
      quick.sending.end('1234567890');
      expect(await quick.status).toBe(200);
    }
    expect(await run.pods.held()).toBe(0);
    const twin = post(`slow-${round}`);
    twin.sending.end('1234567890');
    slow.sending.end('67890');
    expect(await slow.status).toBe(200);
    // Joined at the same worker, told of it at another.
    expect([200, 409]).toContain(await twin.status);
  }
  expect(await run.pods.peak()).toBe(1);
});
