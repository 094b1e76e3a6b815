import { formatAddress } from '../model/locator.ts';
import { normalizePods, type Pod } from '../model/pod.ts';

/** What is needed to tell whether pods that leave a service are held back. */
export interface HoldBackInput {
  /** Pods that were in force until now. */
  readonly published: readonly Pod[];
  /** Pods the source has now, normalized. */
  readonly present: readonly Pod[];
  /** Pods that were held back the last time. */
  readonly before: Held;
  /** Whether a raise of the service's limit is still to take effect: its gate is being kicked. */
  readonly raising: boolean;
  readonly now: number;
}

/** Pods (`formatAddress`) that leave and stay ready for a moment, and the clock time since when they do. */
export type Held = ReadonlyMap<string, number>;

/** What is published of the pods that the source has. */
export interface HeldBack {
  readonly pods: readonly Pod[];
  /** Those that stay ready until the next publication. */
  readonly held: Held;
}

/** No pod is held back. */
export const NOBODY: Held = new Map();

/** While pods come one after the other, nobody who leaves is held back for longer: some take no more connections. */
const LONGEST_HELD_MS = 300;

/**
 * Pods that come and pods that leave at the same time: those that come first. How many requests run on the ones that
 * leave is known a moment after they drain, and until then the slots of those requests seem to be free: the new pods'
 * slots would only make up for them, and the new pods stay idle. So the leaving ones stay ready until the raised limit
 * has taken effect; their slots are lowered after that, as at any other time.
 */
export function holdBack({ published, present, before, raising, now }: HoldBackInput): HeldBack {
  if (published === present) return { pods: present, held: NOBODY };
  // Who stays is mostly the very same object.
  const here = new Set(present);
  const wasReady = published.filter((pod) => pod.state === 'ready' && !here.has(pod));
  if (wasReady.length === 0) return { pods: present, held: NOBODY };
  const ready = new Set(present.filter(({ state }) => state === 'ready').map(formatAddress));
  const known = new Set(published.filter(({ state }) => state !== 'draining').map(formatAddress));
  const since = (pod: Pod) => before.get(formatAddress(pod)) ?? now;
  const leaving = wasReady.filter((pod) => !ready.has(formatAddress(pod)) && now - since(pod) < LONGEST_HELD_MS);
  const comes = raising || [...ready].some((address) => !known.has(address));
  if (leaving.length === 0 || !comes) return { pods: present, held: NOBODY };
  return {
    pods: normalizePods([...present, ...leaving]),
    held: new Map(leaving.map((pod) => [formatAddress(pod), since(pod)])),
  };
}
