// What one VM knows: the queues, and what Envoy and Sluice call the services and pods in them.
import { clearBodies } from './bodies.ts';
import { Ints } from './columns.ts';
import { Contexts } from './contexts.ts';
import { setIdempotency } from './idempotency.ts';
import { setJobs } from './jobs.ts';
import { keyOf } from './keys.ts';
import { LedKeys } from './led-keys.ts';
import { Membership } from './membership.ts';
import { addName, findName, nameAt, nameSize, numberOf, removeName, renumber } from './names.ts';
import { NONE, Queues } from './queue.ts';
import { Shares } from './shares.ts';
import { Workers } from './workers.ts';

export const queues: Queues = new Queues();
export const shares: Shares = new Shares(queues);
export const membership: Membership = new Membership();
export const workers: Workers = new Workers(queues, membership);
export const ledKeys: LedKeys = new LedKeys(membership);
/** The streams of clients, and the tries that the router makes for them: at most one at a time for each. */
export const contexts: Contexts = new Contexts();
export const tries: Contexts = new Contexts();

/** The scope of services' names. Addresses of pods have their service's number as scope. */
const SERVICES: i32 = -1;
/** The scope of addresses whatever service has them: any pod of it. */
const ADDRESSES: i32 = -3;

const fullStatuses: Ints = new Ints();
const tellPlaces: Ints = new Ints();
const serviceEntries: Ints = new Ints();
const podEntries: Ints = new Ints();
const podMarks: Ints = new Ints();
let serviceRoom: i32 = 0;
let podRoom: i32 = 0;
let serviceEnd: i32 = 0;

/** One above the highest number that a service ever had. */
export function servicesEnd(): i32 {
  return serviceEnd;
}

/** The name of a service as an entry of names.ts. 0: this number is not in use. */
export function serviceEntry(s: i32): usize {
  return serviceEntries.get(s) as usize;
}

/** The address of a pod as an entry of names.ts. */
export function podEntry(p: i32): usize {
  return podEntries.get(p) as usize;
}

export function findService(at: usize, size: i32): i32 {
  const entry = findName(SERVICES, at, size);
  return entry === 0 ? NONE : numberOf(entry);
}

/** The service of this name; a new one that waits for what Sluice knows of it. NONE: there are too many. */
export function serviceOf(at: usize, size: i32): i32 {
  const known = findService(at, size);
  if (known !== NONE) return known;
  const s = queues.addService();
  if (s === NONE) return NONE;
  if (s >= serviceRoom) {
    serviceRoom = s < 16 ? 32 : s * 2;
    serviceEntries.grow(serviceRoom);
    fullStatuses.grow(serviceRoom);
    tellPlaces.grow(serviceRoom);
  }
  if (s >= serviceEnd) serviceEnd = s + 1;
  serviceEntries.set(s, addName(SERVICES, at, size, s) as i32);
  tellPlaces.set(s, 0);
  clearBodies(s);
  setJobs(s, 0, 0, 0, 0);
  setIdempotency(s, 0, 0, 0);
  shares.add(s);
  return s;
}

/** The status of a refusal because the queue is full. */
export function fullStatus(s: i32): i32 {
  return fullStatuses.get(s);
}

export function setFullStatus(s: i32, status: i32): void {
  fullStatuses.set(s, status >= 400 && status <= 599 ? status : 429);
}

/** Whether clients are told their place in the queue. */
export function tellsPlace(s: i32): bool {
  return tellPlaces.get(s) !== 0;
}

export function setTellsPlace(s: i32, tells: bool): void {
  tellPlaces.set(s, tells ? 1 : 0);
  if (tells) queues.countPlacesFrom(s);
}

export function findPod(s: i32, at: usize, size: i32): i32 {
  const entry = findName(s, at, size);
  return entry === 0 ? NONE : numberOf(entry);
}

/** Sets a pod of a service, a new one if it is not there. NONE: there are too many. */
export function setPod(s: i32, at: usize, size: i32, limit: i32, unhealthy: bool, mark: i32): i32 {
  let p = findPod(s, at, size);
  if (p === NONE) {
    p = queues.addPod(s, limit, unhealthy);
    if (p === NONE) return NONE;
    namePod(s, p, at, size);
  } else queues.setPod(p, limit, unhealthy);
  podMarks.set(p, mark);
  return p;
}

/** The pod of a service at which Envoy tries a request: one without slots if Sluice has not told of it. */
export function podMet(s: i32, at: usize, size: i32): i32 {
  const known = findPod(s, at, size);
  if (known !== NONE) return known;
  const p = queues.addStranger(s);
  namePod(s, p, at, size);
  podMarks.set(p, 0);
  return p;
}

function namePod(s: i32, p: i32, at: usize, size: i32): void {
  if (p >= podRoom) {
    podRoom = p < 32 ? 64 : p * 2;
    podEntries.grow(podRoom);
    podMarks.grow(podRoom);
  }
  podEntries.set(p, addName(s, at, size, p) as i32);
  workers.name(p, keyOf(0, at, size));
  const known = findName(ADDRESSES, at, size);
  if (known === 0) addName(ADDRESSES, at, size, p);
  else queues.sameAddress(p, numberOf(known));
}

/** Removes the pods of a service that do not have this mark. */
export function removeUnmarked(s: i32, mark: i32): void {
  let p = queues.anyPod(s);
  for (let left = queues.podCount(s); left > 0; left--) {
    const next = queues.podAfter(p);
    if (podMarks.get(p) !== mark) queues.removePod(p);
    p = next;
  }
}

export function forgetPodName(p: i32): void {
  const entry = podEntry(p);
  const address = findName(ADDRESSES, nameAt(entry), nameSize(entry));
  podEntries.set(p, 0);
  if (numberOf(address) === p) {
    // Of those that are forgotten together each gives it to the next one.
    let other = queues.twin(p);
    while (other !== p && podEntry(other) === 0) other = queues.twin(other);
    if (other === p) removeName(address);
    else renumber(address, other);
  }
  removeName(entry);
}

export function forgetServiceName(s: i32): void {
  removeName(serviceEntry(s));
  serviceEntries.set(s, 0);
}
