import { expect, onTestFinished, test } from 'vitest';
import { pause, until } from '../kit/instant.ts';
import { JobPod } from '../kit/job-pod.ts';
import { ControlPlane } from './control-plane.ts';

test('an Envoy is killed and started again: the slots of its jobs are not given to others, until their pods are done', async () => {
  const pods = [await JobPod.start(), await JobPod.start()];
  onTestFinished(() => {
    for (const pod of pods) pod.stop();
  });
  const codec = { static: pods.map(({ address }) => address), limit: 1, async: { timeout: '2h', poll: '/jobs' } };
  const plane = await ControlPlane.start({
    services: { codec },
    routes: [{ match: { prefix: '/' }, service: 'codec' }],
  });
  const [first] = [await plane.envoy('first'), await plane.envoy('second')];
  const shared = async () => {
    const { services, sharing } = await plane.status();
    const [service] = services;
    const held = service?.kind === 'limited' ? (service.shared?.held ?? []) : [];
    const connected = (sharing?.members ?? []).filter(({ state }) => state === 'connected');
    return { slots: held.reduce((all, { slots }) => all + slots, 0), connected: connected.length };
  };
  await until(async () => (await shared()).slots === 2, { what: 'all slots to be given', within: 20_000 });
  const ask = () => fetch(`http://127.0.0.1:${plane.traffic}/`, { method: 'POST' }).catch(() => undefined);
  const running = () => pods.flatMap(({ jobs }) => [...jobs.values()]);
  await until(
    async () => {
      void ask();
      return running().length === 2;
    },
    { what: 'two jobs', within: 20_000 },
  );

  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  await plane.envoy('first');
  await until(async () => (await shared()).connected === 2, { what: 'both Envoys', within: 20_000 });
  void ask();
  void ask();
  await pause(2000);
  expect(running()).toHaveLength(2);

  const taken = () => pods.reduce((sum, pod) => sum + pod.taken.length, 0);
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
  const pods = [await JobPod.start(), await JobPod.start()];
  onTestFinished(() => {
    for (const pod of pods) pod.stop();
  });
  const codec = { static: pods.map(({ address }) => address), limit: 1, async: { timeout: '2h', poll: '/jobs' } };
  const routes = { services: { codec }, routes: [{ match: { prefix: '/' }, service: 'codec' }] };
  const coordinator = await ControlPlane.start(routes);
  const follower = await ControlPlane.start(routes, ['--coordinator', `127.0.0.1:${coordinator.xds.port}`]);
  await coordinator.envoy('first');
  const second = await follower.envoy('second');
  const shared = async () => {
    const { services, sharing } = await coordinator.status();
    const [service] = services;
    const held = service?.kind === 'limited' ? (service.shared?.held ?? []) : [];
    const connected = (sharing?.members ?? []).filter(({ state }) => state === 'connected');
    return { slots: held.reduce((all, { slots }) => all + slots, 0), connected: connected.length };
  };
  await until(async () => (await shared()).slots === 2, { what: 'all slots to be given', within: 20_000 });
  const ask = () => fetch(`http://127.0.0.1:${follower.traffic}/`, { method: 'POST' }).catch(() => undefined);
  const running = () => pods.flatMap(({ jobs }) => [...jobs.values()]);
  await until(
    async () => {
      void ask();
      return running().length === 2;
    },
    { what: 'two jobs', within: 20_000 },
  );
  // Both Sluices ask the pods meanwhile. Who knows the jobs holds their slots: none is missing besides.
  await pause(7000);
  expect(await shared()).toEqual({ slots: 2, connected: 2 });

  process.kill(second.pid, 'SIGKILL');
  await second.exited;
  await follower.envoy('second');
  await until(async () => (await shared()).connected === 2, { what: 'both Envoys', within: 20_000 });
  void ask();
  void fetch(`http://127.0.0.1:${coordinator.traffic}/`, { method: 'POST' }).catch(() => undefined);
  await pause(2000);
  expect(running()).toHaveLength(2);

  const taken = () => pods.reduce((sum, pod) => sum + pod.taken.length, 0);
  const before = taken();
  const [pod] = pods;
  const [job] = pod?.jobs.values() ?? [];
  if (pod === undefined || job === undefined) throw new Error('it has a job');
  pod.finish(job.id);
  await until(() => taken() > before, { what: 'the next job', within: 20_000 });
  expect(pods.map(({ peak }) => peak)).toEqual([1, 1]);
}, 90_000);
