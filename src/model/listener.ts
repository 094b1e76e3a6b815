import type { Brand } from '../base/brand.ts';
import type { Origin } from './origin.ts';

/** Names a listener among all of a routing; the route file's is `public`. */
export type ListenerName = Brand<string, 'ListenerName'>;

/** A certificate with its private key. */
export type Certificate =
  /** PEM files, absolute paths; read by Envoy. */
  | { readonly kind: 'files'; readonly cert: string; readonly key: string }
  /** PEM texts; the name, such as that of a Secret, is the same for as long as only its content changes. */
  | { readonly kind: 'inline'; readonly name: string; readonly cert: string; readonly key: string };

/**
 * Where requests are taken: of all that come to an address and port, those for a host name. Several may share address and
 * port if they speak the same protocol; a request belongs to the one whose host name is the most specific.
 */
export interface Listener {
  readonly name: ListenerName;
  readonly origin?: Origin;
  /** IP address to bind, `0.0.0.0` for all. */
  readonly address: string;
  readonly port: number;
  /** A host name, or one of the form `*.example.com` that takes any depth; undefined: every host. */
  readonly hostname?: string;
  /** TLS with these certificates, chosen by the name the client asks for (SNI); undefined: plain HTTP. */
  readonly tls?: { readonly certificates: readonly Certificate[]; readonly clients?: ClientCertificates };
}

/** What clients have to show. */
export interface ClientCertificates {
  /** PEM: whose signature a client's certificate must bear. */
  readonly authorities: string;
  /** False: a client without a certificate, or with another one, is served all the same. */
  readonly required: boolean;
}

/** The name of the listener that the route file makes. */
export const FILE_LISTENER = 'public' as ListenerName;

/** The listener of the route file that sends clients of plain HTTP to the other one. */
export const FILE_REDIRECT = 'public/redirect' as ListenerName;
