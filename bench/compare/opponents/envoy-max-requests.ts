import { FULL_SCAN, plainEnvoy } from './envoy-process.ts';

/** The same, and what is above the slots of all pods is refused with 503 (plain Envoy, circuit breaker `max_requests`). */
export const maxRequests = plainEnvoy({
  name: 'max-requests',
  title: 'Envoy, max_requests',
  about:
    'The same, and what is above the slots of all pods is refused with 503 (plain Envoy, circuit breaker `max_requests`).',
  policy: FULL_SCAN,
  breaker: 'max_requests',
});
