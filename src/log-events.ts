import type { Logger } from './log.ts';
import type { SourceLog } from './source/pod-source.ts';
import type { XdsEvent } from './xds/event.ts';

/** Where the source of this name tells what happens to it. */
export function sourceLog(log: Logger, source: string): SourceLog {
  return (level, message, fields) => log[level]({ source, ...fields }, message);
}

/** Tells what happens between an Envoy and the xDS server. */
export function logEvent(log: Logger, event: XdsEvent): void {
  const { kind, node } = event;
  switch (kind) {
    case 'connected':
      log.info({ node: node.id, userAgent: event.userAgent }, 'Envoy connected');
      break;
    case 'disconnected':
      log.info({ node: node.id, reason: event.reason }, 'Envoy disconnected');
      break;
    case 'nacked':
      log.error(
        { node: node.id, typeUrl: event.typeUrl, resources: event.resources, message: event.message },
        'Envoy refused',
      );
      break;
    default:
      log.debug({ ...event, node: node.id }, 'xds');
  }
}
