import { performance } from 'node:perf_hooks';
import { instant } from './instant.ts';
import { runDelay } from './run-delay.ts';

let open = false;
let before = instant();
let current = before;
let earliest = before;
let idle = 0;
let delayed = runDelay();

/**
 * The earliest moment at which what is being handled now can have come in. A thread sees what came while it was busy
 * only when it looks again, and then in any order: of two requests read in one go, or one right after the other without
 * a pause, nobody knows which came first. Call it at the beginning of everything that keeps the thread busy.
 */
export function notBefore(): number {
  if (open) return earliest;
  open = true;
  before = current;
  current = instant();
  const [idleBefore, delayedBefore] = [idle, delayed];
  idle = performance.nodeTiming.idleTime;
  delayed = runDelay();
  // A thread that slept was woken by what it reads now, and may have waited for a processor since; one that did not
  // sleep may have had it waiting since its last look.
  const slept = idle > idleBefore;
  earliest = slept ? Math.max(before, current - (delayed - delayedBefore)) : before;
  setImmediate(() => {
    open = false;
  });
  return earliest;
}
