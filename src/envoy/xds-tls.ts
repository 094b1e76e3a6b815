import { isIP } from 'node:net';
import type { Json, XdsAddress } from './bootstrap.ts';

/** How Envoy speaks TLS to the control plane; files as Envoy finds them on its own machine. */
export interface XdsTls {
  /** PEM file with the authorities that may have signed the control plane's certificate. */
  readonly ca: string;
  /** What Envoy shows in turn (PEM files, read when Envoy starts); undefined: no certificate. */
  readonly client?: { readonly certificate: string; readonly key: string };
  /** The DNS name that the control plane's certificate must have; undefined: the host it is reached by. */
  readonly serverName?: string;
}

/**
 * The transport socket of the cluster that leads to the control plane. A certificate of the right authority is not
 * enough: every service of a mesh has one, so the name in it must be that of the control plane.
 */
export function xdsTransportSocket({ ca, client, serverName }: XdsTls, xds: XdsAddress): Json {
  const name = serverName ?? (xds.kind === 'tcp' ? xds.host : undefined);
  const isAddress = name !== undefined && isIP(name) !== 0;
  const names =
    name === undefined
      ? {}
      : {
          match_typed_subject_alt_names: [{ san_type: isAddress ? 'IP_ADDRESS' : 'DNS', matcher: { exact: name } }],
        };
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      // A server name is a DNS name: addresses have none (RFC 6066, 3).
      ...(name !== undefined && !isAddress && { sni: name }),
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_params: { tls_minimum_protocol_version: 'TLSv1_2' },
        ...(client && {
          tls_certificates: [
            { certificate_chain: { filename: client.certificate }, private_key: { filename: client.key } },
          ],
        }),
        validation_context: { trusted_ca: { filename: ca }, ...names },
      },
    },
  };
}
