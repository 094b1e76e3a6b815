import type { RouteFile } from '../e2e/kit/sluice.ts';

/** The queues: all requests for `/a/…` wait in one, all for `/b/…` in the other, whatever their services are called. */
export const LANES = ['a', 'b'] as const;

/** One of them. */
export type Lane = (typeof LANES)[number];

/** Pods in all; a schedule names them by number. */
export const PODS = 8;

/** What the service of a lane is at a time. */
export interface LaneSetup {
  readonly name: string;
  readonly protocol: 'http1' | 'h2c';
  readonly limit: number;
  readonly queueMax: number;
  /** 0: as long as it takes. */
  readonly queueTimeoutMs: number;
  /** 0: as long as it takes. */
  readonly requestTimeoutMs: number;
  readonly connectMs: number;
  /** Numbers of its pods. */
  readonly pods: readonly number[];
}

/** What the route file says at a time. */
export type Setup = Readonly<Record<Lane, LaneSetup>>;

/** What an edit changes of a lane. */
export type LaneChange = Partial<Omit<LaneSetup, 'pods'>>;

const COMMON = { queueMax: 300, queueTimeoutMs: 0, requestTimeoutMs: 0, connectMs: 1000 } as const;

/** Where every run begins. */
export const FIRST_SETUP: Setup = {
  a: { ...COMMON, name: 'a0', protocol: 'http1', limit: 2, pods: [0, 1, 2, 3] },
  b: { ...COMMON, name: 'b0', protocol: 'h2c', limit: 3, pods: [4, 5, 6] },
};

/** With this of a lane changed. */
export function changeLane(setup: Setup, lane: Lane, change: LaneChange): Setup {
  return { ...setup, [lane]: { ...setup[lane], ...change } };
}

/** With the pod in this lane and in no other; undefined: in none. */
export function movePod(setup: Setup, pod: number, to: Lane | undefined): Setup {
  const moved = (lane: Lane): LaneSetup => {
    const others = setup[lane].pods.filter((one) => one !== pod);
    return { ...setup[lane], pods: lane === to ? [...others, pod].sort((a, b) => a - b) : others };
  };
  return { a: moved('a'), b: moved('b') };
}

/** The first ejection. Short, so that a pod that was in trouble is soon usable again. */
const EJECT = '300ms';

/** The route file; `addresses` are those of the pods, by number. */
export function routeFileOf(setup: Setup, addresses: readonly string[]): RouteFile {
  const services = LANES.map((lane) => {
    const { name, protocol, limit, pods, ...rest } = setup[lane];
    const keys = {
      static: pods.map((pod) => addresses[pod]),
      protocol,
      limit,
      queue: { max: rest.queueMax, timeout: `${rest.queueTimeoutMs}ms` },
      timeout: { request: `${rest.requestTimeoutMs}ms`, connect: `${rest.connectMs}ms` },
      outlier: { consecutive_5xx: 5, eject: EJECT },
    };
    return [name, keys] as const;
  });
  return {
    services: Object.fromEntries(services),
    routes: LANES.map((lane) => ({ match: { prefix: `/${lane}/` }, service: setup[lane].name })),
  };
}
