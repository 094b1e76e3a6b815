import { gatesOf, type Model } from '../model/model.ts';
import type { NodeLoad } from './observed-load.ts';

/**
 * Whether somebody may wait in a line: behind a gate whose slots were all in use at the last report. Before there is one
 * nobody can say no.
 */
export function mayWait(model: Model | undefined, nodes: ReadonlyMap<string, NodeLoad>): boolean {
  if (model === undefined || nodes.size === 0) return true;
  return [...gatesOf(model)].some(([id, { slots }]) => {
    let inUse = 0;
    for (const { gates } of nodes.values()) inUse += gates.get(id) ?? 0;
    // Without any slot one request at a time gets through nevertheless.
    return inUse >= Math.max(1, slots);
  });
}
