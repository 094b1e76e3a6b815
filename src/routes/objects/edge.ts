import type { Certificate, Listener, ListenerName } from '../../model/listener.ts';

/** Ports where requests are taken: over plain HTTP, and over TLS once there is a certificate. */
export interface EdgePorts {
  readonly http: number;
  readonly https: number;
}

/** Their listeners, by name. */
export interface EdgeNames {
  readonly http: ListenerName;
  readonly https: ListenerName;
}

const EVERY_ADDRESS = '0.0.0.0';

/** The listeners of objects that name no listener of their own: at every address, that for TLS once there is a certificate. */
export function edgeListeners(
  names: EdgeNames,
  ports: EdgePorts,
  certificates: readonly Certificate[],
): readonly Listener[] {
  const plain: Listener = { name: names.http, address: EVERY_ADDRESS, port: ports.http };
  if (certificates.length === 0) return [plain];
  return [plain, { name: names.https, address: EVERY_ADDRESS, port: ports.https, tls: { certificates } }];
}
