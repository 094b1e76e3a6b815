import { createHash } from 'node:crypto';
import type { Brand } from '../base/brand.ts';
import { remember } from '../base/remember.ts';
import type { Service, ServiceName } from './service.ts';

/**
 * Names the pods of a service under certain settings: `codec@4f1c2d`. Envoy can change a cluster only by putting
 * a new one in its place, which counts requests from 0 beside those that run: twice the limit. So other settings
 * are other pods: a new cluster beside the old one, into which each pod moves when its old requests have ended.
 * The same settings have the same name after a restart too.
 */
export type PodsId = Brand<string, 'PodsId'>;

const known = new WeakMap<Service, PodsId>();

/** See `PodsId`. A service without a limit promises nothing that a replaced cluster could break, and keeps its name. */
export function podsId(service: Service): PodsId {
  // Asked for every service at every change of a pod, while a service stays the same object until the file changes.
  return remember(known, service, makePodsId);
}

function makePodsId(service: Service): PodsId {
  const { name, protocol, discipline, timeout, health, outlier } = service;
  // Made here and by `serviceOf` undone: that is what the brand stands for.
  if (discipline.kind === 'balanced') return name as string as PodsId;
  const settings = JSON.stringify([protocol, discipline.limit, timeout.connect, health ?? null, outlier]);
  return `${name}@${createHash('sha256').update(settings).digest('hex').slice(0, 6)}` as PodsId;
}

/** The service that these are the pods of. */
export function serviceOf(id: PodsId): ServiceName {
  // A service's name has no `@`, so what stands before it is the name that `podsId` put there.
  return id.split('@')[0] as string as ServiceName;
}
