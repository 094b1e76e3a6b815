import type { ServiceName } from '../model/service.ts';
import type { CoordinatorMessage, HeldService } from './coordinator.ts';
import type { JobEvent, MemberId, SlotChange } from './events.ts';
import type { Member } from './member.ts';

/** How a filter introduces itself to those who share slots. */
export interface PeerHello extends MemberId {
  /** This start of its Envoy, as text; `0`: it does not say. */
  readonly process: string;
  /** Counts its streams. */
  readonly stream: number;
  /** It shares its slots with others already. */
  readonly shares: boolean;
}

/** A filter with an open stream: one that is connected here, or one of another Sluice that relays its stream. */
export interface Peer {
  readonly hello: PeerHello;
  /** The Sluice that relays its stream, as it calls itself; undefined: it is connected here. */
  readonly via: string | undefined;
  /** The services that it has. */
  readonly services: Iterable<ServiceName>;
  /** Pods of a service that it would give a request now: its Envoy has their endpoints, and it has not ejected them. */
  usable(name: ServiceName): ReadonlySet<string>;
  /** Tells it what a coordinator says. */
  say(messages: readonly CoordinatorMessage[]): void;
  /** Asks whether another filter of its Envoy has ended. */
  askEnded(epoch: string): void;
  /** Tells its Sluice which of its services the coordinator does not have. Not of one that is connected here. */
  readonly tellLacking?: (services: readonly ServiceName[]) => void;
  /** Ends its stream: it comes back with a new one. */
  end(reason: string): void;
}

/** What a peer tells, beside its hello and its end. */
export type PeerEvent =
  /** What it holds, and who waits there; some services at a time. */
  | { readonly kind: 'holding'; readonly services: readonly HeldService[]; readonly isComplete: boolean }
  /** What of that has changed. */
  | { readonly kind: 'changes'; readonly changes: readonly SlotChange[] }
  /** It would give other pods of these services a request than before. */
  | { readonly kind: 'usable'; readonly services: Iterable<ServiceName> }
  /** So many slots that it was given on this stream have arrived. */
  | { readonly kind: 'received'; readonly grants: number }
  /** Something happened to a job. */
  | { readonly kind: 'job'; readonly event: JobEvent }
  /** Another filter of its Envoy has ended. */
  | { readonly kind: 'ended'; readonly ended: string };

/** How a filter that is connected here is reached. */
export interface Streams {
  /** Writes what there is to say to a member. */
  readonly flush: (member: Member) => void;
  /** Ends the stream of a member. */
  readonly end: (member: Member, reason: string) => void;
}

/** A filter that is connected here. */
export function localPeer(member: Member, { flush, end }: Streams): Peer {
  const { node, epoch, process, stream, shares } = member.hello;
  return {
    hello: { node, epoch, process, stream, shares },
    via: undefined,
    get services() {
      return member.services;
    },
    usable: (name) => member.usable(name),
    say(messages) {
      member.share(messages);
      flush(member);
    },
    askEnded(epoch) {
      member.request({ kind: 'ask ended', epoch });
      flush(member);
    },
    end: (reason) => end(member, reason),
  };
}
