import { type KubeObject, type Resource, withoutManagedFields } from '../objects/object.ts';

/** The group of both kinds. */
const GROUP = 'networking.k8s.io';

/** What we call ourselves in IngressClasses. */
export const CONTROLLER = 'sluice.dev/ingress-controller';

export interface IngressClass extends KubeObject {
  readonly spec?: { readonly controller?: string; readonly parameters?: unknown };
}

/** An address at which an Ingress is reached, as its status has it. */
export interface IngressAddress {
  readonly ip?: string;
  readonly hostname?: string;
}

/** What is kept of an Ingress; its spec is read key by key. */
export interface Ingress extends KubeObject {
  readonly spec?: { readonly ingressClassName?: string };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly IngressAddress[] } };
}

/** Ingresses of all namespaces. */
export const INGRESSES: Resource<Ingress> = {
  kind: 'Ingress',
  group: GROUP,
  version: 'v1',
  plural: 'ingresses',
  namespaced: true,
  read: withoutManagedFields,
};

export const INGRESS_CLASSES: Resource<IngressClass> = {
  kind: 'IngressClass',
  group: GROUP,
  version: 'v1',
  plural: 'ingressclasses',
  namespaced: false,
  read: withoutManagedFields,
};
