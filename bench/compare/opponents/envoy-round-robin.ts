import { plainEnvoy } from './envoy-process.ts';

/** Each pod in turn (plain Envoy, `round_robin`). */
export const roundRobin = plainEnvoy({
  name: 'round-robin',
  title: 'Round robin',
  about: 'Each pod in turn (plain Envoy, `round_robin`).',
  policy: { name: 'round_robin', message: 'RoundRobin' },
});
