// Which request Envoy's stream context has. Contexts are numbered one after the other, so their lowest bits spread well.
import { Ints } from './columns.ts';

/** No context has a request. */
const NONE: i32 = -1;

export class Contexts {
  private room: i32 = 0;
  private size: i32 = 0;
  private count: i32 = 0;
  private buckets: Ints = new Ints();
  private chains: Ints = new Ints();
  private contexts: Ints = new Ints();

  /** The context of a request. */
  of(request: i32): u32 {
    return this.contexts.get(request) as u32;
  }

  /** Whether a context has this request. */
  has(request: i32): bool {
    return request < this.room && this.contexts.get(request) !== 0;
  }

  add(context: u32, request: i32): void {
    if (request >= this.room) this.growRoom(request);
    if (this.count >= this.size) this.growBuckets();
    this.contexts.set(request, context as i32);
    this.link(request);
    this.count++;
  }

  /** The request of a context, or NONE. */
  find(context: u32): i32 {
    if (this.size === 0) return NONE;
    let request = this.buckets.get((context as i32) & (this.size - 1)) - 1;
    while (request !== NONE && this.contexts.get(request) !== (context as i32)) request = this.chains.get(request);
    return request;
  }

  remove(request: i32): void {
    const bucket = this.contexts.get(request) & (this.size - 1);
    let at = this.buckets.get(bucket) - 1;
    if (at === request) {
      this.buckets.set(bucket, this.chains.get(request) + 1);
    } else {
      while (this.chains.get(at) !== request) at = this.chains.get(at);
      this.chains.set(at, this.chains.get(request));
    }
    this.contexts.set(request, 0);
    this.count--;
  }

  private link(request: i32): void {
    const bucket = this.contexts.get(request) & (this.size - 1);
    this.chains.set(request, this.buckets.get(bucket) - 1);
    this.buckets.set(bucket, request + 1);
  }

  private growRoom(request: i32): void {
    this.room = request < 128 ? 256 : request * 2;
    this.chains.grow(this.room);
    this.contexts.grow(this.room);
  }

  private growBuckets(): void {
    const before = this.size;
    this.size = before === 0 ? 256 : before * 2;
    const old = this.buckets;
    this.buckets = new Ints();
    this.buckets.grow(this.size);
    for (let i = 0; i < before; i++) {
      let request = old.get(i) - 1;
      while (request !== NONE) {
        const next = this.chains.get(request);
        this.link(request);
        request = next;
      }
    }
  }
}
