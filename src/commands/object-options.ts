import { isIP } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import type { ObjectRoutesChoice } from '../control-plane/open-object-routes.ts';

/** Flags for routes from Kubernetes objects. */
export interface ObjectFlags {
  readonly gatewayApi?: boolean;
  readonly gatewayAddress?: readonly string[];
  readonly gatewayStatusAddress?: readonly string[];
  readonly ingress?: boolean;
  readonly ingressClass?: readonly string[];
  readonly ingressCertificate?: string;
  readonly ingressPort?: number;
  readonly ingressTlsPort?: number;
  readonly ingressAddress?: readonly string[];
  readonly publishService?: string;
  readonly statusLease?: string;
  readonly istio?: boolean;
  readonly istioPort?: number;
  readonly istioTlsPort?: number;
  readonly istioCertificate?: readonly string[];
}

/** `--gateway-api`, `--ingress`, `--istio` and what belongs to them. */
export function addObjectOptions(command: Command): Command {
  return command
    .option('--gateway-api', 'take routes from Gateway API objects as well (GatewayClass sluice)')
    .option(
      '--gateway-address <ip>',
      "an address of Envoy's machine for one Gateway to listen on; may be given several times (default: all Gateways share every address)",
      (text: string, before: readonly string[] = []) => [...before, parseIp(text)],
    )
    .option(
      '--gateway-status-address <address>',
      'where clients reach Gateways that share every address, for their status: an IP address or host name; may be given several times',
      several,
    )
    .option('--ingress', 'take routes from Ingresses as well (IngressClass sluice)')
    .option(
      '--ingress-class <name>',
      'a further class whose Ingresses are taken, such as nginx; may be given several times',
      several,
    )
    .option('--ingress-port <port>', 'where requests for Ingresses are taken (default: 80)', parsePort)
    .option('--ingress-tls-port <port>', 'where they are taken over TLS (default: 443)', parsePort)
    .option(
      '--ingress-certificate <namespace/name>',
      'the TLS Secret for clients that ask for a host that no Ingress has a certificate for',
      parseKey,
    )
    .option(
      '--ingress-address <address>',
      'where clients reach Ingresses, for their status: an IP address or host name; may be given several times',
      several,
    )
    .option(
      '--publish-service <namespace/name>',
      'the Service in front of Envoy, whose addresses the statuses of Ingresses and Gateways tell',
      parseKey,
    )
    .option(
      '--status-lease <name>',
      'the Lease in its own namespace by which one of several Sluices writes statuses and Events (default: sluice-status)',
    )
    .option('--istio', "take routes from Istio's VirtualServices and DestinationRules as well")
    .option('--istio-port <port>', 'where requests for VirtualServices are taken (default: 80)', parsePort)
    .option('--istio-tls-port <port>', 'where they are taken over TLS, with a certificate (default: 443)', parsePort)
    .option(
      '--istio-certificate <namespace/name>',
      'a TLS Secret that clients of VirtualServices are shown; may be given several times',
      (text: string, before: readonly string[] = []) => [...before, parseKey(text)],
    );
}

/** Whether some of the flags has objects as a source of routes. */
export function wantsObjects({ gatewayApi, ingress, istio }: ObjectFlags): boolean {
  return gatewayApi === true || ingress === true || istio === true;
}

/** What the flags choose. */
export function objectRoutes(flags: ObjectFlags): ObjectRoutesChoice {
  const service = flags.publishService === undefined ? {} : { service: flags.publishService };
  return {
    lease: flags.statusLease ?? 'sluice-status',
    ...(flags.gatewayApi === true && {
      gatewayApi: {
        pool: flags.gatewayAddress ?? [],
        published: { addresses: flags.gatewayStatusAddress ?? [], ...service },
      },
    }),
    ...(flags.ingress === true && { ingress: ingressOptions(flags) }),
    ...(flags.istio === true && {
      istio: {
        ports: { http: flags.istioPort ?? 80, https: flags.istioTlsPort ?? 443 },
        certificates: flags.istioCertificate ?? [],
      },
    }),
  };
}

function ingressOptions(flags: ObjectFlags): NonNullable<ObjectRoutesChoice['ingress']> {
  return {
    classes: flags.ingressClass ?? [],
    ports: { http: flags.ingressPort ?? 80, https: flags.ingressTlsPort ?? 443 },
    ...(flags.ingressCertificate === undefined ? {} : { certificate: flags.ingressCertificate }),
    published: {
      addresses: flags.ingressAddress ?? [],
      ...(flags.publishService === undefined ? {} : { service: flags.publishService }),
    },
  };
}

function several(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Throws what commander prints to the user. */
function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[1-9]\d*$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a port from 1 to 65535.');
  return port;
}

/** Throws what commander prints to the user. */
function parseKey(text: string): string {
  if (!/^[a-z0-9.-]+\/[a-z0-9.-]+$/.test(text)) throw new InvalidArgumentError('Write one like default/sluice.');
  return text;
}

/** Throws what commander prints to the user. */
function parseIp(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Write an IP address such as 10.0.0.1.');
  return text;
}
