import { envoy } from '#xds';
import type { Service } from '../model/service.ts';
import { extension, pack, struct } from './encode.ts';
import type { HttpFilter } from './http-connection-manager.ts';
import { HEADERS, REQUEST_ENDED_PATH } from './names.ts';

const { Lua, LuaPerRoute } = envoy.extensions.filters.http.lua.v3;

/** The filter's name, under which Envoy also looks for its settings and metadata on routes. */
const FILTER = 'envoy.filters.http.lua';

/** The cluster that the bootstrap has for the control plane. */
const CONTROL_PLANE = 'sluice';

/** How long the end of an answer from a draining pod is held at most. */
const HOLD_MS = 500;

/**
 * A request that ends on a draining pod takes its slot of the gate with it: the line must not move up, since no
 * pod has become free. So the end of its answer is held until the control plane has lowered the gate's limit (some
 * milliseconds), or at once goes on when the control plane does not answer.
 */
const ON_RESPONSE = `
function envoy_on_response(handle)
  local pod = handle:headers():get("${HEADERS.draining}")
  if pod == nil then return end
  handle:headers():remove("${HEADERS.draining}")
  for chunk in handle:bodyChunks() do end
  handle:httpCall("${CONTROL_PLANE}", {
    [":method"] = "POST",
    [":path"] = "${REQUEST_ENDED_PATH}",
    [":authority"] = "sluice",
    ["content-type"] = "application/grpc",
    ["te"] = "trailers",
    ["${HEADERS.draining}"] = pod,
  }, string.rep("\\0", 5), ${HOLD_MS})
end
`;

/**
 * Envoy has no timer for the wait in a cluster's line. So the second hop, which a request reaches with its
 * slot, compares the time stamped on arrival with the clock and answers before a pod sees the request.
 */
const ON_REQUEST = `
function envoy_on_request(handle)
  local arrived = tonumber(handle:headers():get("${HEADERS.arrived}"))
  local longest = handle:metadata():get("longest_wait_ms")
  if arrived == nil or longest == nil then return end
  local waited = handle:timestamp() - arrived
  if waited > longest then
    handle:respond({
      [":status"] = "503",
      ["retry-after"] = "1",
      ["content-type"] = "application/json",
    }, string.format(
      '{"error":"waited too long","service":"%s","waited_ms":%d,"longest_wait_ms":%d,"message":"The request waited %d ms for a free pod; queue.timeout allows %d ms. No pod has seen it."}\\n',
      handle:metadata():get("service"), waited, longest, waited, longest))
  end
end
`;

/** Under this name routes choose the script that also looks at the wait. */
const WITH_WAIT_TIMEOUT = 'wait-timeout';

/** The filter, the same for every service: what else differs is said on the routes. */
export function podsScript(): HttpFilter {
  return extension(FILTER, Lua, {
    defaultSourceCode: { inlineString: ON_RESPONSE },
    sourceCodes: { [WITH_WAIT_TIMEOUT]: { inlineString: ON_RESPONSE + ON_REQUEST } },
  });
}

/** What a route of the second hop says to the script: the longest wait, if there is one. */
export function podsScriptOnRoute({ name, discipline }: Service) {
  const timeout = discipline.kind === 'limited' ? discipline.queue.timeout : 0;
  if (timeout === 0) return { perFilterConfig: {}, metadata: {} };
  return {
    perFilterConfig: { [FILTER]: pack(LuaPerRoute, { name: WITH_WAIT_TIMEOUT }) },
    metadata: { [FILTER]: struct({ longest_wait_ms: timeout, service: name }) },
  };
}
