// The guard: a VM of its own that watches the VM of the queue.
//
// When a VM traps, Envoy answers what runs in it with 503 when its answer comes, and starts another VM for what comes later;
// but it tells nobody of those that wait, and they would hang until their clients leave. So each request passes the guard
// first, which does nothing but note it. The queue's VM counts up a number that both share; when that stands still, the guard
// answers all that this VM had. With new code there are two VMs for a while: a request belongs to the newest at its time. Of the same
// code a worker has one VM at a time: where another one calls, the one before is dead, and nobody waits for its number.
import { ALIVE, ENDED, RETIRED, SELF } from './alive.ts';
import { Floats, Ints } from './columns.ts';
import { Contexts } from './contexts.ts';
import {
  allocate,
  answerText,
  begin,
  enter,
  found,
  foundSize,
  fresh,
  getBuffer,
  getProperty,
  PLUGIN_CONFIGURATION,
  put,
  putNumber,
  release,
  same,
  setTick,
  share,
  shared,
  text,
  wallClock,
} from './host.ts';
import { ROLE_GUARD, ROLE_GUARD_CONTROL, readRole } from './roles.ts';

const NONE: i32 = -1;
/** A filter that lets a request go on at its headers cannot read them later, but this. */
const DETAILS_OF_CALL = text('response\0code_details');
const DETAILS = text('sluice_filter_restarted');
const SAY_RESTARTED = text('The queue in Envoy has failed and was started anew. Try again.\n');
const UNAVAILABLE: i32 = 14;
const DOT: u8 = 46;

const TICK_MS: u32 = 500;
/** The number stands still for so many ticks: the VM is dead. It goes on every 0.4 to 1 s. */
const MISSED_MAX: i32 = 5;
/** By then the pods have heard that the requests of a dead VM are over, and its slots are free. */
const HEARD_MS: u32 = 25;
/** At most so many are answered in one call: each calls a VM again. */
const BATCH: i32 = 48;
/** Requests beyond that are not watched. */
const PLACES_MAX: i32 = 1 << 20;

// The requests that are open: when each began, in microseconds since 1970.
const contexts: Contexts = new Contexts();
const began: Floats = new Floats();
const nextFree: Ints = new Ints();
const isOpen: Ints = new Ints();
let free: i32 = NONE;
let end: i32 = 0;
let room: i32 = 0;

let root: u32 = 0;
let controlRoot: u32 = 0;
/** The newest call of a VM to itself. */
let call: u32 = 0;

/** The VMs that are watched, oldest first: each by the nanoseconds at which it started. */
const WATCHED_MAX: i32 = 8;
const vms: StaticArray<u64> = new StaticArray<u64>(WATCHED_MAX);
/** The code of each, as a number. 0: it has not said. */
const codes: StaticArray<u64> = new StaticArray<u64>(WATCHED_MAX);
const lastSeen: StaticArray<u64> = new StaticArray<u64>(WATCHED_MAX);
const missed: Ints = new Ints();
let watched: i32 = 0;
/** When the numbers were read last, in milliseconds. */
let lookedAt: f64 = 0;

/** The VM that is dead; 0: none is. */
let dead: u64 = 0;
/** All that began in this time are to be answered; where the next one is looked for. */
let condemnedFrom: f64 = 0;
let condemnedTo: f64 = 0;
let cursor: i32 = 0;

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_memory_allocate(size: usize): usize {
  return allocate(size);
}

export function proxy_on_vm_start(_root: u32, _size: i32): i32 {
  return 1;
}

export function proxy_on_configure(context: u32, size: i32): i32 {
  fresh();
  if (size <= 0 || !getBuffer(PLUGIN_CONFIGURATION, size)) return 0;
  const role = readRole(found, foundSize);
  release(found);
  if (role === ROLE_GUARD_CONTROL) controlRoot = context;
  else if (role !== ROLE_GUARD) return 0;
  else if (root !== context) {
    root = context;
    enter(root);
    setTick(TICK_MS);
  }
  return 1;
}

export function proxy_on_context_create(context: u32, parent: u32): void {
  if (parent === 0) return;
  // Which VM calls is known when it is answered.
  if (parent === controlRoot) call = context;
  else note(context);
}

export function proxy_on_done(context: u32): i32 {
  if (context === call) watch();
  const place = contexts.find(context);
  if (place === NONE) return 1;
  contexts.remove(place);
  isOpen.set(place, 0);
  nextFree.set(place, free);
  free = place;
  return 1;
}

export function proxy_on_tick(context: u32): void {
  if (context !== root) return;
  fresh();
  if (condemnedTo === 0) {
    if (dead !== 0) bury();
    look();
  }
  if (condemnedTo > 0) answerSome();
}

/** A request begins. */
function note(context: u32): void {
  let place = free;
  if (place !== NONE) free = nextFree.get(place);
  else {
    if (end >= PLACES_MAX) return;
    place = end++;
    if (place >= room) {
      room = place < 128 ? 256 : place * 2;
      began.grow(room);
      nextFree.grow(room);
      isOpen.grow(room);
    }
  }
  began.set(place, microseconds(wallClock()));
  isOpen.set(place, 1);
  contexts.add(context, place);
}

/** A VM calls itself: it is of this worker, and has the requests that come from now on. */
function watch(): void {
  fresh();
  if (!getProperty(DETAILS_OF_CALL)) return;
  if (foundSize < SELF.size || !same(found, SELF.size, SELF)) return;
  let vm: u64 = 0;
  let i = SELF.size;
  for (; i < foundSize && load<u8>(found + i) !== DOT; i++) vm = vm * 10 + ((load<u8>(found + i) as u64) - 48);
  const code = i < foundSize ? hash(found + i, foundSize - i) : 0;
  release(found);
  for (let k = 0; k < watched; k++) if (vms[k] === vm) return;
  if (watched === WATCHED_MAX) unwatch(0);
  vms[watched] = vm;
  codes[watched] = code;
  lastSeen[watched] = 0;
  missed.set(watched, 0);
  watched++;
  if (root === 0) return;
  // It may follow one that is dead.
  enter(root);
  setTick(1);
}

/** Not 0. */
function hash(at: usize, size: i32): u64 {
  let value: u64 = 5381;
  for (let i = 0; i < size; i++) value = value * 33 + (load<u8>(at + i) as u64);
  return value === 0 ? 1 : value;
}

function unwatch(index: i32): void {
  watched--;
  for (let i = index; i < watched; i++) {
    vms[i] = vms[i + 1];
    codes[i] = codes[i + 1];
    lastSeen[i] = lastSeen[i + 1];
    missed.set(i, missed.get(i + 1));
  }
}

/** Looks whether all VMs live; the requests of one that does not are condemned. */
function look(): void {
  enter(root);
  setTick(TICK_MS);
  const at = microseconds(wallClock()) / 1000;
  // A tick that came early says nothing about numbers that stand still.
  const isDue = at < lookedAt || at - lookedAt >= (TICK_MS as f64) * 0.9;
  if (isDue) lookedAt = at;
  for (let i = 0; i < watched; i++) {
    begin();
    put(ALIVE);
    putNumber(vms[i]);
    const seen = shared();
    if (seen === RETIRED || seen === ENDED) {
      unwatch(i);
      return;
    }
    if (isDue) {
      missed.set(i, seen === lastSeen[i] ? missed.get(i) + 1 : 0);
      lastSeen[i] = seen;
    }
    if (missed.get(i) < MISSED_MAX && !isFollowed(i)) continue;
    dead = vms[i];
    condemnedFrom = microseconds(dead);
    condemnedTo = microseconds(i + 1 < watched ? vms[i + 1] : wallClock());
    cursor = 0;
    unwatch(i);
    enter(root);
    setTick(1);
    return;
  }
}

/** Whether a later VM has the same code. */
function isFollowed(index: i32): bool {
  for (let i = index + 1; i < watched; i++) if (codes[i] !== 0 && codes[i] === codes[index]) return true;
  return false;
}

function answerSome(): void {
  let left = BATCH;
  while (cursor < end && left > 0) {
    const place = cursor++;
    if (isOpen.get(place) === 0) continue;
    if (began.get(place) < condemnedFrom || began.get(place) >= condemnedTo) continue;
    left--;
    enter(contexts.of(place));
    answerText(503, DETAILS, SAY_RESTARTED, UNAVAILABLE);
  }
  if (cursor < end) return;
  condemnedTo = 0;
  enter(root);
  setTick(HEARD_MS);
}

/** All requests of the dead VM are over: what it used is free. */
function bury(): void {
  begin();
  put(ALIVE);
  putNumber(dead);
  share(ENDED);
  dead = 0;
}

function microseconds(nanoseconds: u64): f64 {
  return (nanoseconds / 1000) as f64;
}
