import { parentPort } from 'node:worker_threads';
import { Pod, type PodMode } from './pod.ts';
import { both } from './pod-both.ts';
import { grpc } from './pod-grpc.ts';
import { h2c } from './pod-h2c.ts';
import { http1 } from './pod-http1.ts';
import type { Holding, PodRequest } from './pod-log.ts';

/** What a pod speaks. */
export type PodProtocol = 'http1' | 'h2c' | 'grpc' | 'both';

/** What one pod holds now and held at most, and how that number changed over time. */
export interface PodCount {
  readonly pod: string;
  readonly held: number;
  readonly peak: number;
  readonly changes: readonly Holding[];
}

/** What can be asked of the pods' thread, each with what it takes; `address` is a pod's `address:port`. */
export interface PodCalls {
  start(pod: { host: string; port: number; workMs: number; workers: number; protocol: PodProtocol }): Promise<string>;
  stop(pod: { address: string }): Promise<void>;
  mode(change: { address: string; mode: PodMode }): Promise<void>;
  work(change: { address: string; workMs: number }): Promise<void>;
  requests(): Promise<readonly PodRequest[]>;
  take(): Promise<readonly PodRequest[]>;
  counts(): Promise<readonly PodCount[]>;
  forget(): Promise<void>;
}

/** One question to the thread. */
export interface PodQuestion {
  readonly number: number;
  readonly call: keyof PodCalls;
  readonly argument: unknown;
}

/** Its answer: a value, or the words of an error. */
export type PodReply = { readonly number: number } & ({ readonly value: unknown } | { readonly error: string });

const protocols = { http1, h2c, grpc, both } as const;
const pods = new Map<string, Pod>();
// The requests of pods that were stopped still count.
const stopped: PodRequest[] = [];

function named(address: string): Pod {
  const pod = pods.get(address);
  if (pod === undefined) throw new Error(`there is no pod ${address}; there are ${[...pods.keys()].join(', ')}`);
  return pod;
}

const calls: PodCalls = {
  async start({ host, port, workMs, workers, protocol }) {
    const pod = new Pod(host, port, { workMs, workers, protocol: protocols[protocol] });
    await pod.open();
    pods.set(pod.address, pod);
    return pod.address;
  },
  async stop({ address }) {
    const pod = named(address);
    await pod.stop();
    pods.delete(address);
    stopped.push(...pod.log.requests);
  },
  mode: ({ address, mode }) => named(address).setMode(mode),
  work: async ({ address, workMs }) => named(address).setWork(workMs),
  async take() {
    const seen = await calls.requests();
    await calls.forget();
    return seen;
  },
  requests: async () => [...stopped, ...[...pods.values()].flatMap((pod) => pod.log.requests)],
  counts: async () => [...pods.values()].map(({ log: { pod, held, peak, changes } }) => ({ pod, held, peak, changes })),
  async forget() {
    stopped.length = 0;
    for (const pod of pods.values()) pod.log.forget();
  },
};

parentPort?.on('message', ({ number, call, argument }: PodQuestion) => {
  // The questions come from `PodThread`, which pairs each call with its own argument.
  const answer = (calls[call] as (argument: unknown) => Promise<unknown>)(argument);
  answer.then(
    (value) => parentPort?.postMessage({ number, value } satisfies PodReply),
    (error: unknown) => parentPort?.postMessage({ number, error: String(error) } satisfies PodReply),
  );
});
