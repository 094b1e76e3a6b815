import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { fail, ok } from '../../../src/base/result.ts';
import { type EnvoyAdmin, envoyAdmin } from '../../../src/envoy/admin.ts';
import { type Drained, drainEnvoy } from '../../../src/envoy/drain.ts';

/** An admin that answers the nth question for requests with the nth number; undefined: not at all, as to the first POST. */
function fake(answers: readonly (number | undefined)[]) {
  const posted: string[] = [];
  let questions = 0;
  const admin: EnvoyAdmin = {
    ...envoyAdmin({ host: '127.0.0.1', port: 1 }),
    async post(path) {
      posted.push(path);
      return posted.length === 1 ? fail('no answer in time') : ok(undefined);
    },
    async stats() {
      const running = answers[Math.min(questions++, answers.length - 1)];
      if (running === undefined) return fail('no answer in time');
      return ok(
        new Map([
          ['http.public.downstream_rq_active', running],
          ['http.admin.downstream_rq_active', 1],
          ['http.sluice.control.downstream_rq_active', 1],
        ]),
      );
    },
  };
  return { admin, posted };
}

async function drained(answers: readonly (number | undefined)[], abortAfterMs = 60_000) {
  const { admin, posted } = fake(answers);
  const clock = new FakeClock();
  const abort = new AbortController();
  const progress: number[] = [];
  let result: Drained | undefined;
  const running = drainEnvoy({ admin, clock, signal: abort.signal, onProgress: (n) => progress.push(n) });
  void running.then((how) => {
    result = how;
  });
  for (let ms = 0; ms < abortAfterMs && result === undefined; ms += 100) await clock.advance(100);
  abort.abort();
  return { result: await running, posted, progress };
}

test('ends when nothing has run for a moment, however many answers are missed', async () => {
  const { result, posted, progress } = await drained([2, undefined, 2, undefined, 1, 0, 1, 0, 0, 0]);
  expect(result).toBe('done');
  expect(posted).toEqual(['/healthcheck/fail', '/healthcheck/fail', '/drain_listeners']);
  expect(progress).toEqual([2, 1, 0, 1, 0]);
});

test('ends when Envoy has ended', async () => {
  expect((await drained([1, undefined])).result).toBe('gone');
});

test('is given up with its signal', async () => {
  expect((await drained([1], 1000)).result).toBe('given up');
});
