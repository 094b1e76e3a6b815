import type { Route } from './route.ts';
import type { Service } from './service.ts';

/** Where Envoy takes requests. */
export interface Listen {
  /** IP address to bind, `0.0.0.0` for all. */
  readonly address: string;
  readonly port: number;
  /** PEM files, absolute paths; read by Envoy. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A whole route file, checked: what the user wants, before anyone knows which pods there are. */
export interface Routing {
  readonly listen: Listen;
  /** In the order of their names. */
  readonly services: readonly Service[];
  /**
   * In the order in which they are tried: exact before longest prefix before regex; between equal paths named
   * hosts before `*.` hosts (the longest first) before any host; then the file's order.
   */
  readonly routes: readonly Route[];
}
