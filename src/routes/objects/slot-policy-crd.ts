import type { JsonKeywords, JsonSchema } from '../file/json-schema.ts';
import { mapSchema } from '../file/json-schema.ts';
import { ONLY_LIMITED } from '../file/queue.ts';
import { settingsFields } from './service-settings.ts';

/** A schema as a CustomResourceDefinition has it: structural, so each value has one type. */
type CrdSchema = Readonly<Record<string, unknown>>;

/** What no schema of single keys can say, in CEL, as the API server checks it. */
const RULES: readonly { readonly rule: string; readonly message: string }[] = [
  {
    rule: 'has(self.limit) || !has(self.idempotency)',
    message: 'idempotency: only with a limit: without one there is no queue',
  },
  {
    rule: 'has(self.limit) || !has(self.async)',
    message: 'async: only with a limit: without one there are no slots to keep',
  },
  {
    rule: '!(has(self.limit) && has(self.balance))',
    message: 'balance: only without a limit: with a limit the next request always goes to the first free pod',
  },
  {
    rule: '!(has(self.limit) && has(self.max_requests))',
    message: 'max_requests: only without a limit: with a limit queue.max bounds how many wait',
  },
  {
    rule: 'has(self.limit) || !has(self.cost)',
    message: 'cost: only with a limit: without one there are no slots',
  },
  {
    rule: 'has(self.limit) || !has(self.pod_limits)',
    message: 'pod_limits: only with a limit: the Pods that say none need one',
  },
  {
    rule: 'has(self.limit) || !has(self.scale) || !has(self.scale.down_after)',
    message: 'scale.down_after: only with a limit: without one it is not known how many pods are needed',
  },
  ...ONLY_LIMITED.map((key) => ({
    rule: `has(self.limit) || !has(self.queue) || !has(self.queue.${key})`,
    message: `queue.${key}: only with a limit: without one nothing waits in a queue`,
  })),
];

/** The CustomResourceDefinition of SlotPolicy, from the same table of keys that the route file is read by. */
export function slotPolicyDefinition(): Readonly<Record<string, unknown>> {
  const keys = mapSchema(settingsFields, {});
  const { properties = {} } = structural(keys);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'slotpolicies.sluice.dev',
      // GEP-713: tools find policies by it.
      labels: { 'gateway.networking.k8s.io/policy': 'Direct' },
    },
    spec: {
      group: 'sluice.dev',
      scope: 'Namespaced',
      names: { kind: 'SlotPolicy', plural: 'slotpolicies', singular: 'slotpolicy', shortNames: ['slots'] },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            { name: 'Limit', type: 'integer', jsonPath: '.spec.limit' },
            {
              name: 'Accepted',
              type: 'string',
              jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
            },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description:
                'How many requests each pod of a Service may hold at a time, and what becomes of the others.',
              required: ['spec'],
              properties: {
                spec: {
                  type: 'object',
                  required: ['targetRefs'],
                  properties: { targetRefs: TARGETS, ...properties },
                  'x-kubernetes-validations': RULES,
                },
                status: STATUS,
              },
            },
          },
        },
      ],
    },
  };
}

const TARGETS: CrdSchema = {
  type: 'array',
  description: 'The Services that this is about, in the namespace of the policy.',
  minItems: 1,
  maxItems: 16,
  items: {
    type: 'object',
    required: ['name'],
    properties: {
      group: { type: 'string', enum: [''], default: '' },
      kind: { type: 'string', enum: ['Service'], default: 'Service' },
      name: { type: 'string', minLength: 1, maxLength: 63 },
    },
  },
};

const STATUS: CrdSchema = {
  type: 'object',
  properties: {
    conditions: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
        properties: {
          type: { type: 'string' },
          status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
          reason: { type: 'string' },
          message: { type: 'string' },
          observedGeneration: { type: 'integer', format: 'int64' },
          lastTransitionTime: { type: 'string', format: 'date-time' },
        },
      },
    },
  },
};

function structural(schema: JsonKeywords): { readonly properties?: Readonly<Record<string, CrdSchema>> } & CrdSchema {
  const { description, properties, required, minimum, maximum, pattern, anyOf, type } = schema;
  const about = description === undefined ? {} : { description };
  const bounds = {
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    // The API server has RE2, which does not look around; Sluice itself checks all of it.
    ...(pattern === undefined || pattern.includes('(?') ? {} : { pattern }),
  };
  if (anyOf !== undefined) return { ...about, ...ofChoices(anyOf) };
  if (properties !== undefined) {
    return {
      ...about,
      type: 'object',
      ...(required === undefined ? {} : { required }),
      properties: Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, structural(keywords(one))])),
    };
  }
  if (schema.enum !== undefined) return { ...about, type: 'string', enum: schema.enum };
  if (type === 'array') {
    const { items = true, minItems } = schema;
    return { ...about, type, items: structural(keywords(items)), ...(minItems === undefined ? {} : { minItems }) };
  }
  // By names of the user's own, such as weights of tenants.
  if (type === 'object') {
    return { ...about, type, additionalProperties: structural(keywords(schema.additionalProperties ?? true)) };
  }
  // Texts may be written as numbers in the file; the API server tells them apart.
  return { ...about, type: typeof type === 'string' ? type : 'string', ...bounds };
}

/** A value or a placeholder for it, which objects do not have; or a duration, which may be the number 0. */
function ofChoices(choices: readonly JsonSchema[]): CrdSchema {
  const own = choices.map(keywords).filter(({ $ref }) => $ref === undefined);
  const [first] = own;
  if (own.length === 1 && first !== undefined) return structural(first);
  const pattern = own.find((one) => one.pattern !== undefined)?.pattern;
  return {
    'x-kubernetes-int-or-string': true,
    // Patterns are for texts, bounds for numbers: the only one is 0.
    ...(pattern === undefined ? {} : { pattern: `^0$|${pattern}` }),
    minimum: 0,
    maximum: 0,
  };
}

function keywords(schema: JsonSchema): JsonKeywords {
  return typeof schema === 'boolean' ? {} : schema;
}
