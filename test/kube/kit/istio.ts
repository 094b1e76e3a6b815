import { until } from '../../e2e/kit/instant.ts';
import type { TestCluster } from './cluster.ts';

/** Has the API server know VirtualServices and DestinationRules; what is in them Istio's own schema would check. */
export async function createIstio(cluster: TestCluster): Promise<void> {
  const kinds = { VirtualService: 'virtualservices', DestinationRule: 'destinationrules' };
  const group = 'networking.istio.io';
  for (const [kind, plural] of Object.entries(kinds)) {
    const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
          },
        ],
      },
    };
    // Another test may have created it before.
    await cluster.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition, true);
    const isServed = async () =>
      (await cluster.ask('GET', `/apis/${group}/v1/${plural}`, undefined, true)).status === 200;
    await until(isServed, { what: `${plural} to be served` });
  }
}
