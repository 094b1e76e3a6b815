import { z } from 'zod';
import { EVENT_KINDS } from '../telemetry/events.ts';

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
  /** `pending`: it has never answered. `stale`: what it last said is used. */
  state: z.enum(['pending', 'ready', 'stale']),
  /** Only when stale: from when what is used may be out of date. */
  since: z.exactOptional(moment),
  problems: z.array(problem).readonly(),
};

/** Who ordered something, and when. */
const order = z.object({ by: z.string(), at: moment });

const pod = z.object({
  /** `10.0.0.1:80` or `[fd00::1]:80`. */
  address: z.string(),
  /** What Kubernetes calls it, and the node it runs on. */
  name: z.exactOptional(z.string()),
  node: z.exactOptional(z.string()),
  /**
   * `draining`: it gets no new request and finishes those it has. `ejected`: it gets none for a while because of how it
   * answered. `trying`: after that it has one request at a time until one succeeds. `unhealthy`: its health check fails.
   */
  state: z.enum(['ready', 'draining', 'ejected', 'trying', 'unhealthy']),
  /** From when it is in this state; absent: not known. */
  since: z.exactOptional(moment),
  /** Only when ejected, or tried again. */
  reason: z.exactOptional(z.enum(['unreachable', 'gateway errors', 'consecutive 5xx'])),
  /** Only when ejected: when it is tried again. */
  ejectedUntil: z.exactOptional(moment),
  /** Requests that it has now, over all Envoys; absent while no queue filter reports. */
  inUse: z.exactOptional(z.number()),
  /** Requests that it may have at a time; absent without a limit. */
  limit: z.exactOptional(z.number()),
  /** Only where an operator has ordered that it gets no new request. */
  drained: z.exactOptional(order),
});

const counts = {
  /** Came. */
  arrived: z.number(),
  /** Got a slot. */
  started: z.number(),
  /** Ended with a status below 500. */
  answered: z.number(),
  /** Ended with a status from 500 on. */
  failed: z.number(),
  /** Refused, since the queue was full. */
  refused: z.number(),
  /** Given up after `queue.timeout`. */
  waitTimeouts: z.number(),
  /** Given up after `timeout.request`. */
  workTimeouts: z.number(),
  /** Their client left while they waited. */
  abandonedWaiting: z.number(),
  /** Their client left while a pod worked on them. */
  abandonedWorking: z.number(),
  /** Answered 503 by the queue filter itself. */
  unserved: z.number(),
  /** Answered 504, since their own deadline was over or could not be met any more. */
  deadlines: z.number(),
  /** Went to another pod than the first one. */
  retried: z.number(),
  /** How often a pod was ejected. */
  ejections: z.number(),
};

/** Two of many lengths of time, in milliseconds. */
const quantiles = z.object({ p50: z.number(), p99: z.number() });

const traffic = z.object({
  /** What requests did since Sluice started. */
  total: z.object(counts),
  /** What requests did in the last minute. */
  lastMinute: z.object({
    ...counts,
    /** From arrival to slot, of all that got a slot; absent: there was none. */
    waitMs: z.exactOptional(quantiles),
    /** From slot to the end of the answer; absent: there was none. */
    workMs: z.exactOptional(quantiles),
    /** The most that waited, and that were in use, at a time. */
    mostWaiting: z.number(),
    mostInUse: z.number(),
  }),
});

const requestClass = z.object({
  name: z.string(),
  /** Requests of it that wait now; absent, as is what follows, while no queue filter reports. */
  waiting: z.exactOptional(z.number()),
  /** How many got a slot since Sluice started, and how long those had waited in all. */
  started: z.exactOptional(z.number()),
  waitedMs: z.exactOptional(z.number()),
});

const tenant = z.object({ name: z.string(), waiting: z.number(), inUse: z.number() });

const anyService = {
  name: z.string(),
  protocol: z.enum(['http1', 'h2c']),
  /** False: the route file has it, but Envoy has not been told of it yet. */
  active: z.boolean(),
  /** In the order of their addresses. */
  pods: z.array(pod).readonly(),
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
    /** Requests one pod may have at a time. */
    limit: z.number(),
    /** Only where an operator has paused it: its pods get no new request, and everything waits. */
    paused: z.exactOptional(order),
    /** How many requests may wait, and how long (milliseconds; 0: as long as it takes). */
    queue: z.object({ max: z.number(), timeoutMs: z.number() }),
    /** Its classes of requests, the highest first; absent: it has none. */
    classes: z.exactOptional(z.array(requestClass).readonly()),
    /** Where tenants take turns: how many have something waiting or in use, and those that have most. */
    tenants: z.exactOptional(z.object({ busy: z.number(), most: z.array(tenant).readonly() })),
    /** Requests that may be at all its pods together now. */
    slots: z.number(),
    /**
     * Only while several Envoys share slots: how many each of them holds, and how many nobody can use, as the Envoy that holds them is
     * away or it is not known yet who holds them.
     */
    shared: z.exactOptional(
      z.object({
        held: z.array(z.object({ node: z.string(), slots: z.number() })).readonly(),
        missing: z.number(),
        /** Only while some are missing: why, in words. */
        why: z.exactOptional(z.array(z.string()).readonly()),
        /** Only where another Sluice coordinates: it has told this. */
        isTold: z.exactOptional(z.literal(true)),
        /** Only where that one is away: since when this may not be so any more. */
        oldSince: z.exactOptional(moment),
      }),
    ),
    /** Requests at its pods now; absent, as is what follows, while no queue filter reports. */
    inUse: z.exactOptional(z.number()),
    /** Requests that wait now. */
    waiting: z.exactOptional(z.number()),
    /** How long the oldest of them has waited, in milliseconds; absent: none waits. */
    oldestWaitMs: z.exactOptional(z.number()),
    /** How long a request that came now would wait, by the usual work; absent: it would not, or that is not known. */
    expectedWaitMs: z.exactOptional(z.number()),
    /** Requests that have not joined the queue, because their bodies are on their way; absent: none. */
    coming: z.exactOptional(z.number()),
    /** Jobs that go on without their requests; they are among those in use. Absent: none. */
    jobs: z.exactOptional(z.number()),
    /** Pods that all that wait and are in use now would fill. */
    desiredPods: z.exactOptional(z.number()),
    traffic: z.exactOptional(traffic),
    /** From when these numbers may be out of date: the stream of a queue filter is down. Absent: they are up to date. */
    oldSince: z.exactOptional(moment),
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
  /** `pending`: something is not sent or not answered yet. `rejected`: Envoy did not take it. */
  status: z.enum(['in sync', 'pending', 'rejected']),
  /** The version Envoy last took; empty: none yet. */
  ackedVersion: z.string(),
  /** Of listeners: those that Envoy has, in some version. */
  active: z.exactOptional(z.array(z.string()).readonly()),
  /** Only when rejected: Envoy's own words, and what they are about. */
  rejection: z.exactOptional(z.object({ message: z.string(), resources: z.array(z.string()).readonly(), at: moment })),
});

const filter = z.object({
  /**
   * `connected`: it reports. `disconnected`: it goes on with what it knows, and what it does is not known. `off`: this
   * Envoy has none, and holds the limit alone. `rejected`: Envoy did not take it.
   */
  state: z.enum(['connected', 'disconnected', 'off', 'rejected']),
  /** Its instances, one for each worker of Envoy. */
  members: z
    .array(
      z.object({
        /** The hash of its code. */
        codeVersion: z.string(),
        memoryBytes: z.number(),
        connectedSince: moment,
        /** When its stream ended; absent: it is open. */
        lostAt: z.exactOptional(moment),
      }),
    )
    .readonly(),
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
  /** Its queue filter; absent for clients that carry no requests. */
  filter: z.exactOptional(filter),
});

const route = z.object({
  /** `routes[2]` in the route file, `HTTPRoute shop/checkout rules[0]` of an object. */
  name: z.string(),
  /** Empty: any host. */
  hosts: z.array(z.string()).readonly(),
  /** `/v1 and below`, `exactly /v1`, `regex /v\d+`. */
  path: z.string(),
  /** Further conditions: `POST`, `header x-a: b`, `query c`. */
  conditions: z.array(z.string()).readonly(),
  /** The services it leads to, mirrors included; empty for a redirect. */
  services: z.array(z.string()).readonly(),
  /** Where it leads, in words. */
  target: z.string(),
});

const event = z.object({
  at: moment,
  kind: z.enum(EVENT_KINDS),
  service: z.exactOptional(z.string()),
  pod: z.exactOptional(z.string()),
  node: z.exactOptional(z.string()),
  message: z.string(),
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
  /** Where Envoy takes requests: `0.0.0.0:8080`, for which host name (absent: any), and whether by TLS. */
  listeners: z
    .array(z.object({ name: z.string(), address: z.string(), hostname: z.exactOptional(z.string()), tls: z.boolean() }))
    .readonly(),
  /** In the order in which they are tried. */
  routes: z.array(route).readonly(),
  /** In the order of their names. */
  services: z.array(service).readonly(),
  /** Everything that operators have ordered and not taken back. */
  orders: z
    .array(
      z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('paused'), service: z.string(), by: z.string(), at: moment }),
        z.object({ kind: z.literal('drained'), pod: z.string(), by: z.string(), at: moment }),
      ]),
    )
    .readonly(),
  /** The Envoys that are connected, by id. */
  nodes: z.array(node).readonly(),
  /** Only while several Envoys share slots: the term of the coordinator, which is this Sluice, and its members. */
  sharing: z.exactOptional(
    z.object({
      term: z.number(),
      /** After so long the slots of a member that is away are given to others; absent: never. */
      reclaimMs: z.exactOptional(z.number()),
      members: z
        .array(
          z.object({
            node: z.string(),
            /** `joining`: it has not said yet what it holds. `away`: it may hold slots, and has no stream. */
            state: z.enum(['connected', 'joining', 'away']),
            /** Only when away: from when. */
            since: z.exactOptional(moment),
            /** Only of an Envoy of another Sluice: that one's name. */
            via: z.exactOptional(z.string()),
          }),
        )
        .readonly(),
    }),
  ),
  /** Only where another Sluice coordinates the slots, or is to. */
  follows: z.exactOptional(
    z.object({
      /** Where it is; absent: nobody is known to coordinate. */
      coordinator: z.exactOptional(z.string()),
      /** How it calls itself; absent: it has not been reached. */
      name: z.exactOptional(z.string()),
      /** `away`: it has not answered, or not for each filter that is connected here. */
      state: z.enum(['connected', 'away']),
      /** From when; absent: nobody is known. */
      since: z.exactOptional(moment),
      /** The filters that are connected here. `joining`: the coordinator does not know yet what it holds. */
      members: z.array(z.object({ node: z.string(), state: z.enum(['connected', 'joining']) })).readonly(),
    }),
  ),
  /** Everything that is wrong, those of the route file and the sources included. */
  problems: z.array(problem).readonly(),
  /** What happened in the last hour, newest first; only so many. */
  events: z.array(event).readonly(),
});

/** What is true now. */
export type Status = z.infer<typeof statusSchema>;

/** One service and its pods. */
export type ServiceStatus = Status['services'][number];

/** One with a limit. */
export type LimitedStatus = Extract<ServiceStatus, { kind: 'limited' }>;

/** One pod of a service. */
export type PodStatus = ServiceStatus['pods'][number];

/** One connected Envoy. */
export type NodeStatus = Status['nodes'][number];

/** One route. */
export type RouteStatus = Status['routes'][number];

/** Something that happened. */
export type EventStatus = Status['events'][number];
