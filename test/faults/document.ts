import { availableParallelism, cpus } from 'node:os';
import { findEnvoy } from '../../src/envoy/binary/binary.ts';
import { formatVersion } from '../../src/envoy/binary/version.ts';
import { GOOD_MS, PIECE_MS } from './full-use.ts';
import { FAULT_MS } from './pod-rows.ts';
import { LOAD } from './run-row.ts';
import { type Done, markdownOf } from './table.ts';
import { LIMIT, PODS, SLOTS } from './world.ts';

/** docs/faults.md with what was measured. */
export async function document(done: readonly Done[]): Promise<string> {
  const found = await findEnvoy();
  const envoy = found.ok ? formatVersion(found.value.version) : 'unknown';
  const { share, workMs, forMs, seed } = LOAD;
  return `# Faults

What happens to requests when something breaks. \`npm run test:faults\` measures it on a real Envoy and writes this page;
\`npm run test:faults -- ROW\` runs one row. It fails when a row does not keep its promise.

Measured on ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Envoy ${envoy}, Node ${process.versions.node}, \
seed ${seed}. Each row has ${PODS} pods of limit ${LIMIT}, in
processes of their own, an Envoy and a Sluice of its own, and a load of ${share * 100} % of the ${SLOTS} slots for ${forMs / 1000} s: Poisson arrivals,
exponential work of ${workMs} ms, over one HTTP/2 connection. The fault comes under this load and lasts ${FAULT_MS / 1000} s where it lasts.

${markdownOf(done)}

## The columns

- **over the limit**: how often a pod held more requests than its limit, as the pods count them. A client that gives up
  frees its slot at once, its pod hears of it a moment later, and may have the next request by then; those moments are
  counted apart.
- **lost**: requests that had no answer. **wrong**: requests with any other answer than a pod's own 200, whole. Both without
  those that the fault itself explains, each of which was found at the broken pod, and which are counted in the next column.
- **out of order**: requests that reached a pod later than one that was sent after them. What is too close to call does not count:
  2 ms in sending, 5 ms in arriving, and the time for which a pod's process had no processor. A pod that is itself late to
  notice what it was sent is not counted. Requests that have left the queue for the slots of a pod that is then taken out, or for
  the last one that goes, have to look for another pod, and those behind them may find one first.
- **full use again**: from the end of the fault, in steps of ${PIECE_MS} ms, until for ${GOOD_MS} ms no slot (on average over ${PIECE_MS} ms) stood
  free while somebody waited. A pod that was taken out is tried again after \`outlier.eject\` (2 s), each time it fails
  again later, up to 10 s.
`;
}
