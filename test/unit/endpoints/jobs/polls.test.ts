import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { millis } from '../../../../src/base/duration.ts';
import { JobEvents } from '../../../../src/control-plane/job-events.ts';
import { askJobs, jobsIn } from '../../../../src/endpoints/jobs/ask.ts';
import { JobPolls } from '../../../../src/endpoints/jobs/polls.ts';
import type { ServiceWithPods } from '../../../../src/model/model.ts';
import type { JobEvent, MemberId } from '../../../../src/slots/events.ts';
import { kubernetes, serviceName, serviceOf } from '../../model/routing-parts.ts';
import { memberAt, serviceReport } from '../../telemetry/reports.ts';

const POD = '10.0.0.1:80';
const NAME = serviceName('codec');

/** A service with one pod that says which jobs it has; null: it does not answer. */
function world(running: Set<string> | null = new Set()) {
  const clock = new FakeClock();
  const state = { running, told: 0, unreadable: 0, lost: [] as string[] };
  const polls = new JobPolls({
    clock,
    ask: async () => (state.running === null ? undefined : new Set(state.running)),
    changed: () => {
      state.told += 1;
    },
    lost: (_, { id }) => state.lost.push(id),
    unreadable: () => {
      state.unreadable += 1;
    },
  });
  const events = new JobEvents(polls);
  const limited = serviceOf('codec', kubernetes('codec'), 1);
  if (limited.discipline.kind !== 'limited') throw new Error('it has a limit');
  const jobs = { status: 202, header: 'sluice-job', timeout: millis(1000), poll: '/jobs' };
  const service = { ...limited, discipline: { ...limited.discipline, jobs } };
  const follow = (...pods: readonly number[]) => {
    const list = pods.map((port) => ({ ip: '10.0.0.1', port, state: 'ready' }) as const);
    const one: ServiceWithPods = { service, pods: list, isKnown: true };
    polls.follow([one]);
  };
  const hello = (member: MemberId, ...ids: readonly string[]) =>
    events.record({
      ...member,
      kind: 'hello',
      codeVersion: '',
      memoryBytes: 0,
      peer: '',
      services: [serviceReport('codec', { jobs: ids.map((id) => ({ address: POD, id, ageMs: 0, slots: 1 })) })],
    });
  const job = (member: MemberId, kind: JobEvent['kind'], id: string) =>
    events.record({ ...member, kind: 'job', event: { service: NAME, address: POD, id, kind, slots: 1 } });
  const gone = (member: MemberId) => events.record({ ...member, kind: 'gone', reason: '' });
  return { clock, state, polls, follow, hello, job, gone, taken: () => polls.taken(NAME).get(POD) ?? 0 };
}

test('a pod is asked before it counts, and a new one as well', async () => {
  const { clock, state, polls, follow } = world();
  expect(polls.isUnasked(NAME, POD)).toBe(false);
  follow(80);
  expect(polls.isUnasked(NAME, POD)).toBe(true);
  await clock.advance(0);
  expect([polls.isUnasked(NAME, POD), state.told]).toEqual([false, 1]);
  follow(80, 81);
  expect(polls.isUnasked(NAME, '10.0.0.1:81')).toBe(true);
  await clock.advance(0);
  expect(polls.isUnasked(NAME, '10.0.0.1:81')).toBe(false);
  polls.stop();
});

test('jobs that no filter knows take slots until their pod does not name them any more', async () => {
  const { clock, state, follow, hello, taken } = world(new Set(['a', 'b']));
  hello(memberAt(1), 'a');
  follow(80);
  await clock.advance(0);
  expect(taken()).toBe(1);
  state.running = new Set(['a']);
  // Asked more often meanwhile.
  await clock.advance(1000);
  expect([taken(), state.lost]).toEqual([0, []]);
});

test('the jobs of a filter that is gone take slots at once, those of one that comes back do not', async () => {
  const { clock, state, follow, hello, job, gone, taken } = world();
  const [old, next] = [memberAt(1), memberAt(2)];
  hello(old);
  follow(80);
  await clock.advance(0);
  job(old, 'began', 'a');
  gone(old);
  hello(old, 'a');
  expect(taken()).toBe(0);
  gone(old);
  hello(next);
  // Before the pod was asked again.
  expect(taken()).toBe(1);
  state.running = new Set();
  await clock.advance(5000);
  expect(taken()).toBe(0);
});

test('when a filter is gone its pods are asked again before they count: one may have a job that it did not hear of', async () => {
  const { clock, state, polls, follow, hello, gone, taken } = world();
  const [old, next] = [memberAt(1), memberAt(2)];
  hello(old);
  follow(80);
  await clock.advance(0);
  gone(old);
  state.running = new Set(['b']);
  expect(polls.isUnasked(NAME, POD)).toBe(false);
  hello(next);
  expect([polls.isUnasked(NAME, POD), taken()]).toEqual([true, 0]);
  await clock.advance(0);
  expect([polls.isUnasked(NAME, POD), taken()]).toEqual([false, 1]);
  polls.stop();
});

test('a job that has ended takes no slot, though its pod still names it', async () => {
  const { clock, follow, hello, job, taken } = world(new Set(['a']));
  const member = memberAt(1);
  hello(member, 'a');
  follow(80);
  await clock.advance(0);
  job(member, 'done', 'a');
  await clock.advance(10_000);
  expect(taken()).toBe(0);
});

test('a pod that comes back with the address of one that is gone begins anew', async () => {
  const { clock, state, follow, hello, job, taken } = world(new Set(['a']));
  const member = memberAt(1);
  hello(member);
  follow(80);
  await clock.advance(0);
  job(member, 'began', 'a');
  job(member, 'done', 'a');
  expect(taken()).toBe(0);
  follow(81);
  follow(80);
  await clock.advance(0);
  expect([taken(), state.lost]).toEqual([1, []]);
});

test('a job that its pod does not name twice is lost; one that began meanwhile is not', async () => {
  const { clock, state, follow, hello, job } = world();
  const member = memberAt(1);
  hello(member);
  follow(80);
  await clock.advance(0);
  job(member, 'began', 'a');
  await clock.advance(5000);
  expect(state.lost).toEqual([]);
  await clock.advance(5000);
  expect(state.lost).toEqual(['a']);
});

test('a pod that does not answer has none at first, and what it had later', async () => {
  const { clock, state, polls, follow, hello, taken } = world(null);
  hello(memberAt(1), 'a');
  follow(80);
  await clock.advance(0);
  expect([polls.isUnasked(NAME, POD), taken(), state.unreadable]).toEqual([false, 0, 1]);
  await clock.advance(20_000);
  expect([state.lost, state.unreadable]).toEqual([[], 1]);
});

test('a list of ids, and what is none', () => {
  expect(jobsIn('["a", "b", "a"]')).toEqual(new Set(['a', 'b']));
  for (const text of ['', '{}', '[1]', 'null', '["a"']) expect(jobsIn(text)).toBeUndefined();
});

test('pods are asked in their own protocol', async () => {
  const answers = (body: string) => {
    const http1 = createServer((request, response) => response.end(request.url === '/jobs' ? body : 'no'));
    const h2c = createHttp2Server((request, response) => response.end(request.url === '/jobs' ? body : 'no'));
    return { http1, h2c };
  };
  for (const [protocol, server] of Object.entries(answers('["a"]'))) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const question = {
      pod: { ip: '127.0.0.1', port },
      protocol: protocol === 'h2c' ? 'h2c' : 'http1',
      timeoutMs: 2000,
    } as const;
    expect(await askJobs({ ...question, path: '/jobs' })).toEqual(new Set(['a']));
    expect(await askJobs({ ...question, path: '/other' })).toBeUndefined();
    expect(await askJobs({ ...question, pod: { ip: '127.0.0.1', port: 1 }, path: '/jobs' })).toBeUndefined();
  }
});
