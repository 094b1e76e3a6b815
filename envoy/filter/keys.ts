// Requests by what their clients call them: a number made of that text, and what has such a number.
import { Floats, Ints } from './columns.ts';

const NONE: i32 = -1;

/**
 * A number for a text in a scope, the same in every VM: 53 bits, so that two texts of a service hardly ever get the same one.
 */
export function keyOf(scope: i32, at: usize, size: i32): f64 {
  let high: u32 = 2166136261 ^ (scope as u32);
  let low: u32 = 84696351 ^ (scope as u32);
  for (let i = 0; i < size; i++) {
    const byte = load<u8>(at + i);
    high = (high ^ byte) * 16777619;
    low = (low ^ byte) * 709607;
  }
  return (high as f64) * 2097152 + ((low >> 11) as f64);
}

/** Which request has a key. Several may have the same one; each request has at most one. */
export class Keys {
  private room: i32 = 0;
  private size: i32 = 0;
  private count: i32 = 0;
  private buckets: Ints = new Ints();
  private chains: Ints = new Ints();
  private keys: Floats = new Floats();
  private isSet: Ints = new Ints();

  has(request: i32): bool {
    return request < this.room && this.isSet.get(request) !== 0;
  }

  add(request: i32, key: f64): void {
    if (request >= this.room) this.growRoom(request);
    if (this.count >= this.size) this.growBuckets();
    this.keys.set(request, key);
    this.isSet.set(request, 1);
    this.link(request);
    this.count++;
  }

  /** The newest request with this key, or NONE; with `next` those before it. */
  find(key: f64): i32 {
    if (this.count === 0) return NONE;
    return this.from(this.buckets.get(this.bucketOf(key)) - 1, key);
  }

  next(request: i32): i32 {
    return this.from(this.chains.get(request) - 1, this.keys.get(request));
  }

  remove(request: i32): void {
    const bucket = this.bucketOf(this.keys.get(request));
    let at = this.buckets.get(bucket) - 1;
    if (at === request) {
      this.buckets.set(bucket, this.chains.get(request));
    } else {
      while (this.chains.get(at) - 1 !== request) at = this.chains.get(at) - 1;
      this.chains.set(at, this.chains.get(request));
    }
    this.isSet.set(request, 0);
    this.count--;
  }

  private from(start: i32, key: f64): i32 {
    let request = start;
    while (request !== NONE && this.keys.get(request) !== key) request = this.chains.get(request) - 1;
    return request;
  }

  private bucketOf(key: f64): i32 {
    return (((key as u64) ^ ((key as u64) >> 29)) as i32) & (this.size - 1);
  }

  private link(request: i32): void {
    const bucket = this.bucketOf(this.keys.get(request));
    this.chains.set(request, this.buckets.get(bucket));
    this.buckets.set(bucket, request + 1);
  }

  private growRoom(request: i32): void {
    this.room = request < 128 ? 256 : request * 2;
    this.chains.grow(this.room);
    this.keys.grow(this.room);
    this.isSet.grow(this.room);
  }

  private growBuckets(): void {
    this.size = this.size === 0 ? 256 : this.size * 2;
    this.buckets = new Ints();
    this.buckets.grow(this.size);
    for (let request: i32 = 0; request < this.room; request++) if (this.isSet.get(request) !== 0) this.link(request);
  }
}
