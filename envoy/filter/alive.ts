// What the VM of the queue tells the guard, which watches it: a number that goes on while it lives, and by a call of itself which
// VM is that of this worker.
import { text } from './host.ts';

/** The key of that number, before the nanoseconds at which the VM started. */
export const ALIVE = text('sluice.alive.');
/** Instead of a number: this VM ends what it has, and counts no more. */
export const RETIRED: u64 = 0xffffffff;
/** The same, and its last request is over. */
export const ENDED: u64 = 0xfffffffe;
/** What the answer to the call says, before the same nanoseconds, a dot and the version of the code. */
export const SELF = text('sluice_self.');
