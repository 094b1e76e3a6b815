import { plainEnvoy } from './envoy-process.ts';

/** Of two pods chosen at random, the one that holds fewer (plain Envoy, `least_request`, its default). */
export const twoChoices = plainEnvoy({
  name: 'two-choices',
  title: 'Least request, two choices',
  about: 'Of two pods chosen at random, the one that holds fewer (plain Envoy, `least_request`, its default).',
  policy: { name: 'least_request', message: 'LeastRequest' },
});
