// Which of those that wait has to be gone first: a heap of their deadlines, over all services. Compiles with tsc and asc.
import { Floats, Ints } from './columns.ts';

const NONE: i32 = -1;

export class Deadlines {
  private times: Floats = new Floats();
  /** One above the place of a request in the heap. */
  private places: Ints = new Ints();
  private heap: Ints = new Ints();
  private count: i32 = 0;
  private room: i32 = 0;
  private isUsed: bool = false;

  /** Room for so many requests, which is taken when the first one has a deadline. */
  growRequests(room: i32): void {
    this.room = room;
    if (this.isUsed) this.grow();
  }

  private grow(): void {
    this.times.grow(this.room);
    this.places.grow(this.room);
    this.heap.grow(this.room);
  }

  /** A request that has none yet is to be gone by this time. */
  add(r: i32, at: f64): void {
    if (!this.isUsed) {
      this.isUsed = true;
      this.grow();
    }
    this.times.set(r, at);
    this.rise(r, this.count++);
  }

  /** It is gone, or had none. */
  remove(r: i32): void {
    if (!this.isUsed) return;
    const place = this.places.get(r) - 1;
    if (place === NONE) return;
    this.places.set(r, 0);
    const last = this.heap.get(--this.count);
    if (last === r) return;
    if (place > 0 && this.isBefore(last, this.heap.get((place - 1) >> 1))) this.rise(last, place);
    else this.sink(last, place);
  }

  /** The request whose deadline is first; NONE: none has one. */
  first(): i32 {
    return this.count === 0 ? NONE : this.heap.get(0);
  }

  /** When that is; Infinity: never. */
  soonest(): f64 {
    return this.count === 0 ? Infinity : this.times.get(this.heap.get(0));
  }

  private isBefore(a: i32, b: i32): bool {
    return this.times.get(a) < this.times.get(b);
  }

  private put(r: i32, place: i32): void {
    this.heap.set(place, r);
    this.places.set(r, place + 1);
  }

  private rise(r: i32, from: i32): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.heap.get(above);
      if (!this.isBefore(r, other)) break;
      this.put(other, place);
      place = above;
    }
    this.put(r, place);
  }

  private sink(r: i32, from: i32): void {
    let place = from;
    while (true) {
      let below = place * 2 + 1;
      if (below >= this.count) break;
      if (below + 1 < this.count && this.isBefore(this.heap.get(below + 1), this.heap.get(below))) below++;
      const other = this.heap.get(below);
      if (!this.isBefore(other, r)) break;
      this.put(other, place);
      place = below;
    }
    this.put(r, place);
  }
}
