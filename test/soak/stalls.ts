import { readdirSync, readFileSync } from 'node:fs';
import { instant } from '../e2e/kit/instant.ts';

/** How often is looked. */
const EVERY_MS = 500;

/** A thread that was due and had no processor for so much of that time was held up, and with it all that waits for it. */
const STALL_MS = 200;

/** Looks whether threads are held up because the machine has no processor for them. Linux tells; elsewhere nothing is. */
export class Stalls {
  readonly #pids: () => readonly number[];
  readonly #tell: (from: number, to: number) => void;
  readonly #timer: NodeJS.Timeout;
  #before = new Map<string, number>();
  #lookedAt = instant();

  /** `tell` is called with each stretch of time in which a thread of these processes was held up. */
  constructor(pids: () => readonly number[], tell: (from: number, to: number) => void) {
    this.#pids = pids;
    this.#tell = tell;
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const [from, to] = [this.#lookedAt, instant()];
    const delays = new Map(this.#pids().flatMap(delaysOf));
    const worst = Math.max(0, ...[...delays].map(([task, ms]) => ms - (this.#before.get(task) ?? ms)));
    this.#before = delays;
    this.#lookedAt = to;
    // This thread itself was late, or one of the others.
    if (to - from > EVERY_MS + STALL_MS || worst > STALL_MS) this.#tell(from, to);
  }
}

/** For how long each thread of a process was due and did not run, in milliseconds since it was started. */
function delaysOf(pid: number): readonly (readonly [string, number])[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((task) => {
      const [, delay = '0'] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
      return [`${pid} ${task}`, Number(delay) / 1e6] as const;
    });
  } catch {
    return []; // it, or one of its threads, has ended
  }
}
