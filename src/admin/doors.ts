import type { IncomingHttpHeaders } from 'node:http';

/** Sent along by the command line and the page: no form and no link of another page can. */
const ORDER_HEADER = 'x-sluice-order';

/** Who asks, as far as it matters for an order. */
export interface OrderRequest {
  readonly headers: IncomingHttpHeaders;
  /** The address at the other end of the connection. */
  readonly peer: string | undefined;
}

/** Why an order is not taken from a request that `isTrustedRequest` let in; undefined: it is. */
export function orderRefusal({ headers, peer }: OrderRequest): string | undefined {
  if (!isLoopback(peer)) return 'Orders are only taken from this machine, or from within the pod (kubectl exec).';
  if (headers[ORDER_HEADER] === undefined) return `Orders have the header ${ORDER_HEADER}.`;
  return undefined;
}

function isLoopback(peer: string | undefined): boolean {
  return peer !== undefined && /^(?:::ffff:)?127\.|^::1$/.test(peer);
}

/** Who gave an order, as the request says: only shown, and so made fit for that. */
export function nameOfGiver(headers: IncomingHttpHeaders): string {
  const given = headers['x-sluice-by'];
  const text = (Array.isArray(given) ? given[0] : given) ?? '';
  return (
    text
      .replaceAll(/[^\x20-\x7e]/g, '')
      .slice(0, 80)
      .trim() || 'somebody'
  );
}
