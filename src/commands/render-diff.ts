import { editEffect } from '../dataplane/edit-effect.ts';
import { describeEdit } from '../model/edit.ts';
import type { Routing } from '../model/routing.ts';
import { type Change, diffSnapshots } from '../snapshot/diff.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { describeResource } from '../xds/debug/descriptors.ts';

/** A configuration, with the routing it was made from. */
export interface Rendered {
  readonly routing: Routing;
  readonly snapshot: Snapshot;
}

/** More lines of one resource are counted, not shown. */
const MOST_LINES = 12;

const MARKS = { added: '+', removed: '-', changed: '~' } as const;

/**
 * What a person changed, then what Envoy gets when the old routing is replaced by the new one, and whether requests under
 * way notice it. `differs`: whether the two mean anything else.
 */
export function renderDiff(before: Rendered, after: Rendered): { readonly differs: boolean; readonly text: string } {
  const edit = describeEdit(before.routing, after.routing);
  const changes = diffSnapshots(before.snapshot, after.snapshot);
  const envoy = changes.length === 0 ? ['Nothing changes in Envoy.'] : envoyChanges(changes);
  const lines = edit.length === 0 ? envoy : [...edit, '', ...(changes.length === 0 ? [] : ['In Envoy:']), ...envoy];
  return { differs: edit.length > 0 || changes.length > 0, text: `${lines.join('\n')}\n` };
}

function envoyChanges(changes: readonly Change[]): readonly string[] {
  const effects = changes.map((change) => ({ change, effect: editEffect(change) }));
  const touched = effects.filter(({ effect }) => effect.touches).map(({ change }) => titleOf(change));
  const verdict =
    touched.length === 0
      ? 'Running traffic is not touched.'
      : `Running traffic is touched by ${touched.length === 1 ? 'this' : 'these'}: ${touched.join(', ')}.`;
  const blocks = effects.map(({ change, effect }) =>
    [`${MARKS[change.kind]} ${titleOf(change)}: ${effect.what}`, ...details(change)].join('\n'),
  );
  return [...blocks, '', verdict];
}

function titleOf(change: Change): string {
  const { typeUrl, name } = change.kind === 'removed' ? change.before : change.after;
  return `${typeUrl.slice(typeUrl.lastIndexOf('.') + 1)} ${name}`;
}

function details(change: Change): readonly string[] {
  if (change.kind !== 'changed') return [];
  const [before, after] = [leaves(describeResource(change.before)), leaves(describeResource(change.after))];
  const paths = [...new Set([...before.keys(), ...after.keys()])];
  const lines = paths.flatMap((path) => {
    const [old, now] = [before.get(path), after.get(path)];
    return old === now ? [] : [`    ${path}: ${old ?? '(none)'} → ${now ?? '(none)'}`];
  });
  const more = lines.length - MOST_LINES;
  return more > 0 ? [...lines.slice(0, MOST_LINES), `    and ${more} more`] : lines;
}

/** Every value by its path: `circuit_breakers.thresholds[0].max_requests`. */
function leaves(value: unknown, path = ''): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null) return new Map([[path, JSON.stringify(value)]]);
  const entries = Array.isArray(value)
    ? value.map((inner, index) => [`${path}[${labelOf(value, index)}]`, inner] as const)
    : Object.entries(value).map(([key, inner]) => [path === '' ? key : `${path}.${key}`, inner] as const);
  return new Map(entries.flatMap(([inner, child]) => [...leaves(child, inner)]));
}

/** The name of a list's member, so that one which only moves up is not another one; its index where names do not tell. */
function labelOf(list: readonly unknown[], index: number): string | number {
  const names = list.map((member) =>
    typeof member === 'object' && member !== null && 'name' in member ? member.name : undefined,
  );
  const name = names[index];
  if (typeof name !== 'string' || new Set(names).size < list.length) return index;
  // A route is called `routes[2]`: its place in the file.
  return /^routes\[(\d+)\]$/.exec(name)?.[1] ?? name;
}
