import { expect, test } from 'vitest';
import { until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, type Queue, startQueue } from './queue.ts';

interface Told {
  readonly state: string;
  readonly position: number;
  readonly waiting: number;
  readonly waited_ms: number;
  readonly waiting_since: string;
  readonly estimate: { readonly wait_ms: number; readonly soonest_ms: number; readonly latest_ms: number } | null;
}

/** What the filter says of a request. */
async function ask(queue: Queue, id: string, init: RequestInit = {}): Promise<{ status: number; told: Told }> {
  const url = `http://127.0.0.1:${queue.sluice.port}/.well-known/sluice/requests/${id}`;
  const response = await fetch(url, init);
  expect(response.headers.get('content-type')).toBe('application/json');
  // The form is what this test is about.
  return { status: response.status, told: (await response.json()) as Told };
}

test('clients are told their place, with the answer and when they ask', async () => {
  const queue = await startQueue({ pods: 1, service: { queue: { place: 'on', max: 6 } } });
  const client = queue.h2();
  const usual = await startLoad(client, spaced(5, 1, { name: 'usual', work: fixed(300) })).results;
  expect(usual.map(({ headers }) => headers['sluice-queue']).slice(0, 2)).toEqual(['position=0', 'position=1']);
  expect(usual[4]?.headers['sluice-queue']).toMatch(/^position=\d(, estimate=\d+)?$/);
  const plan = spaced(6, 20, { name: 'own', work: fixed(400) }).map((planned) => ({
    ...planned,
    headers: { 'x-request-id': `id-${planned.id}` },
  }));
  const running = startLoad(client, plan);
  await queue.untilWaiting(5);
  const asked = await Promise.all(plan.map(({ id }) => ask(queue, `id-${id}?any`)));
  expect(asked.map(({ status }) => status)).toEqual(plan.map(() => 200));
  expect(asked.map(({ told }) => told.state)).toEqual(['working', ...Array(5).fill('waiting')]);
  expect(asked.map(({ told }) => told.position)).toEqual([0, 1, 2, 3, 4, 5]);
  const last = asked[5]?.told;
  expect(last?.waiting).toBe(5);
  const { wait_ms = 0, soonest_ms = 0, latest_ms = 0 } = last?.estimate ?? {};
  // Five times some 300 ms.
  expect(wait_ms).toBeGreaterThan(1000);
  expect(wait_ms).toBeLessThan(1900);
  expect(soonest_ms).toBeLessThanOrEqual(wait_ms);
  expect(latest_ms).toBeGreaterThanOrEqual(wait_ms);
  expect(Math.abs(Date.parse(last?.waiting_since ?? '') + (last?.waited_ms ?? 0) - Date.now())).toBeLessThan(5000);
  expect((await ask(queue, 'nobody')).status).toBe(404);
  expect((await ask(queue, 'nobody', { method: 'DELETE' })).status).toBe(405);
  const results = await running.results;
  expect(results.map(({ headers }) => headers['sluice-queue']?.split(',')[0])).toEqual(
    results.map((_, index) => `position=${index}`),
  );
  // The id is the client's own, also at the pod; and of the past nothing is known.
  expect((await ask(queue, `id-${plan[0]?.id}`)).status).toBe(404);
  await expectKept(queue, [...usual, ...results], { title: 'places', ordered: true });
});

test('a refusal says how many wait; a place moves up when others leave', async () => {
  const queue = await startQueue({ pods: 1, service: { queue: { place: 'on', max: 3 } } });
  const client = queue.http1();
  const first = startLoad(client, burst(1, { name: 'first', work: fixed(1500) }));
  await queue.untilHeld(1);
  const leaving = startLoad(client, burst(1, { name: 'leaving', each: { abortAfter: 600 } }));
  await queue.untilWaiting(1);
  const rest = startLoad(
    client,
    spaced(2, 30, { name: 'rest', work: fixed(10), each: { headers: { 'x-request-id': 'rest' } } }),
  );
  await queue.untilWaiting(3);
  const refused = await client.send({ id: 'out', at: 0 });
  expect([refused.status, refused.headers['sluice-queue']]).toEqual([429, 'waiting=3']);
  expect(refused.headers['retry-after']).toBe('1');
  // Both have the id: the newest is told.
  expect((await ask(queue, 'rest')).told.position).toBe(3);
  await leaving.results;
  await until(async () => (await ask(queue, 'rest')).told.position === 2, { what: 'the place to move up' });
  expect([...(await first.results), ...(await rest.results)].every(({ status }) => status === 200)).toBe(true);
});

test('off by default: no header, no path of its own', async () => {
  const queue = await startQueue({ pods: 1 });
  const [result] = await startLoad(queue.http1(), burst(1)).results;
  expect(result?.headers['sluice-queue']).toBeUndefined();
  const url = `http://127.0.0.1:${queue.sluice.port}/.well-known/sluice/requests/x`;
  // The pod answers it.
  expect((await fetch(url)).headers.get('server-timing')).toMatch(/^queue;dur=/);
});
