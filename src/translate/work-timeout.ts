import type { envoy } from '#xds';
import type { Millis } from '../base/duration.ts';
import { duration } from './encode.ts';

/**
 * Limits the work on a request, from its slot to its last byte; 0 = no limit. Not by the route's `timeout`: to
 * outlier detection that looks like a failing pod, so one slow request would eject its pod, and with the last
 * pod gone the next requests would time out without ever being seen by one.
 */
export function workTimeout(timeout: Millis): envoy.config.route.v3.RouteAction.$Properties {
  return {
    // Both default to a limit (15 s, 5 min); 0 is none.
    timeout: duration(0),
    idleTimeout: duration(0),
    ...(timeout === 0 ? {} : { maxStreamDuration: { maxStreamDuration: duration(timeout) } }),
  };
}
