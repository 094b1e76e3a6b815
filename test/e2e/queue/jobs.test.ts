import { expect, onTestFinished, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { JobPod, type PodJob } from '../kit/job-pod.ts';
import type { Sluice } from '../kit/sluice.ts';
import { type Keys, startSluice } from './queue.ts';

interface Stage {
  readonly sluice: Sluice;
  readonly pods: readonly JobPod[];
  /** Sends requests; each resolves to its answer. */
  send(count: number, headers?: Record<string, string>): Promise<Response>[];
  /** What a pod says when a job has ended. */
  end(
    job: PodJob,
    changes?: { readonly token?: string; readonly how?: string; readonly method?: string },
  ): Promise<number>;
}

async function stage(keys: Keys, count = 2, service: Keys = {}): Promise<Stage> {
  const pods = await Promise.all(Array.from({ length: count }, () => JobPod.start()));
  onTestFinished(() => {
    for (const pod of pods) pod.stop();
  });
  const codec = { static: pods.map(({ address }) => address), limit: 1, async: keys, ...service };
  const sluice = await startSluice({
    services: { codec },
    routes: [{ match: { prefix: '/' }, service: 'codec' }],
  });
  const at = `http://127.0.0.1:${sluice.port}`;
  return {
    sluice,
    pods,
    send: (requests, headers = {}) =>
      Array.from({ length: requests }, () => fetch(`${at}/render`, { method: 'POST', headers })),
    end: async ({ id, token }, { token: other = token, how = 'done', method = 'POST' } = {}) => {
      const headers: Record<string, string> = other === '' ? {} : { 'sluice-job-token': other };
      const answer = await fetch(`${at}/.well-known/sluice/jobs/${id}/${how}`, { method, headers });
      expect(answer.headers.get('content-type')).toBe('application/json');
      return answer.status;
    },
  };
}

function runningOf(pods: readonly JobPod[]): readonly PodJob[] {
  return pods.flatMap(({ jobs }) => [...jobs.values()]);
}

/** A pod is done with one of its jobs, and says so. */
async function endOne({ pods, end }: Pick<Stage, 'pods' | 'end'>): Promise<void> {
  const pod = pods.find(({ jobs }) => jobs.size > 0);
  const [job] = pod?.jobs.values() ?? [];
  if (pod === undefined || job === undefined) throw new Error('no pod has a job');
  pod.finish(job.id);
  expect(await end(job)).toBe(200);
}

test('a 202 frees the connection, not the slot; the pod ends the job, and nobody else can', async () => {
  const all = await stage({ timeout: '2h' });
  const { pods, send, end, sluice } = all;
  const answers = send(5);
  const [first] = await Promise.all([
    Promise.race(answers),
    until(() => runningOf(pods).length === 2, { what: 'two jobs' }),
  ]);
  expect(first?.status).toBe(202);
  // The pod's name of the job, and not its token, though the pod has sent that as well.
  expect(pods.flatMap(({ taken }) => taken.map(({ id }) => id))).toContain(first?.headers.get('sluice-job'));
  expect(first?.headers.get('sluice-job-token')).toBeNull();
  await pause(300);
  expect(runningOf(pods)).toHaveLength(2);
  await until(async () => JSON.stringify(await sluice.status()).includes('"jobs":2'), { what: 'the status to tell' });

  const [one, other] = runningOf(pods);
  if (one === undefined || other === undefined) throw new Error('two were seen');
  expect(one.token).toMatch(/^[0-9a-f]{32}$/);
  expect(await end(one, { token: '' })).toBe(401);
  expect(await end(one, { token: '0'.repeat(32) })).toBe(404);
  expect(await end(one, { token: 'nonsense' })).toBe(404);
  expect(await end({ id: other.id, token: one.token })).toBe(404);
  expect(await end(one, { method: 'GET' })).toBe(405);
  await pause(100);
  expect(runningOf(pods)).toHaveLength(2);

  for (let left = 5; left > 0; left--) {
    await until(() => runningOf(pods).length === Math.min(2, left), { what: 'the next job' });
    await endOne(all);
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
  expect(pods.map(({ peak }) => peak)).toEqual([1, 1]);
  expect(await end(one), 'it has ended').toBe(404);
  expect(new Set(pods.flatMap(({ taken }) => taken.map(({ token }) => token))).size).toBe(5);
});

test('another status frees its slot; a job that says nothing has its time; one without a name gets one', async () => {
  const { pods, send, end } = await stage({ timeout: '1s' }, 1);
  const [pod] = pods;
  if (pod === undefined) throw new Error('one was started');
  pod.status = 200;
  expect((await Promise.all(send(3))).map(({ status }) => status)).toEqual([200, 200, 200]);
  pod.status = 202;
  pod.names = false;
  const began = instant();
  const [first, second] = await Promise.all(send(2));
  expect(instant() - began).toBeGreaterThan(900);
  expect(first?.headers.get('sluice-job')).toMatch(/^[0-9a-f]{16}$/);
  expect(first?.headers.get('sluice-job')).not.toBe(second?.headers.get('sluice-job'));
  const [, last] = pod.taken;
  const names = [first, second].map((answer) => answer?.headers.get('sluice-job') ?? '');
  const ended = await Promise.all(names.map((id) => end({ id, token: last?.token ?? '' }, { how: 'failed' })));
  expect(ended.sort(), 'the name of its own job').toEqual([200, 404]);
});

test('a pod that is done before its answer has arrived', async () => {
  const { pods, send, end } = await stage({ timeout: '2h' }, 1);
  const [pod] = pods;
  if (pod === undefined) throw new Error('one was started');
  pod.answerMs = 300;
  const [answer] = send(1);
  await until(() => pod.jobs.size === 1, { what: 'the job' });
  const [job] = pod.taken;
  if (job === undefined) throw new Error('one was taken');
  pod.finish(job.id);
  expect(await end(job)).toBe(200);
  expect((await answer)?.status).toBe(202);
  // Its slot is free.
  pod.answerMs = 0;
  expect((await Promise.race(send(1)))?.status).toBe(202);
});

test('Sluice is killed and started again: jobs keep their slots, and end', async () => {
  const all = await stage({ timeout: '2h', poll: '/jobs' });
  const { pods, send, sluice } = all;
  const answers = send(3);
  await until(() => runningOf(pods).length === 2, { what: 'two jobs' });
  await sluice.kill();
  await sluice.restart();
  await pause(1500);
  expect(runningOf(pods)).toHaveLength(2);
  await endOne(all);
  await until(() => pods.reduce((sum, { taken }) => sum + taken.length, 0) === 3, { what: 'the third job' });
  await Promise.all(answers);
  expect(pods.map(({ peak }) => peak)).toEqual([1, 1]);
});

test('Envoy is killed and started again: pods say what they have, and get nothing beside it', {
  timeout: 60_000,
}, async () => {
  const { pods, send, sluice } = await stage({ timeout: '2h', poll: '/jobs' });
  await Promise.all(send(2));
  expect(runningOf(pods)).toHaveLength(2);
  await sluice.killEnvoy();
  await sluice.startEnvoyAgain();
  const answers = send(2);
  await pause(2500);
  expect(runningOf(pods)).toHaveLength(2);
  // The pods are done. Nobody has to be told: they are asked.
  for (const pod of pods) for (const { id } of pod.taken) pod.finish(id);
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([202, 202]);
  expect(pods.map(({ peak }) => peak)).toEqual([1, 1]);
});

test('a job that takes several slots has them after a restart of Envoy as well', { timeout: 60_000 }, async () => {
  const service = { limit: 4, cost: { header: 'x-cost' } };
  const { pods, send, sluice } = await stage({ timeout: '2h', poll: '/jobs' }, 1, service);
  await Promise.all(send(1, { 'x-cost': '3' }));
  const [large] = runningOf(pods);
  await sluice.killEnvoy();
  await sluice.startEnvoyAgain();
  const answers = send(4);
  await until(() => runningOf(pods).length === 2, { what: 'a job beside the large one' });
  await pause(2500);
  expect(runningOf(pods)).toHaveLength(2);
  pods[0]?.finish(large?.id ?? '');
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([202, 202, 202, 202]);
  expect(pods[0]?.peak).toBe(4);
});

test('a job that its pod has forgotten ends', { timeout: 60_000 }, async () => {
  const { pods, send } = await stage({ timeout: '2h', poll: '/jobs' }, 1);
  await Promise.all(send(1));
  const answers = send(1);
  for (const { id } of pods[0]?.taken ?? []) pods[0]?.finish(id);
  expect((await answers[0])?.status).toBe(202);
  expect(pods[0]?.taken).toHaveLength(2);
});
