import { afterEach, expect, test } from 'vitest';
import { http1Client } from '../e2e/kit/client-http1.ts';
import { load } from '../e2e/kit/load.ts';
import { spaced } from '../e2e/kit/load-plan.ts';
import { exponential } from '../e2e/kit/random.ts';
import { judge } from '../e2e/kit/summary.ts';
import { startRun } from './kit/run.ts';

const started: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
});

test('never above the limit, first in first out, and no answer is lost', async () => {
  const run = await startRun();
  started.push(run);
  const client = http1Client({ port: run.port });
  const results = await load(client, spaced(600, 5.5, { work: exponential(20) }));
  client.close();
  const verdict = judge({ results, requests: await run.pods.requests(), limit: 1, slots: 4 });
  expect(verdict.outcomes).toEqual({ 200: 600 });
  expect(verdict.strict.peak).toBe(1);
  expect(verdict.order.overtaken).toBe(0);
});
