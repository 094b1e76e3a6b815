import { envoy } from '#xds';
import type { EncodedResource } from '../snapshot/resource.ts';
import { HEADERS, PARKING } from './contract.ts';
import { resource } from './encode.ts';
import { httpConnectionManager, router } from './http-connection-manager.ts';

const { Listener } = envoy.config.listener.v3;

/** Clients only see this when their request cannot be sent again: for that Envoy must hold its whole body. */
const TOO_LARGE = `${JSON.stringify({
  error: 'no pod reachable',
  message: 'There is no pod now, and the body is too large to wait for one. No pod has seen the request.',
})}\n`;

/**
 * Where a request goes while its service has no pod: an internal listener that answers "try again". At once, since a try is
 * all that `timeout.request` limits: the rest is between the tries. The answer is no 5xx, so that outlier detection never
 * ejects the parking places themselves.
 */
export function parkingListener(): EncodedResource {
  return resource(Listener, PARKING, {
    name: PARKING,
    internalListener: {},
    perConnectionBufferLimitBytes: { value: 4096 },
    filterChains: [
      {
        filters: [
          httpConnectionManager({
            statPrefix: PARKING,
            routeConfig: {
              name: PARKING,
              virtualHosts: [
                {
                  name: 'all',
                  domains: ['*'],
                  routes: [
                    {
                      match: { prefix: '/' },
                      directResponse: { status: 425, body: { inlineString: TOO_LARGE } },
                      responseHeadersToAdd: [
                        { header: { key: HEADERS.parked, value: '1' } },
                        { header: { key: 'content-type', value: 'application/json' } },
                        { header: { key: 'retry-after', value: '1' } },
                      ],
                    },
                  ],
                },
              ],
            },
            httpFilters: [router()],
          }),
        ],
      },
    ],
  });
}
