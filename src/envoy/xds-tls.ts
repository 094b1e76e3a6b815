import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { Json, XdsAddress } from './bootstrap.ts';

/** How Envoy speaks TLS to the control plane; files as Envoy finds them on its own machine. */
export interface XdsTls {
  /** PEM file with the authorities that may have signed the control plane's certificate. */
  readonly ca: string;
  /** What Envoy shows in turn (PEM files); undefined: no certificate. */
  readonly client?: { readonly certificate: string; readonly key: string };
  /** The DNS name that the control plane's certificate must have; undefined: the host it is reached by. */
  readonly serverName?: string;
  /**
   * The folder with the files of `xdsSecrets`: Envoy then reads the PEM files again when they change. Undefined: it
   * reads them once, when it starts.
   */
  readonly secrets?: string;
}

const AUTHORITIES = 'xds-authorities';
const CERTIFICATE = 'xds-certificate';

/**
 * The transport socket of the cluster that leads to the control plane. A certificate of the right authority is not
 * enough: every service of a mesh has one, so the name in it must be that of the control plane.
 */
export function xdsTransportSocket(tls: XdsTls, xds: XdsAddress): Json {
  const { client, serverName, secrets } = tls;
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
        ...(secrets === undefined ? readOnce(tls, names) : readAgain(secrets, client !== undefined, names)),
      },
    },
  };
}

function readOnce({ ca, client }: XdsTls, names: { readonly [key: string]: Json }): { readonly [key: string]: Json } {
  return {
    ...(client && { tls_certificates: [pair(client)] }),
    validation_context: { trusted_ca: { filename: ca }, ...names },
  };
}

/** Envoy watches PEM files only where they come by SDS, be it from a file (run on 1.40). */
function readAgain(
  secrets: string,
  hasClient: boolean,
  names: { readonly [key: string]: Json },
): { readonly [key: string]: Json } {
  const secret = (name: string) => ({
    name,
    sds_config: { path_config_source: { path: join(secrets, `${name}.yaml`) }, resource_api_version: 'V3' },
  });
  return {
    ...(hasClient && { tls_certificate_sds_secret_configs: [secret(CERTIFICATE)] }),
    combined_validation_context: {
      default_validation_context: names,
      validation_context_sds_secret_config: secret(AUTHORITIES),
    },
  };
}

/**
 * What has to stand in the folder `secrets`, by file name: which PEM files Envoy reads, and that it watches their
 * folders. It sees files that are moved there, as a Kubernetes secret's are, and not files that are written to.
 */
export function xdsSecrets({ ca, client }: XdsTls): ReadonlyMap<string, string> {
  const watched = (file: string) => ({ watched_directory: { path: dirname(file) } });
  const authorities = { validation_context: { trusted_ca: { filename: ca }, ...watched(ca) } };
  return new Map([
    [`${AUTHORITIES}.yaml`, secretFile(AUTHORITIES, authorities)],
    ...(client === undefined
      ? []
      : [
          [
            `${CERTIFICATE}.yaml`,
            secretFile(CERTIFICATE, { tls_certificate: { ...pair(client), ...watched(client.certificate) } }),
          ] as const,
        ]),
  ]);
}

function pair({ certificate, key }: { readonly certificate: string; readonly key: string }) {
  return { certificate_chain: { filename: certificate }, private_key: { filename: key } };
}

function secretFile(name: string, secret: Json & object): string {
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
  const format = { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' } as const;
  return stringify({ resources: [{ '@type': type, name, ...secret }] }, { ...format, lineWidth: 0 });
}
