import type { Position } from '../../model/problem.ts';
import type { Value } from './value.ts';

/** Where in an object something is: for a file its line, and the path of its keys. */
export interface Place {
  readonly at: Position;
  readonly path: string;
}

/** Something that an object says, and that is not done as it says. */
export interface Remark extends Place {
  /** It is not done at all; else it is, but for a difference. */
  readonly refused: boolean;
  readonly message: string;
  /** What to do instead. */
  readonly fix: string;
}

/** What one object's reader has to say about it, each thing once. */
export class Remarks {
  readonly #all = new Map<string, Remark>();

  get all(): readonly Remark[] {
    return [...this.#all.values()];
  }

  /** Something that is not done. */
  refuse(place: Place, message: string, fix: string): void {
    this.#add({ ...placeOf(place), refused: true, message, fix });
  }

  /** Something that is a little different. */
  note(place: Place, message: string, fix: string): void {
    this.#add({ ...placeOf(place), refused: false, message, fix });
  }

  /** Refuses whatever nobody has read of a value, which is told by this. */
  refuseUnread(value: Value, fix: string): void {
    for (const one of value.unread()) this.refuse(one, `${one.path} is not carried over`, fix);
    value.done();
  }

  #add(remark: Remark): void {
    const key = `${remark.at.line} ${remark.path} ${remark.message}`;
    if (!this.#all.has(key)) this.#all.set(key, remark);
  }
}

function placeOf({ at, path }: Place): Place {
  return { at, path };
}
