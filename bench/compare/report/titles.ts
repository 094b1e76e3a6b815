import { opponentKinds } from '../opponents/all.ts';
import type { OpponentName } from '../opponents/opponent.ts';

/** What tables and pictures call an opponent. */
export function titleOf(name: OpponentName): string {
  return opponentKinds[name].title;
}
