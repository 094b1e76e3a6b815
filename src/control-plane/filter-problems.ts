import type { Problem } from '../model/problem.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import type { ConnectedNode } from '../status/describe-node.ts';

/** What is looked at. */
export interface FilterProblemsInput {
  readonly nodes: readonly ConnectedNode[];
  /** Whether a queue filter of this node has a stream, or had one a moment ago. */
  readonly hasFilter: (node: string) => boolean;
  /** How many filters with the same code work in it: each of its workers has one. */
  readonly workers: (node: string) => number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A filter says hello some 100 ms after Envoy has its listeners, and comes back as quickly when its stream has ended. */
export const PATIENCE_MS = 5_000;

const WITHOUT =
  'each pod of a service with a limit has a queue of its own there, and nothing of its requests is seen: a pod still gets no more than its limit';

/** Envoys whose queue filter does not work, although they should have one, or not in the way that is proven. */
export function filterProblems(input: FilterProblemsInput): readonly Problem[] {
  return [...brokenFilters(input), ...severalWorkers(input)];
}

function severalWorkers({ nodes, workers }: FilterProblemsInput): readonly Problem[] {
  return nodes.flatMap(({ node: { id } }): readonly Problem[] => {
    const count = workers(id);
    if (count < 2) return [];
    const message = `has ${count} workers, or there are as many Envoys of this node id: that limits hold over several workers is not proven yet`;
    return [{ severity: 'warning', subject: `Envoy ${id}`, message, fix: 'start it with --concurrency 1' }];
  });
}

function brokenFilters({ nodes, hasFilter, now }: FilterProblemsInput): readonly Problem[] {
  return nodes.flatMap((state): readonly Problem[] => {
    const typeOf = (typeUrl: string) => state.types.find((type) => type.typeUrl === typeUrl);
    const subject = `Envoy ${state.node.id}`;
    const refused = typeOf(TYPE_URLS.extension)?.nack;
    const fix = 'run an Envoy with the Wasm extension (the official images have it), or start Sluice with --filter off';
    if (refused !== undefined)
      return [
        { severity: 'error', subject, message: `rejected the queue filter: ${refused.message}; ${WITHOUT}`, fix },
      ];
    // Whoever takes no requests has no filter either.
    const listener = typeOf(TYPE_URLS.listener);
    if (listener === undefined || listener.ackedVersion === '') return [];
    if (hasFilter(state.node.id) || now - (listener.ackedSince ?? now) < PATIENCE_MS) return [];
    return [{ severity: 'error', subject, message: `its queue filter has not connected; ${WITHOUT}`, fix }];
  });
}
