import { type GateLimit, gatesOf, type Model, type ServiceWithPods } from '../model/model.ts';
import type { ServiceName } from '../model/service.ts';

/** What has to happen for a change, in this order. */
export interface Stages {
  /** The old model with lowered limits, if any are: no request may be on its way to a pod that goes. */
  readonly lowered: Model | undefined;
  /** Gates to kick once Envoy has the new model: their limit was raised, which wakes nobody by itself. */
  readonly raised: readonly ServiceName[];
}

/** The order in which a change reaches Envoy so that no pod is ever given more than its limit. */
export function stages(before: Model | undefined, after: Model): Stages {
  if (before === undefined) return { lowered: undefined, raised: [] };
  const changes = changedGates(before, after);
  const lower = new Map(changes.filter(({ by }) => by < 0).map(({ name, gate }) => [name, gate.slots]));
  const raised = changes.filter(({ by }) => by > 0).map(({ name }) => name);
  if (lower.size === 0) return { lowered: undefined, raised };
  const lowered = mapGates(before, (name, gate) => {
    const slots = lower.get(name);
    return slots === undefined ? gate : { ...gate, slots };
  });
  return { lowered, raised };
}

/** Gates with other slots than before, and by how many. Services that are the same objects are not looked at. */
function changedGates(before: Model, after: Model) {
  const fresh = after.services.filter((service, at) => service !== before.services[at]);
  return [...fresh, ...after.retiring].flatMap(({ service, gate }) => {
    if (gate === undefined) return [];
    const { name } = service;
    const was = before.services.find((old) => old.service === service) ?? { gate: gatesOf(before).get(name) };
    const by = gate.slots - (was.gate?.slots ?? gate.slots);
    return by === 0 ? [] : [{ name, gate, by }];
  });
}

/** The model while these gates, whose lines are full, are kicked: they would refuse the kick that is to empty them. */
export function withRoomForKicks(model: Model, full: ReadonlySet<ServiceName>): Model {
  if (full.size === 0) return model;
  return mapGates(model, (name, gate) => (full.has(name) ? { ...gate, pending: gate.pending + 1 } : gate));
}

function mapGates(model: Model, map: (name: ServiceName, gate: GateLimit) => GateLimit): Model {
  const change = <S extends ServiceWithPods>(service: S): S => {
    const gate = service.gate && map(service.service.name, service.gate);
    return gate === service.gate ? service : { ...service, gate };
  };
  return { ...model, services: model.services.map(change), retiring: model.retiring.map(change) };
}
