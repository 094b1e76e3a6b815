import { instant, pause } from '../e2e/kit/instant.ts';
import { FAULT_MS } from './pod-rows.ts';
import { type FaultRow, FULL_USE_MS, type Inflicted } from './row.ts';
import type { World } from './world.ts';

/** The VM is started anew, and its stream opened, in this time on a busy machine. */
const TRAPPED_MS = 1500;

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
    name: 'pod-told-late',
    fault: 'a pod comes, and the control plane is frozen (SIGSTOP) before the filter has heard of it',
    user: 'Nothing: the pod gets its first request once the filter knows it.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: tellLate,
  },
  {
    name: 'filter-trapped',
    fault: 'the queue filter ends inside Envoy (a trap) and is started again',
    user: 'What runs and waits there gets 503 at once; what comes later is served as before.',
    promise: { explained: Number.POSITIVE_INFINITY, overtaken: Number.POSITIVE_INFINITY, fullUseMs: TRAPPED_MS },
    inflict: trap,
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

/** What is sent first is the endpoint, and the filter hears of it when Envoy has taken that. */
const HEARS_MS = 8;

async function tellLate(world: World): Promise<Inflicted> {
  const { sluice, pods } = world;
  const [late, ...others] = pods;
  if (late === undefined) throw new Error('there is always a pod');
  await world.edit(others);
  await pause(FAULT_MS / 3);
  const { pid } = sluice.process;
  if (pid === undefined) throw new Error('Sluice does not run');
  const written = instant();
  await world.edit(pods);
  await sluice.process.logged('the endpoints', ({ fields }) => isSent(fields), written);
  await pause(HEARS_MS);
  process.kill(pid, 'SIGSTOP');
  try {
    await pause(FAULT_MS / 2);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  return { over: instant() };
}

function isSent(fields: Readonly<Record<string, unknown>>): boolean {
  return fields['kind'] === 'sent' && String(fields['typeUrl']).endsWith('.ClusterLoadAssignment');
}

async function trap({ sluice }: World): Promise<Inflicted> {
  const from = instant();
  await fetch(`http://127.0.0.1:${sluice.port}/`, { headers: { 'sluice-test-trap': '1' } }).catch(() => undefined);
  const over = instant();
  return {
    over,
    explains: ({ status, body, ended }) => status === 503 && body.includes('queue failed') && ended >= from,
  };
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
