import type { Listener, ListenerName } from '../model/listener.ts';
import { socketsOf } from '../model/sockets.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';

/** An Envoy, with what it has refused. */
export interface RefusingNode {
  readonly node: { readonly id: string };
  readonly types: readonly { readonly typeUrl: string; readonly nack?: { readonly message: string } }[];
}

/**
 * Listeners that an Envoy could not open, and what it says: an address that its machine does not have, a port that is
 * taken. Envoy names each in its answer: `10.0.0.1:80: cannot bind '10.0.0.1:80': Address already in use`.
 */
export function closedListeners(
  nodes: readonly RefusingNode[],
  listeners: readonly Listener[],
): ReadonlyMap<ListenerName, string> {
  const closed = new Map<ListenerName, string>();
  for (const { node, types } of nodes) {
    const said = types.flatMap(({ typeUrl, nack }) => (typeUrl === TYPE_URLS.listener && nack ? [nack.message] : []));
    const lines = said.flatMap((message) => message.split('\n'));
    for (const socket of socketsOf(listeners)) {
      const line = lines.find((one) => one.startsWith(`${socket.name}: `) || one.includes(` ${socket.name}: `));
      if (line === undefined) continue;
      const reason = line.slice(line.indexOf(`${socket.name}: `) + socket.name.length + 2).trim();
      for (const { name } of socket.listeners) closed.set(name, `Envoy ${node.id} cannot open it: ${reason}`);
    }
  }
  return closed;
}
