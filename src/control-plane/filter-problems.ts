import type { Problem } from '../model/problem.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import type { ConnectedNode } from '../status/describe-node.ts';

/** What is looked at. */
export interface FilterProblemsInput {
  readonly nodes: readonly ConnectedNode[];
  /** Whether a queue filter of this node has a stream, or had one a moment ago. */
  readonly hasFilter: (node: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A filter says hello some 100 ms after Envoy has its listeners, and comes back as quickly when its stream has ended. */
export const PATIENCE_MS = 5_000;

const WITHOUT =
  'requests of services with a limit wait there, or are refused, and nothing of them is seen: none goes past the queue';

/** Envoys whose queue filter does not work, although they should have one. */
export function filterProblems({ nodes, hasFilter, now }: FilterProblemsInput): readonly Problem[] {
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
