// Requests whose bodies are still on their way: they join the queue when their body is here, up to a size, so that a slow client
// holds no slot.
import { Floats, FreeList, Ints } from './columns.ts';
import { Contexts } from './contexts.ts';
import { found, foundSize, getHeader, hasHeader, isGrpc, REQUEST_HEADERS, release, same, text } from './host.ts';

const NONE: i32 = -1;

/** What `takeBody` says: the request is none of these; more is to come; it may join the queue now. */
export const ELSEWHERE: i32 = 0;
export const COMING: i32 = 1;
export const HERE: i32 = 2;

/** Bytes that requests outside the queue may hold together. Beyond that requests join with what there is of their bodies. */
const HELD_MAX: f64 = 67108864;

const EXPECT = text('expect');
export const UPGRADE = text('upgrade');
const METHOD = text(':method');
const CONNECT = text('CONNECT');

/** Some service waits for bodies, or has done so. */
export let isAnyWaited: bool = false;

// By service: how much of a body is waited for, and how many requests are on their way.
const limits: Ints = new Ints();
const coming: Ints = new Ints();
let serviceRoom: i32 = 0;

// The requests that are on their way.
const contexts: Contexts = new Contexts();
const services: Ints = new Ints();
const sizes: Floats = new Floats();
const places: FreeList = new FreeList();
let count: i32 = 0;
let held: f64 = 0;

/** Bytes of a body that a request waits for before it joins the queue of this service. 0: none. */
export function setBodyLimit(s: i32, bytes: i32): void {
  if (bytes === 0 && s >= serviceRoom) return;
  if (s >= serviceRoom) {
    serviceRoom = s < 16 ? 32 : s * 2;
    limits.grow(serviceRoom);
    coming.grow(serviceRoom);
  }
  limits.set(s, bytes);
  if (bytes > 0) isAnyWaited = true;
}

/** A service is new, or forgotten: what is on its way was for another one of that number. */
export function clearBodies(s: i32): void {
  if (s < serviceRoom && coming.get(s) > 0) {
    for (let i: i32 = 0; i < places.end; i++) if (services.get(i) === s) services.set(i, NONE);
    coming.set(s, 0);
  }
  setBodyLimit(s, 0);
}

/** Requests of a service that are on their way. */
export function comingFor(s: i32): i32 {
  return s < serviceRoom ? coming.get(s) : 0;
}

/** The headers of a request with a body are here. Whether it is to wait for that. */
export function beginBody(context: u32, s: i32, most: i32): bool {
  if (s >= serviceRoom || limits.get(s) === 0 || held >= HELD_MAX || count >= most || !isPlain()) return false;
  const i = places.take();
  services.grow(places.room);
  sizes.grow(places.room);
  services.set(i, s);
  sizes.set(i, 0);
  contexts.add(context, i);
  coming.add(s, 1);
  count++;
  return true;
}

/** Not one whose client waits for an answer before it sends its body, or before it ends it. */
export function isPlain(): bool {
  if (hasHeader(REQUEST_HEADERS, EXPECT) || hasHeader(REQUEST_HEADERS, UPGRADE)) return false;
  if (getHeader(REQUEST_HEADERS, METHOD)) {
    const connects = same(found, foundSize, CONNECT);
    release(found);
    if (connects) return false;
  }
  return !isGrpc(REQUEST_HEADERS);
}

/** More of a body is here. */
export function takeBody(context: u32, size: i32, isEnd: bool): i32 {
  const i = contexts.find(context);
  if (i === NONE) return ELSEWHERE;
  sizes.add(i, size as f64);
  held += size as f64;
  const s = services.get(i);
  const most: f64 = s === NONE ? 0 : (limits.get(s) as f64);
  if (!isEnd && sizes.get(i) < most && held < HELD_MAX) return COMING;
  drop(i);
  return HERE;
}

/** A stream is over. The service of its request, if that was on its way; or NONE. */
export function forgetBody(context: u32): i32 {
  const i = contexts.find(context);
  if (i === NONE) return NONE;
  const s = services.get(i);
  drop(i);
  return s;
}

function drop(i: i32): void {
  const s = services.get(i);
  if (s !== NONE) coming.add(s, -1);
  held -= sizes.get(i);
  contexts.remove(i);
  services.set(i, NONE);
  places.give(i);
  count--;
}
