import { FULL_SCAN, plainEnvoy } from './envoy-process.ts';

/** Plain Envoy with a queue for each pod: `max_connections` to it, and whoever has none waits for that pod. */
export const maxConnections = plainEnvoy({
  name: 'max-connections',
  title: 'Envoy, max_connections',
  about:
    'A queue for each pod, in one hop (plain Envoy, circuit breaker `max_connections`): only of use where there is one pod.',
  policy: FULL_SCAN,
  breaker: 'max_connections',
});
