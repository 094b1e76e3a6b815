// What a request says of itself, as far as its service asks: its class, its tenant, its cost and its deadline.
//
// Names of classes and tenants are entries of names.ts: a request that names a known one allocates nothing.
import { Ints } from './columns.ts';
import {
  found,
  foundSize,
  getHeader,
  getProperty,
  putBytes,
  REQUEST_HEADERS,
  release,
  Text,
  text,
  wallClock,
  wholeNumber,
} from './host.ts';
import { addName, findName, nameAt, nameSize, numberOf, removeName } from './names.ts';
import { CLASSES } from './order.ts';
import { NONE } from './queue.ts';
import { queues } from './state.ts';
import {
  broken,
  bytesAt,
  bytesSize,
  enterMessage,
  leaveMessage,
  nextField,
  position,
  readBool,
  readBytes,
  readInt,
  readNumber,
  rewind,
  skip,
} from './wire.ts';

/** A route says the class of its requests in its metadata. */
const ROUTE_CLASS = text('xds\0route_metadata\0filter_metadata\0sluice\0class');

const GRPC_TIMEOUT = text('grpc-timeout');
const REQUEST_DEADLINE = text('x-request-deadline');

// Scopes of names.ts, below those of state.ts and statistics.ts: so many for each service.
const FIRST_SCOPE: i32 = -16;
const SCOPES: i32 = 5;
const CLASS_NAMES: i32 = 0;
const CLASS_HEADER: i32 = 1;
const TENANT_NAMES: i32 = 2;
const TENANT_SOURCE: i32 = 3;
const COST_HEADER: i32 = 4;
/** A request without a tenant is one of this. */
const NAMELESS = text('-');
/** So many bytes of a tenant's name count. */
const TENANT_BYTES: i32 = 256;

function scopeOf(s: i32, kind: i32): i32 {
  return FIRST_SCOPE - s * SCOPES - kind;
}

let room: i32 = 0;
/** What a service asks of its requests. 0: nothing. */
const asked: Ints = new Ints();
const ASKS_CLASS: i32 = 1;
const ASKS_TENANT: i32 = 2;
const TENANT_IS_HEADER: i32 = 4;
const TENANT_IS_ADDRESS: i32 = 8;
const ASKS_COST: i32 = 16;
const ASKS_DEADLINE: i32 = 32;
const DEADLINE_IS_EARLY: i32 = 64;
// As in queue.proto.
const DEADLINE_EXACT: i32 = 1;
const DEADLINE_EARLY: i32 = 2;
/** Entries of names.ts, or 0. */
const classHeaders: Ints = new Ints();
const classNames: Ints = new Ints();
const defaultClasses: Ints = new Ints();
const costHeaders: Ints = new Ints();
const usualCosts: Ints = new Ints();
const mostCosts: Ints = new Ints();
const tenantSources: Ints = new Ints();
const tenantNames: Ints = new Ints();
let tenantRoom: i32 = 0;
const name: Text = new Text(0, 0);

/** Of the request that comes: its class, and its tenant or NONE. */
export let requestClass: i32 = 0;
export let requestTenant: i32 = NONE;
/** The slots that it takes, and until when it waits. */
export let requestCost: i32 = 1;
export let requestDue: f64 = Infinity;

function reserve(s: i32): void {
  if (s < room) return;
  room = s < 16 ? 32 : s * 2;
  asked.grow(room);
  classHeaders.grow(room);
  classNames.grow(room * CLASSES);
  defaultClasses.grow(room);
  tenantSources.grow(room);
  costHeaders.grow(room);
  usualCosts.grow(room);
  mostCosts.grow(room);
}

/** How many headers `readTraits` looks for. */
export function headersAsked(s: i32): i32 {
  if (s >= room) return 0;
  const asks = asked.get(s);
  let count = (asks & ASKS_DEADLINE) !== 0 ? 2 : 0;
  if ((asks & ASKS_CLASS) !== 0) count++;
  if ((asks & TENANT_IS_HEADER) !== 0) count++;
  if ((asks & ASKS_COST) !== 0) count++;
  return count;
}

/** Reads of the request of this context what its service asks. */
export function readTraits(s: i32, now: f64): void {
  requestClass = 0;
  requestTenant = NONE;
  requestCost = 1;
  requestDue = Infinity;
  if (s >= room || asked.get(s) === 0) return;
  const asks = asked.get(s);
  if ((asks & ASKS_CLASS) !== 0) requestClass = readClass(s);
  if ((asks & ASKS_TENANT) !== 0) requestTenant = readTenant(s, asks);
  if ((asks & ASKS_COST) !== 0) requestCost = readCost(s);
  if ((asks & ASKS_DEADLINE) !== 0) requestDue = readDue(s, (asks & DEADLINE_IS_EARLY) !== 0, now);
}

function readCost(s: i32): i32 {
  if (!hasHeader(costHeaders.get(s) as usize)) return usualCosts.get(s);
  const cost = wholeNumber(found, foundSize);
  release(found);
  return cost < 1 ? usualCosts.get(s) : cost;
}

/** Until when a request may wait; Infinity: it does not say. */
function readDue(s: i32, early: bool, now: f64): f64 {
  let due: f64 = Infinity;
  if (getHeader(REQUEST_HEADERS, GRPC_TIMEOUT)) {
    const timeout = wholeNumber(found, foundSize - 1);
    const unit = grpcUnit(load<u8>(found + foundSize - 1));
    release(found);
    if (timeout >= 0 && unit > 0) due = now + (timeout as f64) * unit;
  }
  if (getHeader(REQUEST_HEADERS, REQUEST_DEADLINE)) {
    const at = deadlineAt(found, foundSize, now);
    release(found);
    if (at < due) due = at;
  }
  return early ? due - queues.usual(s) : due;
}

/** The units of `grpc-timeout` in milliseconds; 0: it is none. */
function grpcUnit(unit: u8): f64 {
  if (unit === 72 /* H */) return 3600000;
  if (unit === 77 /* M */) return 60000;
  if (unit === 83 /* S */) return 1000;
  if (unit === 109 /* m */) return 1;
  if (unit === 117 /* u */) return 0.001;
  return unit === 110 /* n */ ? 0.000001 : 0;
}

/** Milliseconds since 1970 have more digits than this, and seconds fewer. */
const MILLISECONDS_FROM: f64 = 1e11;

/**
 * `1790000000.5` or `1790000000500`: seconds or milliseconds since 1970; `30s`, `1500ms`, `2m`, `1h`: from now on. Infinity: it is
 * none of these.
 */
function deadlineAt(at: usize, size: i32, now: f64): f64 {
  let value: f64 = 0;
  let scale: f64 = 0;
  let i: i32 = 0;
  for (; i < size && i < 20; i++) {
    const byte = load<u8>(at + i);
    if (byte === 46 /* . */ && scale === 0) {
      scale = 1;
      continue;
    }
    if (byte < 48 || byte > 57) break;
    value = value * 10 + ((byte - 48) as f64);
    scale *= 10;
  }
  if (i === 0) return Infinity;
  if (scale > 1) value /= scale;
  if (i < size) {
    const unit = unitOf(at + i, size - i);
    return unit === 0 ? Infinity : now + value * unit;
  }
  const wall = (wallClock() as f64) / 1e6;
  return now + (value < MILLISECONDS_FROM ? value * 1000 : value) - wall;
}

/** `ms`, `s`, `m` and `h` in milliseconds; 0: it is something else. */
function unitOf(at: usize, size: i32): f64 {
  const first = load<u8>(at);
  if (size === 2) return first === 109 /* m */ && load<u8>(at + 1) === 115 /* s */ ? 1 : 0;
  if (size !== 1) return 0;
  if (first === 115 /* s */) return 1000;
  if (first === 109 /* m */) return 60000;
  return first === 104 /* h */ ? 3600000 : 0;
}

function readClass(s: i32): i32 {
  const ofRoute = getProperty(ROUTE_CLASS) ? classNamed(s) : NONE;
  if (ofRoute !== NONE) return ofRoute;
  const ofHeader = hasHeader(classHeaders.get(s) as usize) ? classNamed(s) : NONE;
  return ofHeader === NONE ? defaultClasses.get(s) : ofHeader;
}

function readTenant(s: i32, asks: i32): i32 {
  const source = tenantSources.get(s) as usize;
  name.at = source === 0 ? 0 : nameAt(source);
  name.size = source === 0 ? 0 : nameSize(source);
  const isThere =
    source !== 0 && ((asks & TENANT_IS_HEADER) !== 0 ? getHeader(REQUEST_HEADERS, name) : getProperty(name));
  if (!isThere) return tenantNamed(s, NAMELESS.at, NAMELESS.size);
  let size = foundSize < TENANT_BYTES ? foundSize : TENANT_BYTES;
  if ((asks & TENANT_IS_ADDRESS) !== 0) size = withoutPort(found, size);
  const tenant = tenantNamed(s, found, size);
  release(found);
  return tenant;
}

function withoutPort(at: usize, size: i32): i32 {
  for (let i = size - 1; i > 0; i--) if (load<u8>(at + i) === 58 /* : */) return i;
  return size;
}

/** The tenant of this name, a new one if it is not known. NONE: too many have something. */
function tenantNamed(s: i32, at: usize, size: i32): i32 {
  const scope = scopeOf(s, TENANT_NAMES);
  const known = findName(scope, at, size);
  if (known !== 0) return numberOf(known);
  const tenant = queues.order.addTenant(s);
  if (tenant === NONE) return NONE;
  if (tenant >= tenantRoom) {
    tenantRoom = tenant < 32 ? 64 : tenant * 2;
    tenantNames.grow(tenantRoom);
  }
  // It may have the number of one that was forgotten for it.
  tenantNames.set(tenant, renamed(tenantNames.get(tenant), scope, at, size, tenant));
  return tenant;
}

/** The name of a tenant, as an entry of names.ts; 0: it has none. */
export function tenantEntry(tenant: i32): usize {
  return tenant !== NONE && tenant < tenantRoom ? (tenantNames.get(tenant) as usize) : 0;
}

/** Puts the name of a tenant into the line that is put together. */
export function putTenant(tenant: i32): void {
  const entry = tenantEntry(tenant);
  if (entry !== 0) putBytes(nameAt(entry), nameSize(entry));
}

/** Whether the request has the header of this name; then it is `found`. */
function hasHeader(entry: usize): bool {
  if (entry === 0) return false;
  name.at = nameAt(entry);
  name.size = nameSize(entry);
  return getHeader(REQUEST_HEADERS, name);
}

/** The class of a service that has the name of one of another; the usual one if there is none. */
export function classIn(s: i32, other: i32, c: i32): i32 {
  if (s >= room || (asked.get(s) & ASKS_CLASS) === 0) return 0;
  const entry = classEntry(other, c);
  const same: usize = entry === 0 ? 0 : findName(scopeOf(s, CLASS_NAMES), nameAt(entry), nameSize(entry));
  return same === 0 ? defaultClasses.get(s) : numberOf(same);
}

/** The tenant of a service that has the name of one of another (or of NONE); NONE: it has none, or too many have something. */
export function tenantIn(s: i32, tenant: i32): i32 {
  if (s >= room || (asked.get(s) & ASKS_TENANT) === 0) return NONE;
  const entry = tenantEntry(tenant);
  return entry === 0 ? tenantNamed(s, NAMELESS.at, NAMELESS.size) : tenantNamed(s, nameAt(entry), nameSize(entry));
}

/** The class with the name that was found; NONE: there is none of this name. */
function classNamed(s: i32): i32 {
  const entry = findName(scopeOf(s, CLASS_NAMES), found, foundSize);
  release(found);
  return entry === 0 ? NONE : numberOf(entry);
}

/** The name of a class, as an entry of names.ts; 0: it has none (any more). */
export function classEntry(s: i32, c: i32): usize {
  return s < room ? (classNames.get(s * CLASSES + c) as usize) : 0;
}

// ---- What services ask ----

/** The service asks nothing, until the messages below are applied. */
export function askNothing(s: i32): void {
  if (s < room) {
    asked.set(s, 0);
    classHeaders.set(s, renamed(classHeaders.get(s), 0, 0, 0, 0));
    tenantSources.set(s, renamed(tenantSources.get(s), 0, 0, 0, 0));
    costHeaders.set(s, renamed(costHeaders.get(s), 0, 0, 0, 0));
    for (let c = 0; c < CLASSES; c++)
      classNames.set(s * CLASSES + c, renamed(classNames.get(s * CLASSES + c), 0, 0, 0, 0));
  }
  queues.order.setClasses(s, 1);
  queues.configureCost(s, 0);
  if (queues.order.fair(s)) queues.order.setFair(s, false, 0, 0);
  for (let c = 0; c < CLASSES; c++) queues.order.setMaxWait(s, c, 0);
}

/** Takes a name away, and adds another in its place, if there is one. */
function renamed(old: i32, scope: i32, at: usize, size: i32, value: i32): i32 {
  if (old !== 0) removeName(old as usize);
  return size === 0 ? 0 : (addName(scope, at, size, value) as i32);
}

/** `Priority` of queue.proto. */
export function applyPriority(s: i32): void {
  reserve(s);
  let count = 0;
  let usual = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      readBytes();
      classHeaders.set(s, renamed(classHeaders.get(s), scopeOf(s, CLASS_HEADER), bytesAt, bytesSize, 0));
    } else if (field === 2) {
      const outer = enterMessage();
      if (count < CLASSES) applyClass(s, count++);
      leaveMessage(outer);
    } else if (field === 3) usual = readInt();
    else skip();
  }
  if (broken) return;
  asked.set(s, asked.get(s) | ASKS_CLASS);
  defaultClasses.set(s, usual < count ? usual : 0);
  queues.order.setClasses(s, count);
}

function applyClass(s: i32, c: i32): void {
  const at = s * CLASSES + c;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      readBytes();
      const isNew = findName(scopeOf(s, CLASS_NAMES), bytesAt, bytesSize) === 0;
      if (isNew) classNames.set(at, renamed(classNames.get(at), scopeOf(s, CLASS_NAMES), bytesAt, bytesSize, c));
    } else if (field === 2) queues.order.setMaxWait(s, c, readNumber());
    else skip();
  }
}

/** `Fair` of queue.proto. */
export function applyFair(s: i32): void {
  reserve(s);
  const start = position();
  let asks = ASKS_TENANT;
  let waitingMax = 0;
  let slotsMax = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1 || field === 2) {
      readBytes();
      tenantSources.set(s, renamed(tenantSources.get(s), scopeOf(s, TENANT_SOURCE), bytesAt, bytesSize, 0));
      if (field === 1) asks |= TENANT_IS_HEADER;
    } else if (field === 3) asks |= readBool() ? TENANT_IS_ADDRESS : 0;
    else if (field === 4) waitingMax = readInt();
    else if (field === 5) slotsMax = readInt();
    else skip();
  }
  if (broken) return;
  asked.set(s, asked.get(s) | asks);
  queues.order.setFair(s, true, waitingMax, slotsMax);
  rewind(start);
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 6) {
      const outer = enterMessage();
      applyWeight(s);
      leaveMessage(outer);
    } else skip();
  }
}

function applyWeight(s: i32): void {
  let at: usize = 0;
  let size: i32 = 0;
  let weight: i32 = 1;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      readBytes();
      at = bytesAt;
      size = bytesSize < TENANT_BYTES ? bytesSize : TENANT_BYTES;
    } else if (field === 2) weight = readInt();
    else skip();
  }
  const tenant = size === 0 ? NONE : tenantNamed(s, at, size);
  if (tenant !== NONE) queues.order.setWeight(tenant, weight < 1 ? 1 : (weight as f64));
}

/** `Deadline` of queue.proto. */
export function applyDeadline(s: i32, deadline: i32): void {
  reserve(s);
  if (deadline === DEADLINE_EXACT) asked.set(s, asked.get(s) | ASKS_DEADLINE);
  else if (deadline === DEADLINE_EARLY) asked.set(s, asked.get(s) | ASKS_DEADLINE | DEADLINE_IS_EARLY);
}

/** `Cost` of queue.proto. */
export function applyCost(s: i32): void {
  reserve(s);
  let usual = 1;
  let most = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      readBytes();
      costHeaders.set(s, renamed(costHeaders.get(s), scopeOf(s, COST_HEADER), bytesAt, bytesSize, 0));
    } else if (field === 2) usual = readInt();
    else if (field === 3) most = readInt();
    else skip();
  }
  if (broken) return;
  asked.set(s, asked.get(s) | ASKS_COST);
  usualCosts.set(s, usual < 1 ? 1 : usual);
  mostCosts.set(s, most);
  queues.configureCost(s, most);
}

/** The most that a request of a service may cost. */
export function mostCost(s: i32): i32 {
  return s < room ? mostCosts.get(s) : 0;
}
