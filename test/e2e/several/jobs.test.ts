import { expect, onTestFinished, test } from 'vitest';
import { pause, until } from '../kit/instant.ts';
import { JobPod } from '../kit/job-pod.ts';
import { ControlPlane } from './control-plane.ts';

/** Two pods of limit 1 that take jobs, and the routes to them; they end with the test. */
async function jobPods() {
  const pods = [await JobPod.start(), await JobPod.start()];
  onTestFinished(() => {
    for (const pod of pods) pod.stop();
  });
  const codec = { static: pods.map(({ address }) => address), limit: 1, async: { timeout: '2h', poll: '/jobs' } };
  return {
    pods,
    routes: { services: { codec }, routes: [{ match: { prefix: '/' }, service: 'codec' }] },
    running: () => pods.flatMap(({ jobs }) => [...jobs.values()]),
    taken: () => pods.reduce((sum, pod) => sum + pod.taken.length, 0),
  };
}

/** How many slots are held, and how many filters are connected, as the Sluice that coordinates has it. */
async function shared(plane: ControlPlane) {
  const { services, sharing } = await plane.status();
  const [service] = services;
  const held = service?.kind === 'limited' ? (service.shared?.held ?? []) : [];
  const connected = (sharing?.members ?? []).filter(({ state }) => state === 'connected');
  return { slots: held.reduce((all, { slots }) => all + slots, 0), connected: connected.length };
}

/** Waits until so many slots are held, or so many filters connected. */
function untilShared(plane: ControlPlane, wanted: Partial<Awaited<ReturnType<typeof shared>>>): Promise<unknown> {
  const isThere = async () => {
    const now = await shared(plane);
    return (wanted.slots ?? now.slots) === now.slots && (wanted.connected ?? now.connected) === now.connected;
  };
  return until(isThere, { what: JSON.stringify(wanted), within: 20_000 });
}

/** Posts a job through an Envoy of this Sluice. */
function ask({ traffic }: ControlPlane): Promise<unknown> {
  return fetch(`http://127.0.0.1:${traffic}/`, { method: 'POST' }).catch(() => undefined);
}

test('an Envoy is killed and started again: the slots of its jobs are not given to others, until their pods are done', async () => {
  const { pods, routes, running, taken } = await jobPods();
  const plane = await ControlPlane.start(routes);
  const [first] = [await plane.envoy('first'), await plane.envoy('second')];
  await untilShared(plane, { slots: 2 });
  await until(
    async () => {
      void ask(plane);
      return running().length === 2;
    },
    { what: 'two jobs', within: 20_000 },
  );

  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  await plane.envoy('first');
  await untilShared(plane, { connected: 2 });
  void ask(plane);
  void ask(plane);
  await pause(2000);
  expect(running()).toHaveLength(2);

  const before = taken();
  const [pod] = pods;
  const [job] = pod?.jobs.values() ?? [];
  if (pod === undefined || job === undefined) throw new Error('it has a job');
  // It tells nobody, but when it is asked.
  pod.finish(job.id);
  await until(() => taken() > before, { what: 'the next job', within: 20_000 });
  expect(pods.map(({ peak }) => peak)).toEqual([1, 1]);
}, 90_000);

test('jobs by way of another Sluice: they take the slots that their Envoy holds and no others, and go on counting when it is killed', async () => {
  const { pods, routes, running, taken } = await jobPods();
  const coordinator = await ControlPlane.start(routes);
  const follower = await ControlPlane.start(routes, ['--coordinator', `127.0.0.1:${coordinator.xds.port}`]);
  await coordinator.envoy('first');
  const second = await follower.envoy('second');
  await untilShared(coordinator, { slots: 2 });
  await until(
    async () => {
      void ask(follower);
      return running().length === 2;
    },
    { what: 'two jobs', within: 20_000 },
  );
  // Both Sluices ask the pods meanwhile. Who knows the jobs holds their slots: none is missing besides.
  await pause(7000);
  expect(await shared(coordinator)).toEqual({ slots: 2, connected: 2 });

  process.kill(second.pid, 'SIGKILL');
  await second.exited;
  await follower.envoy('second');
  await untilShared(coordinator, { connected: 2 });
  void ask(follower);
  void ask(coordinator);
  await pause(2000);
  expect(running()).toHaveLength(2);

  const before = taken();
  const [pod] = pods;
  const [job] = pod?.jobs.values() ?? [];
  if (pod === undefined || job === undefined) throw new Error('it has a job');
  pod.finish(job.id);
  await until(() => taken() > before, { what: 'the next job', within: 20_000 });
  expect(pods.map(({ peak }) => peak)).toEqual([1, 1]);
}, 90_000);
