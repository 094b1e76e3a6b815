import { type KubeObject, type Resource, withoutManagedFields } from './object.ts';

/** A port of a Service. */
export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
  readonly targetPort?: number | string;
}

/** What is kept of a Service. */
export interface ServiceObject extends KubeObject {
  readonly spec?: {
    readonly type?: string;
    readonly ports?: readonly ServicePort[];
    readonly externalIPs?: readonly string[];
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
  };
}

/** What is kept of a Secret of type `kubernetes.io/tls`. */
export interface SecretObject extends KubeObject {
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

/** What is kept of a ConfigMap: certificates of authorities. */
export interface ConfigMapObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Services of all namespaces. */
export const SERVICES: Resource<ServiceObject> = {
  kind: 'Service',
  group: '',
  version: 'v1',
  plural: 'services',
  namespaced: true,
  read(object) {
    const { metadata } = withoutManagedFields(object);
    const { type, ports, externalIPs } = object.spec ?? {};
    return {
      metadata,
      spec: {
        ...(type === undefined ? {} : { type }),
        ...(ports === undefined ? {} : { ports }),
        ...(externalIPs === undefined ? {} : { externalIPs }),
      },
      ...(type === 'LoadBalancer' && object.status !== undefined ? { status: object.status } : {}),
    };
  },
};

/** TLS Secrets of all namespaces. */
export const SECRETS: Resource<SecretObject> = {
  kind: 'Secret',
  group: '',
  version: 'v1',
  plural: 'secrets',
  namespaced: true,
  field: 'type=kubernetes.io/tls',
  read: ({ metadata, data = {} }) => ({ metadata: withoutManagedFields({ metadata }).metadata, data }),
};

/** ConfigMaps that hold certificates of authorities. */
export const CONFIG_MAPS: Resource<ConfigMapObject> = {
  kind: 'ConfigMap',
  group: '',
  version: 'v1',
  plural: 'configmaps',
  namespaced: true,
  read({ metadata, data = {} }) {
    const ca = data['ca.crt'];
    return { metadata: withoutManagedFields({ metadata }).metadata, data: ca === undefined ? {} : { 'ca.crt': ca } };
  },
};

/** Namespaces, for their labels. */
export const NAMESPACES: Resource<KubeObject> = {
  kind: 'Namespace',
  group: '',
  version: 'v1',
  plural: 'namespaces',
  namespaced: false,
  read: ({ metadata }) => ({ metadata: withoutManagedFields({ metadata }).metadata }),
};
