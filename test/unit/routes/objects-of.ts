import { parseAllDocuments } from 'yaml';
import type { KubeObject, Resource } from '../../../src/routes/objects/object.ts';
import { ObjectStore } from '../../../src/routes/objects/store.ts';

/** Objects of YAML texts, each of one of these resources, as an API server would have them. */
// Each resource has a type of its own; objects of tests are written as users write them.
// biome-ignore lint/suspicious/noExplicitAny: see above
export function storeOf(resources: readonly Resource<any>[], texts: readonly string[]): ObjectStore {
  const store = new ObjectStore();
  for (const document of texts.flatMap((text) => parseAllDocuments(text))) {
    const object: unknown = document.toJS();
    if (object === null) continue;
    const { kind } = object as { readonly kind: string };
    const resource = resources.find((one) => one.kind === kind);
    if (resource === undefined) throw new Error(`no resource for ${kind}`);
    store.put(resource, resource.read(object as KubeObject));
  }
  return store;
}
