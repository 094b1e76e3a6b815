import { PUSH_ORDER, type XdsResource } from './resource.ts';
import type { Snapshot } from './snapshot.ts';

/** One resource that is not the same in two snapshots. */
export type Change =
  | { readonly kind: 'added'; readonly after: XdsResource }
  | { readonly kind: 'removed'; readonly before: XdsResource }
  | { readonly kind: 'changed'; readonly before: XdsResource; readonly after: XdsResource };

/** What differs, in the order in which Envoy gets it. Endpoints that only follow their cluster do not differ. */
export function diffSnapshots(before: Snapshot, after: Snapshot): readonly Change[] {
  return PUSH_ORDER.flatMap((typeUrl): readonly Change[] => {
    const old = before.types[typeUrl].resources;
    const now = after.types[typeUrl].resources;
    const names = [...new Set([...old.keys(), ...now.keys()])].sort();
    return names.flatMap((name) => changeOf(old.get(name), now.get(name)));
  });
}

function changeOf(before: XdsResource | undefined, after: XdsResource | undefined): readonly Change[] {
  if (before === undefined) return after === undefined ? [] : [{ kind: 'added', after }];
  if (after === undefined) return [{ kind: 'removed', before }];
  return sameBytes(before.body, after.body) ? [] : [{ kind: 'changed', before, after }];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
