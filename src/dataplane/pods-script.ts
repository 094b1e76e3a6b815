import { envoy } from '#xds';
import type { Service } from '../model/service.ts';
import {
  ARRIVED_KEY,
  HEADERS,
  LONGEST_WAIT_KEY,
  METADATA,
  REQUEST_ENDED_PATH,
  RETRY_AFTER_KEY,
  WAITED_KEY,
} from './contract.ts';
import { extension, pack, struct } from './encode.ts';
import type { HttpFilter } from './http-connection-manager.ts';

const { Lua, LuaPerRoute } = envoy.extensions.filters.http.lua.v3;
const { UpstreamCodec } = envoy.extensions.filters.http.upstream_codec.v3;

/** The filter's name, under which Envoy also looks for its settings and metadata on routes. */
const FILTER = 'envoy.filters.http.lua';

/** The cluster that the bootstrap has for the control plane. */
const CONTROL_PLANE = 'sluice';

/** How long the end of an answer from a draining pod is held at most. */
const HOLD_MS = 500;

/**
 * The parking's "try again" is meant for Envoy. A client sees it when its body was too large to be sent again, and is
 * told in the usual way that no pod was there; the parking itself must not say 5xx, or it would be ejected like a pod.
 */
const ON_PARKED = `
  if handle:headers():get("${HEADERS.parked}") ~= nil then
    handle:headers():remove("${HEADERS.parked}")
    handle:headers():replace(":status", "503")
    return
  end
`;

/**
 * A request that ends on a draining pod takes its slot of the gate with it: the line must not move up, since no
 * pod has become free. So the end of its answer is held until the control plane has lowered the gate's limit (some
 * milliseconds), or at once goes on when the control plane does not answer. Between the hops an answer with a length ends
 * with its last byte, which cannot be held: without the length it is sent in chunks, and ends with an empty one.
 */
const ON_RESPONSE = `
function envoy_on_response(handle)
  ${ON_PARKED.trim()}
  local pod = handle:headers():get("${HEADERS.draining}")
  if pod == nil then return end
  handle:headers():remove("${HEADERS.draining}")
  handle:headers():remove("content-length")
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
 * Answers when the wait has been too long. The words come from the local replies, which find here how long it was. Who
 * comes again after that long finds another line: this one has been worked off by then.
 */
const REFUSE = `
local function refuse_late(handle, arrived)
  local longest = handle:metadata():get("longest_wait_ms")
  if longest == nil then return end
  local waited = handle:timestamp() - arrived
  if waited <= longest then return end
  local metadata = handle:streamInfo():dynamicMetadata()
  metadata:set("${METADATA}", "${WAITED_KEY}", waited)
  metadata:set("${METADATA}", "${LONGEST_WAIT_KEY}", longest)
  metadata:set("${METADATA}", "${RETRY_AFTER_KEY}", math.min(3600, math.ceil(waited / 1000)))
  handle:respond({[":status"] = "503"}, "waited too long")
end
`;

/**
 * Envoy has no timer for the wait in a cluster's line. So the second hop, which a request reaches with its
 * slot, compares the time stamped on arrival with the clock and answers before a pod sees the request.
 */
const ON_REQUEST = `${REFUSE}
function envoy_on_request(handle)
  local arrived = tonumber(handle:headers():get("${HEADERS.arrived}"))
  if arrived == nil then return end
  handle:streamInfo():dynamicMetadata():set("${METADATA}", "${ARRIVED_KEY}", arrived)
  refuse_late(handle, arrived)
end
`;

/**
 * The same before each further try of a request that has found no pod yet. By then the header has been taken out; what
 * the request itself knows is the same for all its tries.
 */
const ON_TRY = `${REFUSE}
function envoy_on_request(handle)
  local known = handle:streamInfo():dynamicMetadata():get("${METADATA}")
  if known ~= nil then refuse_late(handle, known["${ARRIVED_KEY}"]) end
end
`;

/** Under this name routes of services whose line has a longest wait choose the scripts that look at it. */
const LONGEST_WAIT = 'longest-wait';

/** Under this name routes without a line choose the script that looks at the parking's answers. */
const WITHOUT_LINE = 'without-line';

/**
 * The filter of the second hop. Every script is an interpreter of its own in each of Envoy's threads, some 90 KB (run:
 * 180 MB for one of each of 1,000 services), so routes choose one of these two by its name and bring none themselves.
 */
export function podsScript(): HttpFilter {
  return extension(FILTER, Lua, {
    defaultSourceCode: { inlineString: ON_RESPONSE },
    sourceCodes: { [LONGEST_WAIT]: { inlineString: ON_RESPONSE + ON_REQUEST } },
  });
}

/**
 * The filters that each try of a request at the second hop goes through. A script only where the route has chosen it, by
 * the same name as that of the hop; the codec must be the last.
 */
export function eachTry(): HttpFilter[] {
  return [
    extension(FILTER, Lua, { sourceCodes: { [LONGEST_WAIT]: { inlineString: ON_TRY } } }),
    extension('envoy.filters.http.upstream_codec', UpstreamCodec, {}),
  ];
}

/** The filter for the first hop: rests, save on routes that lead to pods and not to a gate. */
export function parkedScript(): HttpFilter {
  const script = `function envoy_on_response(handle)${ON_PARKED}end`;
  return { ...extension(FILTER, Lua, { sourceCodes: { [WITHOUT_LINE]: { inlineString: script } } }), disabled: true };
}

/** What a route of the first hop that leads to pods says to the script. */
export function parkedScriptOnRoute() {
  return { [FILTER]: pack(LuaPerRoute, { name: WITHOUT_LINE }) };
}

/** What the routes of the second hop say to the script: the longest wait, if there is one, and to look at it. */
export function podsScriptOnRoutes({ discipline }: Service) {
  const timeout = discipline.kind === 'limited' ? discipline.queue.timeout : 0;
  if (timeout === 0) return { perFilterConfig: {}, metadata: {} };
  return {
    perFilterConfig: { [FILTER]: pack(LuaPerRoute, { name: LONGEST_WAIT }) },
    metadata: { [FILTER]: struct({ longest_wait_ms: timeout }) },
  };
}
