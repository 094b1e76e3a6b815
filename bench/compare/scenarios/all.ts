import { jobs20ms, jobs100ms, onePod } from './against-haproxy.ts';
import { balancing } from './balancing.ts';
import { dyingPod } from './dying-pod.ts';
import { fourRequests } from './four-requests.ts';
import { grpcCalls } from './grpc.ts';
import { heavyTails } from './heavy-tails.ts';
import { highRate } from './high-rate.ts';
import { fairShares, priority } from './orders.ts';
import { rolling } from './rolling.ts';
import { scale } from './scale.ts';
import type { Scenario } from './scenario.ts';
import { video } from './video.ts';

/** Every scenario, in the order of the page. */
export const SCENARIOS: readonly Scenario[] = [
  fourRequests,
  video,
  heavyTails,
  scale,
  dyingPod,
  rolling,
  grpcCalls,
  jobs100ms,
  jobs20ms,
  onePod,
  highRate,
  balancing,
  priority,
  fairShares,
];
