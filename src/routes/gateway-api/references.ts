import { type InlineCertificate, tlsCertificate } from '../objects/certificate.ts';
import { type KubeObject, keyOf, type Objects } from '../objects/object.ts';
import {
  GROUP,
  type LabelSelector,
  type NamespaceChoice,
  REFERENCE_GRANTS,
  type Reference,
  type ReferenceGrant,
} from './objects.ts';

/** Who refers to something. */
export interface Referrer {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
}

/** Whether an object may be referred to: always in the own namespace, elsewhere when a ReferenceGrant there allows it. */
export function isGranted(from: Referrer, to: Required<Reference>, grants: readonly ReferenceGrant[]): boolean {
  if (from.namespace === to.namespace) return true;
  return grants.some(
    ({ metadata, spec }) =>
      metadata.namespace === to.namespace &&
      spec.from.some(
        ({ group, kind, namespace }) => group === from.group && kind === from.kind && namespace === from.namespace,
      ) &&
      spec.to.some(({ group, kind, name }) => group === to.group && kind === to.kind && (!name || name === to.name)),
  );
}

/** The certificate in a Secret that a Gateway or a ListenerSet refers to, or why there is none for it. */
export function secretCertificate(
  { kind, object }: { readonly kind: 'Gateway' | 'ListenerSet'; readonly object: KubeObject },
  ref: Reference,
  objects: Objects,
): InlineCertificate | { readonly refusal: 'not permitted' | 'invalid'; readonly message: string } {
  const own = object.metadata.namespace ?? '';
  const to = { group: '', kind: 'Secret', namespace: own, ...ref };
  const { name, namespace } = to;
  if (to.group !== '' || to.kind !== 'Secret')
    return { refusal: 'invalid', message: `${to.kind} ${name} is no Secret: certificates are read from Secrets only` };
  if (!isGranted({ group: GROUP, kind, namespace: own }, to, objects.all(REFERENCE_GRANTS))) {
    const message = `no ReferenceGrant in namespace ${namespace} lets a ${kind} of ${own} use Secret ${name}`;
    return { refusal: 'not permitted', message };
  }
  const found = tlsCertificate(objects, keyOf({ namespace, name }));
  return typeof found === 'string' ? { refusal: 'invalid', message: found } : found;
}

/** Whether objects of a namespace are among those that are chosen by an object in the namespace `own`. */
export function takesNamespace(
  { from = 'Same', selector }: NamespaceChoice,
  own: string,
  namespace: string,
  namespaces: (name: string) => KubeObject | undefined,
): boolean {
  switch (from) {
    case 'All':
      return true;
    case 'Same':
      return namespace === own;
    case 'Selector':
      return selector !== undefined && selects(selector, namespaces(namespace)?.metadata.labels ?? {});
    case 'None':
      return false;
    default:
      // A newer API's choice that we do not know lets nobody in.
      return false;
  }
}

function selects({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Readonly<Record<string, string>>) {
  const isEqual = Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
  return (
    isEqual &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        default:
          return false;
      }
    })
  );
}
