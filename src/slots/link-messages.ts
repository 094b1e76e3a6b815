import { sluice } from '#xds';
import { number } from './read-message.ts';

const messages = sluice.slots.v1;
const { Kind } = messages.Order;

/** The version of the protocol. */
export const LINK_PROTOCOL = 1;

/** The path of the method. */
export const LINK_PATH = '/sluice.slots.v1.LinkService/Stream';

/** What an operator has ordered, or taken back. */
export interface ToldOrder {
  readonly kind: 'paused' | 'drained';
  /** The service, or the pod's address. */
  readonly what: string;
  readonly isTakenBack: boolean;
  readonly by: string;
  /** Milliseconds since the epoch. Of two words on one thing the later one holds. */
  readonly at: number;
}

/** Who holds the slots of a service, as the coordinator tells. */
export interface ToldShares {
  readonly held: readonly { readonly node: string; readonly slots: number }[];
  readonly missing: number;
  readonly why: readonly string[];
}

/** How a Sluice introduces itself to another one; the pace is the coordinator's. */
export interface LinkHello {
  readonly kind: 'hello';
  readonly protocol: number;
  readonly sluice: string;
  readonly heartbeatMs: number;
  readonly deadAfterMs: number;
}

/** Between two Sluices. `unknown`: something of a newer protocol. */
export type LinkMessage =
  | LinkHello
  | { readonly kind: 'orders'; readonly orders: readonly ToldOrder[] }
  /** Undefined: the service has left. */
  | { readonly kind: 'shares'; readonly services: readonly (readonly [string, ToldShares | undefined])[] }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'unknown' };

/** The bytes of a `LinkMessage`. */
export function writeLink(message: LinkMessage): Buffer {
  return Buffer.from(messages.LinkMessage.encode(content(message)).finish());
}

function content(message: LinkMessage): sluice.slots.v1.LinkMessage.$Properties {
  switch (message.kind) {
    case 'hello': {
      const { kind: _, ...hello } = message;
      return { hello };
    }
    case 'orders':
      return { orders: { orders: message.orders.map(writeOrder) } };
    case 'shares':
      return {
        shares: {
          services: message.services.map(([service, shares]) =>
            shares === undefined
              ? { service, gone: true }
              : { service, held: [...shares.held], missing: shares.missing, why: [...shares.why] },
          ),
        },
      };
    case 'heartbeat':
      return { heartbeat: {} };
    case 'unknown':
      return {};
  }
}

function writeOrder({ kind, what, isTakenBack, by, at }: ToldOrder): sluice.slots.v1.Order.$Properties {
  return { kind: kind === 'paused' ? Kind.PAUSED : Kind.DRAINED, what, takenBack: isTakenBack, by, at };
}

/** Reads a `LinkMessage`. Throws on bytes that are none. */
export function readLink(bytes: Uint8Array): LinkMessage {
  const { hello, orders, shares, heartbeat } = messages.LinkMessage.decode(bytes);
  if (heartbeat) return { kind: 'heartbeat' };
  if (shares) return { kind: 'shares', services: (shares.services ?? []).map(readShares) };
  if (orders) return { kind: 'orders', orders: (orders.orders ?? []).flatMap(readOrder) };
  if (hello)
    return {
      kind: 'hello',
      protocol: hello.protocol ?? 0,
      sluice: hello.sluice ?? '',
      heartbeatMs: hello.heartbeatMs ?? 0,
      deadAfterMs: hello.deadAfterMs ?? 0,
    };
  return { kind: 'unknown' };
}

/** Of a kind that is not known here: none. */
function readOrder({ kind, what, takenBack, by, at }: sluice.slots.v1.Order.$Properties): readonly ToldOrder[] {
  if (kind !== Kind.PAUSED && kind !== Kind.DRAINED) return [];
  return [
    {
      kind: kind === Kind.PAUSED ? 'paused' : 'drained',
      what: what ?? '',
      isTakenBack: takenBack ?? false,
      by: by ?? '',
      at: number(at),
    },
  ];
}

function readShares({
  service,
  held,
  missing,
  why,
  gone,
}: sluice.slots.v1.ServiceShares.$Properties): readonly [string, ToldShares | undefined] {
  if (gone) return [service ?? '', undefined];
  const holders = (held ?? []).map(({ node, slots }) => ({ node: node ?? '', slots: slots ?? 0 }));
  return [service ?? '', { held: holders, missing: missing ?? 0, why: why ?? [] }];
}
