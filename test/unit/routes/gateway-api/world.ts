import {
  BACKEND_TLS_POLICIES,
  GATEWAY_CLASSES,
  GATEWAYS,
  GRPC_ROUTES,
  HTTP_ROUTES,
  LISTENER_SETS,
  REFERENCE_GRANTS,
} from '../../../../src/routes/gateway-api/objects.ts';
import { gatewayApi } from '../../../../src/routes/gateway-api/translate.ts';
import type { Condition } from '../../../../src/routes/objects/condition.ts';
import { CONFIG_MAPS, NAMESPACES, SECRETS, SERVICES } from '../../../../src/routes/objects/core.ts';
import { keyOf } from '../../../../src/routes/objects/object.ts';
import { SLOT_POLICIES, slotPolicyStatuses } from '../../../../src/routes/objects/slot-policy.ts';
import type { ObjectStore } from '../../../../src/routes/objects/store.ts';
import type { Translation, TranslationContext } from '../../../../src/routes/objects/translation.ts';
import { storeOf } from '../objects-of.ts';

const RESOURCES = [
  GATEWAY_CLASSES,
  GATEWAYS,
  LISTENER_SETS,
  HTTP_ROUTES,
  GRPC_ROUTES,
  REFERENCE_GRANTS,
  BACKEND_TLS_POLICIES,
  SLOT_POLICIES,
  SERVICES,
  SECRETS,
  CONFIG_MAPS,
  NAMESPACES,
];

/** When translations of tests happen. */
export const NOW = '2026-01-02T03:04:05Z';

/** A class, a Gateway `shop/edge` with a plain listener at port 80 for routes of its namespace, and a Service `shop/codec`. */
export const BASE = `
kind: GatewayClass
metadata: {name: sluice}
spec: {controllerName: sluice.dev/gateway-controller}
---
kind: Gateway
metadata: {namespace: shop, name: edge, generation: 3}
spec:
  gatewayClassName: sluice
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
kind: Service
metadata: {namespace: shop, name: codec}
spec: {ports: [{port: 80}]}
---
`;

/** Objects of a YAML text, as an API server would have them. */
export function objectsOf(...texts: readonly string[]): ObjectStore {
  return storeOf(RESOURCES, texts);
}

/** What these objects come to, with addresses 10.0.0.1 and 10.0.0.2. */
export function translated(objects: ObjectStore, context: Partial<TranslationContext> = {}): Translation {
  const options = { pool: ['10.0.0.1', '10.0.0.2'], published: { addresses: [] } };
  const whole = { now: NOW, before: new Map(), closed: new Map(), ...context };
  const { part, statuses } = gatewayApi(options).translate(objects, whole);
  const policies = slotPolicyStatuses.translate(objects, whole);
  return {
    part: { ...part, problems: [...part.problems, ...policies.part.problems] },
    statuses: [...statuses, ...policies.statuses],
  };
}

/** `Accepted=True Accepted`, … of the conditions in a status, found by a path such as `parents.0.conditions`. */
export function conditionsOf({ statuses }: Translation, key: string, path = 'conditions'): readonly string[] {
  const wish = statuses.find(({ resource, object }) => `${resource.kind} ${keyOf(object.metadata)}` === key);
  let found: unknown = wish?.status;
  for (const step of path.split('.')) {
    if (typeof found !== 'object' || found === null) return [`nothing at ${path}`];
    found = Object.entries(found).find(([name]) => name === step)?.[1];
  }
  return (found as readonly Condition[]).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}
