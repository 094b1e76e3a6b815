import { fullScan } from './envoy-full-scan.ts';
import { maxConnections } from './envoy-max-connections.ts';
import { maxRequests } from './envoy-max-requests.ts';
import { random } from './envoy-random.ts';
import { roundRobin } from './envoy-round-robin.ts';
import { twoChoices } from './envoy-two-choices.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import type { OpponentKind, OpponentName } from './opponent.ts';
import { sluice } from './sluice.ts';

/** Every opponent by its name. */
export const opponentKinds: Readonly<Record<OpponentName, OpponentKind>> = {
  sluice,
  haproxy,
  'full-scan': fullScan,
  'two-choices': twoChoices,
  'round-robin': roundRobin,
  random,
  nginx,
  'max-requests': maxRequests,
  'max-connections': maxConnections,
};
