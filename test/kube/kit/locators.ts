import type { Locator } from '../../../src/model/locator.ts';

/** `kubernetes: {namespace, service, port}` of a route file. */
export function servicePort(namespace: string | undefined, service: string, port: number | string): Locator {
  const where = namespace === undefined ? {} : { namespace };
  return { kind: 'kubernetes', ...where, service, port: { kind: 'service', port } };
}

/** lbagent's `namespace`, `service_name` and `http_port`. */
export function podPort(namespace: string, service: string, port: number): Locator {
  return { kind: 'kubernetes', namespace, service, port: { kind: 'pod', port } };
}
