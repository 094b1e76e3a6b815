import { envoy } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import type { PodTls, Service } from '../model/service.ts';
import { ADS } from './connection-manager.ts';
import { certificateName } from './contract.ts';
import { pack } from './encode.ts';

const { SubjectAltNameMatcher, UpstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;

type Validation = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.$Properties;

/** Where Debian, and with it Envoy's own images, has the authorities that a machine trusts. */
const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

/** How the connections to pods are encrypted, and whom they are made to. */
export function podTls(
  tls: PodTls,
  { protocol }: Pick<Service, 'protocol'>,
): envoy.config.core.v3.TransportSocket.$Properties {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: pack(UpstreamTlsContext, {
      ...(tls.serverName === undefined ? {} : { sni: tls.serverName }),
      commonTlsContext: {
        alpnProtocols: [protocol === 'h2c' ? 'h2' : 'http/1.1'],
        validationContext: validation(tls),
        // By name, so that another one closes no connection.
        ...(tls.certificate === undefined
          ? {}
          : { tlsCertificateSdsSecretConfigs: [{ name: certificateName(tls.certificate), sdsConfig: ADS }] }),
      },
    }),
  };
}

function validation({ authorities, names }: PodTls): Validation {
  const { SanType } = SubjectAltNameMatcher;
  const matchTypedSubjectAltNames = names.map(({ kind, value }) => ({
    sanType: kind === 'dns' ? SanType.DNS : SanType.URI,
    matcher: { exact: value },
  }));
  switch (authorities.kind) {
    case 'pem':
      return { trustedCa: { inlineString: authorities.pem }, matchTypedSubjectAltNames };
    case 'file':
      return { trustedCa: { filename: authorities.path }, matchTypedSubjectAltNames };
    case 'system':
      return { trustedCa: { filename: SYSTEM_AUTHORITIES }, matchTypedSubjectAltNames };
    case 'any':
      return {};
    default:
      return assertNever(authorities);
  }
}
