import { hostname, networkInterfaces } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { HttpApi } from '../kubernetes/http-api.ts';
import type { AddressOptions } from '../routes/gateway-api/addresses.ts';
import { gatewayApi } from '../routes/gateway-api/translate.ts';
import { type IngressOptions, ingressRoutes } from '../routes/ingress/translate.ts';
import { slotPolicyStatuses } from '../routes/objects/slot-policy.ts';
import { ObjectRoutes } from '../routes/objects/source.ts';
import type { RouteKind } from '../routes/objects/translation.ts';
import type { Metrics } from '../status/metrics.ts';
import type { ControlPlaneOptions } from './assemble.ts';
import { sourceLog } from './log-events.ts';

/** Which objects routes are made of. */
export interface ObjectRoutesChoice {
  /** Those of the Gateway API; undefined: they are left alone. */
  readonly gatewayApi?: AddressOptions;
  /** Ingresses; undefined: likewise. */
  readonly ingress?: IngressOptions;
}

/** The source of routes from Kubernetes objects; undefined: none are wanted. */
export function openObjectRoutes(
  { objects = {}, kubeconfig, log }: Pick<ControlPlaneOptions, 'objects' | 'kubeconfig' | 'log'>,
  metrics: Metrics,
): ObjectRoutes | undefined {
  const kinds = kindsOf(objects);
  if (kinds.length === 0) return undefined;
  return new ObjectRoutes({
    kinds,
    api: new HttpApi({ kubeconfig }),
    clock: systemClock,
    instance: hostname(),
    log: sourceLog(log, 'kubernetes'),
    count: (event) => metrics.recordSourceEvent('kubernetes', event),
  });
}

/** Every kind of routes from objects: the one list of them. */
function kindsOf(choice: ObjectRoutesChoice): readonly RouteKind[] {
  const kinds = [
    ...(choice.gatewayApi === undefined ? [] : [gatewayApi(withOwnAddress(choice.gatewayApi))]),
    ...(choice.ingress === undefined ? [] : [ingressRoutes(choice.ingress)]),
  ];
  return kinds.length === 0 ? [] : [...kinds, slotPolicyStatuses];
}

/** Whoever names no address is reached at this machine's. */
function withOwnAddress(options: AddressOptions): AddressOptions {
  const { pool, published } = options;
  if (pool.length > 0 || published.addresses.length > 0 || published.service !== undefined) return options;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const own = addresses.find(({ internal, family }) => !internal && family === 'IPv4');
  return { pool, published: { addresses: own === undefined ? [] : [own.address] } };
}
