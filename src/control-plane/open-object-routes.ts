import { randomUUID } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { HttpApi } from '../kubernetes/http-api.ts';
import { Lease } from '../kubernetes/lease.ts';
import type { AddressOptions } from '../routes/gateway-api/addresses.ts';
import { gatewayApi } from '../routes/gateway-api/translate.ts';
import { type IngressOptions, ingressRoutes } from '../routes/ingress/translate.ts';
import { type IstioOptions, istioRoutes } from '../routes/istio/translate.ts';
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
  /** Istio's VirtualServices and DestinationRules; undefined: likewise. */
  readonly istio?: IstioOptions;
  /** The Lease that the one of several Sluices has that tells objects what came of them. */
  readonly lease: string;
}

/** The source of routes from Kubernetes objects; undefined: none are wanted. */
export function openObjectRoutes(
  { objects, kubeconfig, log }: Pick<ControlPlaneOptions, 'objects' | 'kubeconfig' | 'log'>,
  metrics: Metrics,
): ObjectRoutes | undefined {
  if (objects === undefined) return undefined;
  const kinds = kindsOf(objects);
  if (kinds.length === 0) return undefined;
  const api = new HttpApi({ kubeconfig });
  const own = sourceLog(log, 'kubernetes');
  const identity = `${hostname()}_${randomUUID()}`;
  return new ObjectRoutes({
    kinds,
    api,
    clock: systemClock,
    instance: hostname(),
    log: own,
    lease: new Lease({
      api,
      clock: systemClock,
      random: Math.random,
      log: own,
      name: objects.lease,
      identity,
      withoutRight: {
        isHeld: true,
        level: 'info',
        message: 'without the right to a Lease every Sluice writes statuses; with only one Sluice that does no harm',
      },
    }),
    countStatus: (result) => metrics.recordStatusWrite(result),
    count: (event) => metrics.recordSourceEvent('kubernetes', event),
  });
}

/** Every kind of routes from objects: the one list of them. */
function kindsOf(choice: ObjectRoutesChoice): readonly RouteKind[] {
  const kinds = [
    ...(choice.gatewayApi === undefined ? [] : [gatewayApi(withOwnAddress(choice.gatewayApi))]),
    ...(choice.ingress === undefined ? [] : [ingressRoutes(choice.ingress)]),
    ...(choice.istio === undefined ? [] : [istioRoutes(choice.istio)]),
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
