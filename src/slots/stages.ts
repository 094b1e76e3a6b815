import type { GateLimit, Model, ServiceWithPods } from '../model/model.ts';
import type { ServiceName } from '../model/service.ts';

/** One step of a publication. */
export interface Stage {
  readonly model: Model;
  /** Gates to kick once Envoy has this stage: their limit was raised, which wakes nobody by itself. */
  readonly kick: readonly ServiceName[];
}

/**
 * The order in which a change reaches Envoy so that no pod is ever given more than its limit:
 * first the lowered limits with the pods as they were, then everything, then kicks for raised limits. While
 * a gate is kicked its line has one place more, since a full line would refuse the kick that is to empty it.
 */
export function stages(before: Model | undefined, after: Model): readonly Stage[] {
  const old = new Map(before?.services.map((service) => [service.service.name, service]));
  const gateBefore = ({ service }: ServiceWithPods) => old.get(service.name)?.gate;
  const lowered = after.services.filter((service) => compare(gateBefore(service), service.gate) < 0);
  const kick = after.services
    .filter((service) => compare(gateBefore(service), service.gate) > 0)
    .map(({ service }) => service.name);
  return [
    ...(before === undefined || lowered.length === 0 ? [] : [{ model: lower(before, lowered), kick: [] }]),
    ...(kick.length === 0 ? [] : [{ model: boost(after, new Set(kick)), kick }]),
    { model: after, kick: [] },
  ];
}

/** Below 0: the slots go down; above: they go up; 0 also for a gate that is new or gone. */
function compare(before: GateLimit | undefined, after: GateLimit | undefined): number {
  return before === undefined || after === undefined ? 0 : after.slots - before.slots;
}

/** The old model with the new, lower limits: pods may go only when nothing is on its way to them any more. */
function lower(before: Model, lowered: readonly ServiceWithPods[]): Model {
  const gates = new Map(lowered.map(({ service, gate }) => [service.name, gate]));
  return {
    ...before,
    services: before.services.map((service) => {
      const gate = gates.get(service.service.name);
      return gate === undefined || service.gate === undefined
        ? service
        : { ...service, gate: { slots: gate.slots, pending: service.gate.pending } };
    }),
  };
}

function boost(after: Model, kicked: ReadonlySet<ServiceName>): Model {
  return {
    ...after,
    services: after.services.map((service) =>
      service.gate === undefined || !kicked.has(service.service.name)
        ? service
        : { ...service, gate: { ...service.gate, pending: service.gate.pending + 1 } },
    ),
  };
}
