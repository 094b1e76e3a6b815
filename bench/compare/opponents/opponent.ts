import type { PodProtocol } from '../../../test/e2e/kit/pods.ts';

/** What the queue is to know of requests beside their order: `x-priority` is high, normal or low; `x-tenant` says whose they are. */
export type QueueOrder = 'priority' | 'fair';

/** What all opponents are told before a run. */
export interface Setup {
  /** The `address:port` of the pods at the start. */
  readonly pods: readonly string[];
  /** Requests that one pod works on at a time. */
  readonly limit: number;
  readonly protocol: PodProtocol;
  /** The time between two health checks of a pod, at `ALIVE_PATH`, in milliseconds; no checks when left out. */
  readonly checkEvery?: number | undefined;
  /** First in, first out when left out; who cannot do it does that. */
  readonly order?: QueueOrder | undefined;
  /** An empty folder for its files. */
  readonly folder: string;
}

/** The processes of an opponent, by id: what carries traffic, and what only tells it about pods. */
export interface Processes {
  readonly proxy: readonly number[];
  readonly controlPlane: readonly number[];
}

/** A proxy that runs and takes requests. */
export interface Opponent {
  /** The port on 127.0.0.1 that takes the requests. */
  readonly port: number;
  processes(): Processes;
  /** Tells it, in the way its own documentation describes, that these are the pods from now on. */
  setPods(pods: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** The names of all opponents, in the order of every table. */
export const OPPONENTS = [
  'sluice',
  'haproxy',
  'full-scan',
  'two-choices',
  'round-robin',
  'random',
  'nginx',
  'max-requests',
  'max-connections',
] as const;

/** Names an opponent, in results and file names. */
export type OpponentName = (typeof OPPONENTS)[number];

/** Those that mean something for several pods: a line for each pod does not. */
export const FOR_MANY_PODS: readonly OpponentName[] = OPPONENTS.filter((name) => name !== 'max-connections');

/** Something that can be put in front of pods. */
export interface OpponentKind {
  readonly name: OpponentName;
  /** What the tables call it. */
  readonly title: string;
  /** What it is and how it is set up, as one sentence or two in Markdown. */
  readonly about: string;
  /** Why it cannot take part on this machine; undefined when it can. */
  missing(): Promise<string | undefined>;
  start(setup: Setup): Promise<Opponent>;
}
