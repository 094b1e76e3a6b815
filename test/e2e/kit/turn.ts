import { performance } from 'node:perf_hooks';
import { instant } from './instant.ts';

let open = false;
let before = instant();
let current = before;
let idle = 0;
let slept = true;

/**
 * The earliest moment at which what is being handled now can have come in. A thread sees what came while it was busy
 * only when it looks again, and then in any order: of two requests read in one go, or one right after the other without
 * a pause, nobody knows which came first. Call it at the beginning of everything that keeps the thread busy.
 */
export function notBefore(): number {
  if (!open) {
    open = true;
    before = current;
    current = instant();
    const total = performance.nodeTiming.idleTime;
    slept = total > idle;
    idle = total;
    setImmediate(() => {
      open = false;
    });
  }
  // A thread that slept was woken by what it reads now; one that did not may have had it waiting since its last look.
  return slept ? current : before;
}
