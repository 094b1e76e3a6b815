import { envoy } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import type { Balance, Service } from '../model/service.ts';
import { HEADERS } from './contract.ts';
import { extension } from './encode.ts';
import type { FilterOptions } from './options.ts';

const { LeastRequest } = envoy.extensions.load_balancing_policies.least_request.v3;
const { RoundRobin } = envoy.extensions.load_balancing_policies.round_robin.v3;
const { Random } = envoy.extensions.load_balancing_policies.random.v3;
const { OverrideHost } = envoy.extensions.load_balancing_policies.override_host.v3;

type Balancing = envoy.config.cluster.v3.LoadBalancingPolicy.$Properties;
type Policy = NonNullable<Balancing['policies']>[number];

/** Who chooses the pod: of a limited service the filter, and Envoy where the filter has not; of others Envoy. */
export function balancing({ discipline }: Service, filter: FilterOptions): Balancing {
  switch (discipline.kind) {
    case 'limited':
      return only(filter.kind === 'off' ? byEnvoy('least_request') : byFilter(byEnvoy('least_request')));
    case 'balanced':
      return only(byEnvoy(discipline.balance));
    default:
      return assertNever(discipline);
  }
}

/** `fallback`: who chooses for the further tries of a request. */
function byFilter(fallback: Policy): Policy {
  return {
    typedExtensionConfig: extension('override_host', OverrideHost, {
      overrideHostSources: [{ header: HEADERS.pod }],
      fallbackPolicy: only(fallback),
    }),
  };
}

function byEnvoy(balance: Balance): Policy {
  switch (balance) {
    case 'least_request':
      return {
        // The whole set is looked at, not two at random: the next request goes to the pod with the fewest.
        typedExtensionConfig: extension('least_request', LeastRequest, {
          selectionMethod: LeastRequest.SelectionMethod.FULL_SCAN,
        }),
      };
    case 'round_robin':
      return { typedExtensionConfig: extension('round_robin', RoundRobin, {}) };
    case 'random':
      return { typedExtensionConfig: extension('random', Random, {}) };
    default:
      return assertNever(balance);
  }
}

function only(policy: Policy): Balancing {
  return { policies: [policy] };
}
