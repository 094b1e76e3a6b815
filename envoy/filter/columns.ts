// Columns of numbers that grow: the pools of queue.ts. Compiles with tsc and asc.

/** Whole numbers by index. All are 0 at first. */
export class Ints {
  private values: Int32Array = new Int32Array(8);

  get(index: i32): i32 {
    return this.values[index] as i32;
  }

  set(index: i32, value: i32): void {
    this.values[index] = value;
  }

  add(index: i32, value: i32): void {
    this.values[index] = (this.values[index] as i32) + value;
  }

  /** Makes room for `size` numbers. */
  grow(size: i32): void {
    if (size <= this.values.length) return;
    const grown = new Int32Array(size);
    grown.set(this.values);
    this.values = grown;
  }
}

/** Numbers by index, for times and totals. All are 0 at first. */
export class Floats {
  private values: Float64Array = new Float64Array(8);

  /** The numbers themselves, until the next `grow`. */
  array(): Float64Array {
    return this.values;
  }

  get(index: i32): f64 {
    return this.values[index] as f64;
  }

  set(index: i32, value: f64): void {
    this.values[index] = value;
  }

  add(index: i32, value: f64): void {
    this.values[index] = (this.values[index] as f64) + value;
  }

  /** Makes room for `size` numbers. */
  grow(size: i32): void {
    if (size <= this.values.length) return;
    const grown = new Float64Array(size);
    grown.set(this.values);
    this.values = grown;
  }

  /** Sets `count` numbers from `start` on to 0. */
  clear(start: i32, count: i32): void {
    this.values.fill(0, start, start + count);
  }
}

/** Places of columns that are given and given back. */
export class FreeList {
  /** So many places the columns have to have room for. */
  room: i32 = 0;
  /** All places ever given are below. */
  end: i32 = 0;
  private next: Ints = new Ints();
  private first: i32 = -1;

  /** A place that nobody has. The caller then grows its columns to `room`. */
  take(): i32 {
    const place = this.first;
    if (place >= 0) {
      this.first = this.next.get(place);
      return place;
    }
    if (this.end >= this.room) {
      this.room = this.room === 0 ? 64 : this.room * 2;
      this.next.grow(this.room);
    }
    return this.end++;
  }

  give(place: i32): void {
    this.next.set(place, this.first);
    this.first = place;
  }
}
