import { instant, pause } from '../e2e/kit/instant.ts';
import { FAULT_MS } from './pod-rows.ts';
import { type FaultRow, FULL_USE_MS, type Inflicted } from './row.ts';
import type { World } from './world.ts';

/** What goes wrong with Sluice, its route file and its Envoy. */
export const planeRows: readonly FaultRow[] = [
  {
    name: 'control-plane-killed',
    fault: 'the control plane is killed (SIGKILL) and started again',
    user: 'Nothing: Envoy goes on with what it has.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: killControlPlane,
  },
  {
    name: 'control-plane-frozen',
    fault: 'the control plane is frozen (SIGSTOP) and goes on',
    user: 'Nothing.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: freezeControlPlane,
  },
  {
    name: 'envoy-restarted',
    fault: 'Envoy is killed (SIGKILL) and started again',
    user: 'What ran and waited is lost, and what comes before it is back is refused, as with any proxy; then all is as before.',
    promise: { explained: Number.POSITIVE_INFINITY, fullUseMs: FULL_USE_MS },
    inflict: restartEnvoy,
  },
  {
    name: 'route-file-broken',
    fault: 'the route file is broken, and repaired',
    user: 'Nothing: the last good one stays active.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: breakRouteFile,
  },
];

async function killControlPlane({ sluice }: World): Promise<Inflicted> {
  await sluice.kill();
  await pause(FAULT_MS);
  await sluice.restart();
  return { over: instant() };
}

async function freezeControlPlane({ sluice }: World): Promise<Inflicted> {
  const { pid } = sluice.process;
  if (pid === undefined) throw new Error('Sluice does not run');
  process.kill(pid, 'SIGSTOP');
  try {
    await pause(FAULT_MS);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  return { over: instant() };
}

async function restartEnvoy(world: World): Promise<Inflicted> {
  await world.sluice.killEnvoy();
  await world.sluice.startEnvoyAgain();
  world.reconnect();
  const over = instant();
  return { over, explains: ({ status, sent }) => status === 0 && sent <= over };
}

async function breakRouteFile(world: World): Promise<Inflicted> {
  await world.sluice.edit('version: 1\nservices: {codec: {static: [nowhere, limit: 0}\n');
  await pause(FAULT_MS);
  await world.edit(world.pods);
  return { over: instant() };
}
