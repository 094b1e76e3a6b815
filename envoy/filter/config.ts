// How the plugins are configured: `PluginConfig` of queue.proto.
import { found, foundSize, getBuffer, PLUGIN_CONFIGURATION, release, Text } from './host.ts';
import { ROLE_CONTROL, ROLE_QUEUE, readRole } from './roles.ts';
import { membership, queues } from './state.ts';
import { setStatisticsMax } from './statistics.ts';
import { bytesAt, bytesSize, nextField, readBool, readBytes, readFrom, readInt, skip } from './wire.ts';

/** By then the guard has ended all requests of a VM that trapped. */
const RECLAIM_MS: f64 = 8000;

export let xdsCluster: Text = new Text(0, 0);
export let selfCluster: Text = new Text(0, 0);
export let codeVersion: Text = new Text(0, 0);
export let allowTrap: bool = false;
/** Access logs want to know of each request. */
export let facts: bool = false;
/** Where the waits of traced requests are told, and what Sluice is called there. An empty cluster: nowhere. */
export let traceCluster: Text = new Text(0, 0);
export let traceService: Text = new Text(0, 0);

/** Reads the configuration of a plugin and answers its role; 0: it cannot be read. */
export function configure(size: i32): i32 {
  if (size <= 0 || !getBuffer(PLUGIN_CONFIGURATION, size)) return 0;
  const at = found;
  const role = readRole(at, foundSize);
  if (role === ROLE_QUEUE) readQueue(at, foundSize);
  else if (role === ROLE_CONTROL) readControl(at, foundSize);
  release(at);
  return role < ROLE_QUEUE || role > ROLE_CONTROL ? 0 : role;
}

function readQueue(at: usize, size: i32): void {
  facts = false;
  traceCluster.size = 0;
  readFrom(at, size);
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 3) selfCluster = kept(selfCluster);
    else if (field === 20) facts = readBool();
    else if (field === 21) traceCluster = kept(traceCluster);
    else if (field === 22) traceService = kept(traceService);
    else skip();
  }
}

function readControl(at: usize, size: i32): void {
  allowTrap = false;
  queues.requestsMax = 200000;
  setUnknownWait(5000);
  setStatisticsMax(1000);
  membership.reclaimAfter = RECLAIM_MS;
  readFrom(at, size);
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 2) xdsCluster = kept(xdsCluster);
    else if (field === 3) selfCluster = kept(selfCluster);
    else if (field === 4) codeVersion = kept(codeVersion);
    else if (field === 5) queues.requestsMax = bounded(orDefault(readInt(), 200000));
    else if (field === 6) setUnknownWait(orDefault(readInt(), 5000) as f64);
    else if (field === 7) setStatisticsMax(orDefault(readInt(), 1000));
    else if (field === 8) allowTrap = readBool();
    else if (field === 9) membership.reclaimAfter = orDefault(readInt(), RECLAIM_MS as i32) as f64;
    else skip();
  }
}

/** More would need more memory than the module may have. */
function bounded(requests: i32): i32 {
  return requests < 500000 ? requests : 500000;
}

function orDefault(value: i32, otherwise: i32): i32 {
  return value > 0 ? value : otherwise;
}

/** A copy of the bytes of this field, in the place of the old one. */
function kept(old: Text): Text {
  readBytes();
  if (old.at !== 0) heap.free(old.at);
  const at = heap.alloc(bytesSize + 1);
  memory.copy(at, bytesAt, bytesSize);
  old.at = at;
  old.size = bytesSize;
  return old;
}

/** How long is waited for what Sluice has not said. */
function setUnknownWait(ms: f64): void {
  queues.unknownWait = ms;
  queues.claimWait = 2 * ms;
  queues.silentWait = 6 * ms;
}
