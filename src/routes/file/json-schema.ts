import type { Fields } from './shape.ts';

/** A JSON Schema (draft 2020-12), as far as the route file needs it. */
export type JsonSchema = boolean | JsonKeywords;

type JsonType = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';

/** The keywords of JSON Schema that are used here. */
export interface JsonKeywords {
  readonly $ref?: string;
  readonly type?: JsonType | readonly JsonType[];
  readonly description?: string;
  readonly default?: string | number;
  readonly enum?: readonly (string | number)[];
  readonly const?: string | number | boolean;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly propertyNames?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly if?: JsonSchema;
  readonly then?: JsonSchema;
  readonly else?: JsonSchema;
}

/** What every value may be instead: its text comes from the environment. */
export const PLACEHOLDER: JsonKeywords = { type: 'string', pattern: '\\$\\{' };

/** Where `PLACEHOLDER` is in the schema of the file. */
export const PLACEHOLDER_NAME = 'placeholder';

/** A single value, or a placeholder for it. */
export function orPlaceholder(schema: JsonSchema): JsonKeywords {
  return { anyOf: [schema, { $ref: `#/$defs/${PLACEHOLDER_NAME}` }] };
}

interface MapRules {
  readonly exactlyOne?: readonly string[];
  readonly unknown?: 'error' | 'warning';
  readonly rules?: readonly JsonSchema[];
}

/** A map with known keys. */
export function mapSchema(fields: Fields, { exactlyOne, unknown = 'error', rules }: MapRules): JsonKeywords {
  const entries = Object.entries(fields);
  const required = entries.filter(([, { presence }]) => presence === 'required').map(([key]) => key);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([key, field]) => [key, fieldSchema(field)])),
    ...(required.length === 0 ? {} : { required }),
    // A key that is only warned of is no error in an editor either.
    ...(unknown === 'error' ? { additionalProperties: false } : {}),
    ...(exactlyOne === undefined ? {} : { oneOf: exactlyOne.map((key) => ({ required: [key] })) }),
    ...(rules === undefined ? {} : { allOf: rules }),
  };
}

function fieldSchema({ shape, presence, description, fallback, otherwise }: Fields[string]): JsonSchema {
  const without = otherwise === undefined ? '' : ` Left out: ${otherwise}.`;
  const about = { description: `${description}${without}` };
  const written = presence === 'defaulted' ? { default: toJson(shape.write(fallback)) } : {};
  return { ...shape.schema, ...about, ...written };
}

/** A value as it is written in the file, as JSON has it. */
function toJson(written: string): string | number {
  return /^\d+$/.test(written) ? Number(written) : written;
}
