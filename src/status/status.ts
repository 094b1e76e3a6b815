import { z } from 'zod';

const problem = z.object({
  /** An `error` keeps the input it belongs to from being used; a `warning` does not. */
  severity: z.enum(['error', 'warning']),
  /** What the problem is about: a file's path, `service codec`, `Envoy edge-1`. */
  subject: z.string(),
  /** Where in the file, counted from 1. */
  position: z.exactOptional(z.object({ line: z.number(), column: z.number() })),
  /** The key path in the file, such as `services.codec.limit`. */
  path: z.exactOptional(z.string()),
  message: z.string(),
  /** What to write or do instead. */
  fix: z.exactOptional(z.string()),
});

/** A moment as ISO 8601 in UTC. */
const moment = z.string();

const sourceState = {
  /** `pending`: it has never answered. `stale`: what it last said stays in force. */
  state: z.enum(['pending', 'ready', 'stale']),
  /** Only when stale: from when what is in force may be out of date. */
  since: z.exactOptional(moment),
  problems: z.array(problem).readonly(),
};

const pod = z.object({
  /** `10.0.0.1:80` or `[fd00::1]:80`. */
  address: z.string(),
  /** A `draining` pod gets no new request and finishes those it has. */
  state: z.enum(['ready', 'draining', 'ejected']),
  /** Over all Envoys, as they last reported; absent while none of them has reported. */
  requestsInProgress: z.exactOptional(z.number()),
});

const counts = {
  /** With a status below 500. */
  answered: z.number(),
  /** With a status from 500 on. */
  failed: z.number(),
  /** The line was full. */
  refused: z.number(),
  /** Given up while they waited, or while a pod worked on them. */
  timedOut: z.number(),
  /** Their client left before. */
  abandoned: z.number(),
};

/** Two of many lengths of time, in milliseconds. */
const quantiles = z.object({ p50: z.number(), p99: z.number() });

const traffic = z.object({
  /** How requests ended since Sluice started. */
  total: z.object(counts),
  /** How requests ended in the last minute. */
  lastMinute: z.object({
    ...counts,
    /** From arrival to slot, of all that got a slot; absent: there was none. */
    waitMs: z.exactOptional(quantiles),
    /** From slot to last byte, of those that were answered; absent: there was none. */
    workMs: z.exactOptional(quantiles),
  }),
});

const anyService = {
  name: z.string(),
  protocol: z.enum(['http1', 'h2c']),
  /** False: the route file has it, but Envoy has not been told of it yet. */
  inForce: z.boolean(),
  /** In the order of their addresses. */
  pods: z.array(pod).readonly(),
  /** The sum over its pods; absent while no Envoy has reported. */
  requestsInProgress: z.exactOptional(z.number()),
  /** Requests that wait in the line; absent while Envoy's statistics cannot be asked. */
  waiting: z.exactOptional(z.number()),
  /**
   * How long the first in the line has waited, in milliseconds; absent: nobody has for a second, or no log has
   * come. Of those who were in line before Sluice started, it may take some seconds until more is known than that.
   */
  oldestWaitMs: z.exactOptional(z.number()),
  /** Pods that are ejected for how they answer; absent while Envoy's statistics cannot be asked. */
  ejected: z.exactOptional(z.number()),
  /** Requests sent to a pod again since Envoy started; absent while Envoy's statistics cannot be asked. */
  retried: z.exactOptional(z.number()),
  /** Absent while no Envoy has told of any request. */
  traffic: z.exactOptional(traffic),
  source: z.object({
    kind: z.enum(['kubernetes', 'dns', 'static']),
    /** What is looked up: `ai-media/codec:http`, `codec.example:80`; for static pods how many addresses. */
    target: z.string(),
    ...sourceState,
  }),
};

const service = z.discriminatedUnion('kind', [
  z.object({
    ...anyService,
    kind: z.literal('limited'),
    /** Requests one pod may hold at a time. */
    limit: z.number(),
    /** The line: how many requests may wait, and how long (milliseconds; 0: as long as it takes). */
    queue: z.object({ max: z.number(), timeoutMs: z.number() }),
    /** Requests that may be at all pods together now. */
    slots: z.number(),
    /** Pods that all who work and wait now would fill; absent while one of both is not known. */
    desiredPods: z.exactOptional(z.number()),
  }),
  z.object({
    ...anyService,
    kind: z.literal('balanced'),
    balance: z.enum(['least_request', 'round_robin', 'random']),
    /** Requests in flight over all pods; above it they are refused. */
    maxRequests: z.number(),
  }),
]);

const nodeType = z.object({
  /** The last part of the type's URL: `Cluster`, `ClusterLoadAssignment`, `Listener`. */
  type: z.string(),
  /** `pending`: something is not sent or not answered yet. `nacked`: a refusal stands. */
  status: z.enum(['in sync', 'pending', 'nacked']),
  /** The version Envoy last took; empty: none yet. */
  ackedVersion: z.string(),
  /** Only when nacked: Envoy's own words, and what they are about. */
  nack: z.exactOptional(z.object({ message: z.string(), resources: z.array(z.string()).readonly(), at: moment })),
});

const node = z.object({
  id: z.string(),
  cluster: z.string(),
  /** Name and version of its software: `envoy 1.40.0`. */
  userAgent: z.string(),
  connectedSince: moment,
  /** The address it connects from. */
  peer: z.string(),
  types: z.array(nodeType).readonly(),
});

/** What is true now, as `/status` tells it: the schema for whoever reads it from another process. */
export const statusSchema = z.object({
  /** Of Sluice. */
  version: z.string(),
  startedAt: moment,
  /** When this was written. */
  at: moment,
  routeFile: z.object({ path: z.string(), ...sourceState }),
  /** What Envoy is given; absent until everything needed for a first configuration was known. */
  configuration: z.exactOptional(z.object({ version: z.string(), publishedAt: moment })),
  /** Whether Envoy's statistics can be asked; absent: nobody asks. */
  statistics: z.exactOptional(
    z.object({
      from: z.string(),
      state: z.enum(['unknown', 'answers', 'silent']),
      reason: z.exactOptional(z.string()),
    }),
  ),
  /** Requests that were answered or refused are counted by a sample, one in so many; absent: each is counted. */
  sampledOneIn: z.exactOptional(z.number()),
  /** In the order of their names. */
  services: z.array(service).readonly(),
  /** The Envoys that are connected, by id. */
  nodes: z.array(node).readonly(),
  /** Everything that is wrong, those of the route file and the sources included. */
  problems: z.array(problem).readonly(),
});

/** What is true now. */
export type Status = z.infer<typeof statusSchema>;

/** One service and its pods. */
export type ServiceStatus = Status['services'][number];

/** One pod of a service. */
export type PodStatus = ServiceStatus['pods'][number];

/** One connected Envoy. */
export type NodeStatus = Status['nodes'][number];
