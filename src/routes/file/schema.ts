import { type JsonKeywords, PLACEHOLDER, PLACEHOLDER_NAME } from './json-schema.ts';
import { lbagent, version1 } from './keys.ts';

/** The JSON Schema of a file. */
export interface FileSchema extends JsonKeywords {
  readonly $schema: string;
  readonly title: string;
  readonly $defs: Readonly<Record<string, JsonKeywords>>;
}

/**
 * The JSON Schema of the route file, from the table of keys. Editors check and complete by it. What no schema can say
 * (a route to a service that is not there, a route that is never reached) is left to `sluice validate`.
 */
export function routeFileSchema(): FileSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Route file of Sluice',
    description: 'Which requests go to which service, and how many of them a pod may hold at a time.',
    // The form of k8s-service-lbagent is the one whose routes have a uri.
    if: {
      properties: { version: false, routes: { type: 'array', items: { required: ['uri'] } } },
      required: ['routes'],
    },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: lbagent.schema,
    else: version1.schema,
    $defs: { [PLACEHOLDER_NAME]: PLACEHOLDER },
  };
}
