import { FULL_SCAN, plainEnvoy } from './envoy-process.ts';

/** Of all pods, the one that holds the fewest (plain Envoy, `least_request` with `FULL_SCAN`). */
export const fullScan = plainEnvoy({
  name: 'full-scan',
  title: 'Least request, full scan',
  about: 'Of all pods, the one that holds the fewest (plain Envoy, `least_request` with `FULL_SCAN`).',
  policy: FULL_SCAN,
});
