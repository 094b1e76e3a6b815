import { expect, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, poisson, spaced } from '../kit/load-plan.ts';
import { exponential, fixed } from '../kit/random.ts';
import { expectKept, expectStrict, startQueue } from './queue.ts';

test.each(['http1', 'h2c'] as const)('2, 4, 2 pods under load (%s)', async (protocol) => {
  const queue = await startQueue({ pods: 2, protocol });
  const two = [...queue.pods.addresses];
  const run = startLoad(queue.h2(), poisson(250, 75, { work: exponential(30) }));
  await pause(800);
  const four = [...two, ...(await queue.pods.add(2))];
  const added = await queue.edit(four);
  await pause(1200);
  const removed = await queue.edit(two);
  const results = await run.results;
  const slots = [
    { at: run.began, slots: 2 },
    { at: added, slots: 4 },
    { at: removed, slots: 2 },
  ];
  await expectKept(queue, results, { title: `2, 4, 2 pods under load, ${protocol}`, slots });
  const atAdded = (await queue.pods.requests()).filter(({ pod }) => !two.includes(pod));
  expect(atAdded.length).toBeGreaterThan(0);
});

test.each(['http1', 'h2c'] as const)('an added pod works at once, however long the jobs are (%s)', async (protocol) => {
  const queue = await startQueue({ pods: 2, protocol });
  const long = burst(4, { name: 'long', work: fixed(2500) });
  const run = startLoad(queue.h2(), [...long, ...burst(8, { name: 'short', work: fixed(20) })]);
  await queue.untilWaiting(10);
  await queue.pods.add(2);
  const edited = await queue.edit(queue.pods.addresses);
  await queue.untilHeld(4);
  const started = instant();
  expect(run.ended, 'no job has ended yet').toEqual([]);
  process.stdout.write(`── added pods had work ${(started - edited).toFixed(0)} ms after the edit, ${protocol}\n`);
  await expectKept(queue, await run.results, {
    title: `pods added under long jobs, ${protocol}`,
    ordered: true,
    slots: [
      { at: run.began, slots: 2 },
      { at: edited, slots: 4 },
    ],
  });
  expect(new Set((await queue.pods.requests()).map(({ pod }) => pod))).toEqual(new Set(queue.pods.addresses));
});

test.each(['http1', 'h2c'] as const)('a full queue goes on at an added pod at once, too (%s)', async (protocol) => {
  const queue = await startQueue({ pods: 1, protocol, service: { queue: { max: 5 } } });
  const run = startLoad(queue.h2(), burst(1, { name: 'long', work: fixed(5000) }));
  await queue.untilHeld(1);
  const rest = startLoad(queue.h2(), burst(5, { name: 'rest', work: fixed(20) }));
  await queue.untilWaiting(5);
  await queue.pods.add(1);
  const edited = await queue.edit(queue.pods.addresses);
  const waited = await rest.results;
  expect(run.ended, 'the long job has not ended yet').toEqual([]);
  await queue.untilWaiting(0);
  // Nothing is left of the place that the kick had.
  const long = startLoad(queue.h2(), burst(1, { name: 'another', work: fixed(2000) }));
  await queue.untilHeld(2);
  const again = startLoad(queue.h2(), burst(7, { name: 'again', work: fixed(20) }));
  const last = await again.results;
  const results = [await run.results, waited, await long.results, last].flat();
  await expectStrict(queue, results, {
    title: `a full queue and an added pod, ${protocol}`,
    slots: [
      { at: run.began, slots: 1 },
      { at: edited, slots: 2 },
    ],
  });
  const refused = (those: typeof last) => those.filter(({ status }) => status === 429).length;
  expect([refused(results), refused(last)]).toEqual([2, 2]);
});

test.each(['http1', 'h2c'] as const)('a pod that is taken out and put back while it works (%s)', async (protocol) => {
  const queue = await startQueue({ pods: 2, protocol });
  const [stays = ''] = queue.pods.addresses;
  const run = startLoad(queue.h2(), spaced(28, 30, { work: fixed(250) }));
  for (let times = 0; times < 7; times += 1) {
    await pause(150);
    await queue.edit([stays]);
    await pause(times * 40);
    await queue.edit(queue.pods.addresses);
  }
  await expectKept(queue, await run.results, { title: `a flapping pod, ${protocol}` });
});

test('a raised and a lowered limit hold under load', async () => {
  const queue = await startQueue({ pods: 2, limit: 2 });
  const run = startLoad(queue.h2(), spaced(300, 9, { work: fixed(40) }));
  await pause(600);
  await queue.edit(queue.pods.addresses, { limit: 4 });
  await until(async () => (await queue.pods.peak()) > 2, { what: 'more than 2 at a pod' });
  await pause(600);
  await queue.edit(queue.pods.addresses, { limit: 2 });
  await pause(600);
  await until(async () => (await queue.pods.counts()).every(({ held }) => held <= 2), {
    what: 'at most 2 at each pod',
  });
  await queue.pods.forget();
  await run.results;
  expect(await queue.pods.peak()).toBe(2);
});
