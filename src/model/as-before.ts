import type { Model, ServiceWithPods } from './model.ts';
import { type Pod, samePods } from './pod.ts';
import type { Routing } from './routing.ts';

/**
 * The service as it was published last, where it is the same now: a pod that drains is looked at again and again, and
 * only when something has come of it is anything to be made of it anew. `found`: the source's own list of pods.
 */
export function serviceAsBefore(
  made: ServiceWithPods,
  found: readonly Pod[],
  was: ServiceWithPods | undefined,
): ServiceWithPods {
  // The source's list itself is kept: while it is the same array nothing of the service is looked at.
  if (was?.service !== made.service || was.line !== undefined || made.pods === found) return made;
  if (!samePods(made.pods, was.pods)) return made;
  const { gate } = made;
  const isSame = gate?.slots === was.gate?.slots && gate?.pending === was.gate?.pending;
  return isSame ? was : { ...made, pods: was.pods };
}

/** The model of these services, with nothing that retires: that of last time when it is the same, as it mostly is. */
export function modelAsBefore(
  routing: Routing,
  services: readonly ServiceWithPods[],
  before: Model | undefined,
): Model {
  const isSame =
    before?.routing === routing &&
    before.retiring.length === 0 &&
    before.services.length === services.length &&
    services.every((service, at) => service === before.services[at]);
  return isSame ? before : { routing, services, retiring: [] };
}
