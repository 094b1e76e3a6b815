/*
 * What an API server has checked of an object before anybody sees it, as far as reading it depends on that.
 */

/** What a value must be. */
export type Shape =
  | { readonly kind: 'text' | 'number' | 'any' }
  | { readonly kind: 'list'; readonly of: Shape }
  | {
      readonly kind: 'map';
      readonly needs: Readonly<Record<string, Shape>>;
      readonly may: Readonly<Record<string, Shape>>;
    };

const TEXT: Shape = { kind: 'text' };
const NUMBER: Shape = { kind: 'number' };

function list(of: Shape): Shape {
  return { kind: 'list', of };
}

function map(needs: Readonly<Record<string, Shape>>, may: Readonly<Record<string, Shape>> = {}): Shape {
  return { kind: 'map', needs, may };
}

const REFERENCE = map({ name: TEXT }, { namespace: TEXT, kind: TEXT, group: TEXT });
const BACKEND = map(
  { name: TEXT },
  { namespace: TEXT, port: NUMBER, weight: NUMBER, filters: list(map({ type: TEXT })) },
);
const CONDITIONS = list(map({ name: TEXT, value: TEXT }));
const LISTENERS = list(
  map(
    { name: TEXT, port: NUMBER, protocol: TEXT },
    { hostname: TEXT, tls: map({}, { certificateRefs: list(REFERENCE) }) },
  ),
);
const RULES = list(
  map(
    {},
    {
      backendRefs: list(BACKEND),
      filters: list(map({ type: TEXT })),
      matches: list(map({}, { headers: CONDITIONS, queryParams: CONDITIONS })),
    },
  ),
);
const ROUTE = map({ spec: map({}, { parentRefs: list(REFERENCE), hostnames: list(TEXT), rules: RULES }) });

/** The kinds that are read, and what each must be. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  GatewayClass: map({ spec: map({ controllerName: TEXT }) }),
  Gateway: map({ spec: map({ gatewayClassName: TEXT }, { listeners: LISTENERS }) }),
  ListenerSet: map({ spec: map({ parentRef: REFERENCE, listeners: LISTENERS }) }),
  HTTPRoute: ROUTE,
  GRPCRoute: ROUTE,
  ReferenceGrant: map({
    spec: map({
      from: list(map({ group: TEXT, kind: TEXT, namespace: TEXT })),
      to: list(map({ group: TEXT, kind: TEXT })),
    }),
  }),
  BackendTLSPolicy: map({ spec: map({ targetRefs: list(REFERENCE), validation: map({ hostname: TEXT }) }) }),
  SlotPolicy: map({ spec: map({ targetRefs: list(REFERENCE) }) }),
  Service: map({ spec: map({}, { ports: list(map({ port: NUMBER }, { name: TEXT, appProtocol: TEXT })) }) }),
  Secret: map({}, { data: map({}), type: TEXT }),
  ConfigMap: map({}, { data: map({}) }),
  Namespace: map({}),
  Ingress: map({ spec: map({}) }),
  IngressClass: map({ spec: map({}, { controller: TEXT }) }),
  VirtualService: map({ spec: map({ hosts: list(TEXT) }) }),
  DestinationRule: map({ spec: map({ host: TEXT }) }),
};

/** Kinds that say where requests go: a file with one of them is one of objects. */
export const ROUTE_KINDS: ReadonlySet<string> = new Set([
  'Gateway',
  'HTTPRoute',
  'GRPCRoute',
  'Ingress',
  'VirtualService',
  'DestinationRule',
]);

/** Everything that is not as it must be: `spec.listeners[0].port` and what it must be. */
export function misshapen(
  value: unknown,
  shape: Shape,
  path = '',
): readonly { readonly path: string; readonly must: string }[] {
  const wrong = (must: string) => [{ path, must }];
  switch (shape.kind) {
    case 'any':
      return [];
    case 'text':
      return typeof value === 'string' ? [] : wrong('must be a string');
    case 'number':
      return typeof value === 'number' ? [] : wrong('must be a number');
    case 'list':
      if (!Array.isArray(value)) return wrong('must be a list');
      return value.flatMap((item, index) => misshapen(item, shape.of, `${path}[${index}]`));
    case 'map': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong('must be a map of keys');
      const entries = new Map(Object.entries(value));
      const own = (key: string) => (path === '' ? key : `${path}.${key}`);
      return [
        ...Object.entries(shape.needs).flatMap(([key, inner]) =>
          entries.has(key) ? misshapen(entries.get(key), inner, own(key)) : [{ path: own(key), must: 'must be there' }],
        ),
        ...Object.entries(shape.may).flatMap(([key, inner]) =>
          (entries.get(key) ?? null) === null ? [] : misshapen(entries.get(key), inner, own(key)),
        ),
      ];
    }
  }
}
