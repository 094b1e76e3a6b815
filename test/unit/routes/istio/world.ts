import { type IstioOptions, istioRoutes } from '../../../../src/routes/istio/translate.ts';
import type { ObjectStore } from '../../../../src/routes/objects/store.ts';
import type { Translation } from '../../../../src/routes/objects/translation.ts';

/** A VirtualService of `shop` with these lines under `http`. */
export function virtualService(
  name: string,
  http: string,
  hosts = '[shop.example]',
  created = '2026-01-01T00:00:00Z',
): string {
  return `kind: VirtualService
metadata: {namespace: shop, name: ${name}, uid: ${name}, generation: 1, creationTimestamp: '${created}'}
spec:
  hosts: ${hosts}
  gateways: [public]
  http:
${http
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}
---
`;
}

/** A DestinationRule of `shop` with these lines under `trafficPolicy`. */
export function destinationRule(name: string, host: string, policy: string, created = '2026-01-01T00:00:00Z'): string {
  return `kind: DestinationRule
metadata: {namespace: shop, name: ${name}, uid: ${name}, generation: 1, creationTimestamp: '${created}'}
spec:
  host: ${host}
  trafficPolicy:
${policy
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
---
`;
}

/** What these objects come to. */
export function translatedIstio(objects: ObjectStore, options: Partial<IstioOptions> = {}): Translation {
  const kind = istioRoutes({ ports: { http: 80, https: 443 }, certificates: [], ...options });
  return kind.translate(objects, { now: '2026-01-02T03:04:05Z', before: new Map(), closed: new Map() });
}
