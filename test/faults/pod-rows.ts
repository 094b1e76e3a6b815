import { instant, pause } from '../e2e/kit/instant.ts';
import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodMode } from '../e2e/kit/pod.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { EJECTED_MS, EJECTED_OVERTAKEN, type FaultRow, FULL_USE_MS, type Inflicted } from './row.ts';
import { LIMIT, SLOTS, type World } from './world.ts';

/**
 * How long faults last, in milliseconds: less than the shortest ejection, so that a pod is well again when it is tried
 * again for the first time.
 */
export const FAULT_MS = 1800;

/** How long pods are killed: with the time they take to start it must be less than an ejection as well. */
const KILLED_MS = 1000;

/** What goes wrong with pods. */
export const podRows: readonly FaultRow[] = [
  {
    name: 'pod-killed',
    fault: 'a pod is killed (SIGKILL) and started again',
    user: 'The requests that it worked on get 502 at once, since their work may have begun; nobody else notices.',
    promise: { explained: LIMIT, overtaken: EJECTED_OVERTAKEN, fullUseMs: EJECTED_MS },
    inflict: (world) => killAndRevive([world.victim]),
  },
  {
    name: 'pod-frozen',
    fault: 'a pod is frozen (SIGSTOP) and goes on',
    user: 'The requests that it has wait for it, and its slots with them; `timeout.request` would end them with 504.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: freeze,
  },
  {
    name: 'pod-500',
    fault: 'a pod answers 500 to everything at once',
    user: 'With `outlier.consecutive_5xx: 3`: it is taken out after 3 such answers in a row; one that it had begun before and answers well starts the count anew.',
    service: { outlier: { consecutive_5xx: 3 } },
    promise: { explained: 2 * SLOTS, overtaken: EJECTED_OVERTAKEN, fullUseMs: EJECTED_MS },
    inflict: misbehave({ kind: 'status', status: 500 }, ({ status }) => status === 500),
  },
  {
    name: 'pod-503',
    fault: 'a pod answers 503 to everything at once',
    user: 'The same, always: for 502, 503 and 504 nothing has to be configured.',
    promise: { explained: 2 * SLOTS, overtaken: EJECTED_OVERTAKEN, fullUseMs: EJECTED_MS },
    inflict: misbehave({ kind: 'status', status: 503 }, ({ status }) => status === 503),
  },
  {
    name: 'pod-garbage',
    fault: 'a pod answers what is no HTTP',
    user: 'The requests that met it get 502. It is not taken out: one answer that cannot be read must not take pods from everybody. Health checks tell such a pod.',
    promise: { explained: Number.POSITIVE_INFINITY, fullUseMs: FULL_USE_MS },
    inflict: misbehave({ kind: 'garbage' }, ({ status }) => status === 502),
  },
  {
    name: 'pod-half',
    fault: 'a pod breaks off in the middle of its answers',
    user: 'They break off at their clients too, at once. It is not taken out: one answer that always fails must not take pods from everybody. Health checks tell such a pod.',
    promise: { explained: Number.POSITIVE_INFINITY, fullUseMs: FULL_USE_MS },
    inflict: misbehave({ kind: 'half' }, ({ status, outcome }) => status === 200 && outcome === 'failed'),
  },
  {
    name: 'pod-slow-accept',
    fault: 'a pod lets every new connection wait 300 ms',
    user: 'Its own requests take so much longer; the others do not.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: misbehave({ kind: 'slow-accept', ms: 300 }, () => false),
  },
  {
    name: 'pod-goaway',
    fault:
      'a pod ends its HTTP/2 connections in good order (GOAWAY) five times a second, with requests running on them',
    user: 'Nothing: what runs ends there, what comes next gets a new connection.',
    service: { protocol: 'h2c' },
    protocol: 'h2c',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: misbehave({ kind: 'goaway', everyMs: 200 }, () => false),
  },
  {
    name: 'pods-killed',
    fault: 'all pods are killed and started again',
    user: 'The requests that they worked on get 502; all others wait until the pods are back.',
    promise: { explained: 2 * SLOTS, overtaken: EJECTED_OVERTAKEN, fullUseMs: EJECTED_MS },
    inflict: (world) => killAndRevive(world.pods),
  },
  {
    name: 'pods-removed',
    fault: 'all pods leave the route file and come back',
    user: 'What runs is finished; all others wait until pods are back.',
    promise: { overtaken: SLOTS, fullUseMs: FULL_USE_MS },
    inflict: removeAll,
  },
];

async function killAndRevive(pods: World['pods']): Promise<Inflicted> {
  await Promise.all(pods.map((pod) => pod.kill()));
  await pause(KILLED_MS);
  await Promise.all(pods.map((pod) => pod.revive()));
  const victims = new Set(pods.map(({ address }) => address));
  return {
    over: instant(),
    // A pod that is killed may not have read yet what it was sent.
    explains: ({ status }, visits) => status === 502 && visits.every(({ pod }) => victims.has(pod)),
  };
}

async function freeze({ victim }: World): Promise<Inflicted> {
  const from = instant();
  victim.freeze();
  await pause(FAULT_MS);
  victim.thaw();
  const over = instant();
  return { over, late: lateAt(victim.address, { from, to: over + 100 }) };
}

/** The pod does so for a while; `isExpected`: the answers that follow from it. */
function misbehave(mode: PodMode, isExpected: (result: LoadResult) => boolean) {
  return async ({ victim }: World): Promise<Inflicted> => {
    const from = instant();
    await victim.setMode(mode);
    await pause(FAULT_MS);
    await victim.setMode({ kind: 'normal' });
    const over = instant();
    return {
      over,
      explains: (result, visits) => isExpected(result) && visits.length === 1 && visits[0]?.pod === victim.address,
      ...(mode.kind === 'slow-accept' && { late: lateAt(victim.address, { from, to: over + mode.ms + 100 }) }),
    };
  };
}

async function removeAll(world: World): Promise<Inflicted> {
  await world.edit([]);
  await pause(FAULT_MS);
  await world.edit(world.pods);
  return { over: instant() };
}

function lateAt(address: string, { from, to }: { from: number; to: number }) {
  return ({ pod, arrived }: PodRequest) => pod === address && arrived >= from && arrived <= to;
}
