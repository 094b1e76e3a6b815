import type { envoy } from '#xds';
import type { Millis } from '../base/duration.ts';
import { duration } from './encode.ts';
import { header } from './header-changes.ts';

type EnvoyHeader = envoy.config.core.v3.HeaderValueOption.$Properties;

/**
 * Tells the router how long the work on a request may take, in milliseconds. The router takes it out; from clients it would
 * take it as well, so the public listener must not let it in.
 */
export const WORK_TIMEOUT_HEADER = 'x-envoy-upstream-stream-duration-ms';

/** On every route to a service. Both default to a limit (15 s, 5 min); 0 is none. */
export const NO_ROUTE_TIMEOUT: envoy.config.route.v3.RouteAction.$Properties = {
  timeout: duration(0),
  idleTimeout: duration(0),
};

/**
 * What a route adds to a request to limit the work on it, from the moment a pod gets it to the last byte of its answer;
 * 0 = no limit. The wait for a slot is before that: the router comes after the queue.
 *
 * This header alone limits each try for itself (seen on 1.40), so a request that looks for a pod again and again spends
 * none of its time. To the route's `max_stream_duration` all tries count together; its `timeout` and a `per_try_timeout`
 * look like a failing pod to outlier detection, so one slow request would eject its pod.
 */
export function workTimeout(timeout: Millis): EnvoyHeader[] {
  return timeout === 0 ? [] : [header(WORK_TIMEOUT_HEADER, String(timeout), 'overwrite')];
}
