import { sluice } from '#xds';
import type { ServiceName } from '../model/service.ts';
import type { PodSlots, QueueSettings } from './wanted.ts';

const { ControlMessage } = sluice.queue.v1;

/** How often the two sides speak, in milliseconds. */
export interface Pace {
  /** Silence is broken this often. */
  readonly heartbeatMs: number;
  readonly reportMs: number;
  /** Who has been silent for so long is gone. */
  readonly deadAfterMs: number;
}

/** What Sluice says to a filter. */
export type ToFilter =
  | { readonly kind: 'welcome'; readonly pace: Pace }
  | {
      readonly kind: 'service';
      readonly name: ServiceName;
      readonly settings: QueueSettings;
      readonly pods: ReadonlyMap<string, PodSlots>;
    }
  | {
      readonly kind: 'pods';
      readonly name: ServiceName;
      readonly set: readonly (readonly [string, PodSlots])[];
      readonly remove: readonly string[];
    }
  | { readonly kind: 'remove'; readonly name: ServiceName }
  | { readonly kind: 'synced' }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'list waiting'; readonly query: number; readonly service: ServiceName; readonly most: number }
  | { readonly kind: 'cancel'; readonly service: ServiceName; readonly id: number };

/** The bytes of a `ControlMessage`. */
export function writeMessage(message: ToFilter, sequence: number): Buffer {
  return Buffer.from(ControlMessage.encode({ sequence, ...content(message) }).finish());
}

function content(message: ToFilter): sluice.queue.v1.ControlMessage.$Properties {
  switch (message.kind) {
    case 'welcome':
      return { welcome: message.pace };
    case 'service': {
      const { name, settings, pods } = message;
      return { service: { name, settings: settingsOf(settings), pods: [...pods].map(podOf) } };
    }
    case 'pods':
      return {
        podsDelta: { name: message.name, set: message.set.map(podOf), remove: [...message.remove] },
      };
    case 'remove':
      return { removeService: { name: message.name } };
    case 'synced':
      return { synced: {} };
    case 'heartbeat':
      return { heartbeat: {} };
    case 'list waiting':
      return { listWaiting: { query: message.query, service: message.service, most: message.most } };
    case 'cancel':
      return { cancelRequest: { service: message.service, id: message.id } };
  }
}

function settingsOf({ max, timeoutMs, ejection, ...settings }: QueueSettings): sluice.queue.v1.Settings.$Properties {
  return { ...settings, queueMax: max, queueTimeoutMs: timeoutMs, ejection };
}

function podOf([address, { limit, unhealthy }]: readonly [string, PodSlots]): sluice.queue.v1.Pod.$Properties {
  return { address, limit, unhealthy };
}
