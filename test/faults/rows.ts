import { instant, pause } from '../e2e/kit/instant.ts';
import { clientRows } from './client-rows.ts';
import { planeRows } from './plane-rows.ts';
import { FAULT_MS, podRows } from './pod-rows.ts';
import { type FaultRow, FULL_USE_MS } from './row.ts';

/** Every row of the fault matrix, in the order of the table. */
export const rows: readonly FaultRow[] = [
  {
    name: 'none',
    fault: 'none, for comparison',
    user: 'This is the measure for all that follow.',
    promise: { fullUseMs: FULL_USE_MS },
    inflict: async () => {
      await pause(FAULT_MS);
      return { over: instant() };
    },
  },
  ...podRows,
  ...planeRows,
  ...clientRows,
];
