import { request } from 'node:http';
import { expect, test } from 'vitest';
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
