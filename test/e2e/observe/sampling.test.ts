import { Agent, createServer, get } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { samples } from '../../unit/status/exposition.ts';
import { pause, until } from '../kit/instant.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { SluiceRun } from './sluice-run.ts';

/** Sends as fast as they are answered, over 50 connections; what is returned ends it, and tells how many were answered. */
function flood(port: number): () => Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  onTestFinished(() => agent.destroy());
  let isOver = false;
  let answered = 0;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      get({ host: '127.0.0.1', port, agent }, (response) => {
        if (response.statusCode === 200) answered++;
        response.resume().on('end', resolve);
      }).on('error', reject);
    });
  const line = async () => {
    while (!isOver) await one();
  };
  const lines = Array.from({ length: 50 }, line);
  return async () => {
    isOver = true;
    await Promise.all(lines);
    return answered;
  };
}

test('of very many requests a sample is counted, which stands for all; who gave up is counted each', async () => {
  const pod = createServer(({ url }, response) => {
    if (url !== '/never') response.end('ok');
  });
  const services = { codec: { static: [await listenUntilTestEnds(pod)], limit: 100, queue: { max: 1000 } } };
  const run = await SluiceRun.start(services, [{ match: { prefix: '/' }, service: 'codec' }]);
  const metric = async (name: string) => {
    return samples(await (await fetch(`${run.admin}/metrics`)).text()).get(name) ?? Number.NaN;
  };
  const ratio = () => metric('sluice_requests_sampled_ratio');
  const total = (outcome: string) => metric(`sluice_requests_total{service="codec",outcome="${outcome}"}`);
  expect(await ratio()).toBe(1);
  const stop = flood(run.port);
  await until(async () => (await ratio()) < 1, { what: 'a sample', within: 30_000, every: 100 });
  expect((await run.status()).sampledOneIn).toBeGreaterThan(1);
  for (let index = 0; index < 20; index++) {
    const leaving = new AbortController();
    const left = run.send('/never', leaving.signal);
    await pause(100);
    leaving.abort();
    expect(await left).toBe(0);
  }
  const answered = await stop();
  await until(async () => (await ratio()) === 1, { what: 'all again', within: 30_000, every: 100 });
  expect(await run.status()).not.toHaveProperty('sampledOneIn');
  expect(await total('abandoned')).toBe(20);
  const before = await total('answered');
  // Of this many, chance makes a few percent.
  expect(before / answered).toBeGreaterThan(0.7);
  expect(before / answered).toBeLessThan(1.3);
  process.stdout.write(`sampled: ${before} counted, ${answered} answered\n`);
  for (let index = 0; index < 5; index++) expect(await run.send()).toBe(200);
  await run.until('five more', ({ traffic }) => traffic?.total.answered === before + 5);
});
