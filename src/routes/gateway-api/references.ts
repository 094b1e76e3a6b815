import type { KubeObject } from '../objects/object.ts';
import type { LabelSelector, NamespaceChoice, Reference, ReferenceGrant } from './objects.ts';

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
