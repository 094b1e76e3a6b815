import { fail, ok, type Result } from '../base/result.ts';

/** One page of a list. */
export interface Page {
  /** The moment the list tells of; a watch goes on from there. */
  readonly version: string;
  readonly items: readonly unknown[];
  /** Where the next page begins; undefined on the last one. */
  readonly next: string | undefined;
}

/** One event of a watch. */
export type WatchEvent =
  | {
      readonly kind: 'put' | 'removed';
      readonly version: string;
      readonly object: unknown;
      readonly name: string;
      /** Empty for what has none. */
      readonly namespace: string;
    }
  /** Nothing happened up to this version. */
  | { readonly kind: 'bookmark'; readonly version: string }
  /** The watch is over; code 410: its version is too old to go on from. */
  | { readonly kind: 'failed'; readonly code: number; readonly message: string };

/** What of an object's metadata is used here. */
interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly resourceVersion?: string;
  readonly continue?: string;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function metadataOf(value: unknown): Metadata {
  if (!isRecord(value) || !isRecord(value['metadata'])) return {};
  const { name, namespace, resourceVersion, continue: next } = value['metadata'];
  return {
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof namespace === 'string' ? { namespace } : {}),
    ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
    ...(typeof next === 'string' && next !== '' ? { continue: next } : {}),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads a list's answer. Errors: a sentence with the beginning of what came instead. */
export function readPage(text: string): Result<Page, string> {
  const list = parseJson(text);
  const { resourceVersion, continue: next } = metadataOf(list);
  const items = isRecord(list) ? (list['items'] ?? []) : undefined;
  if (!Array.isArray(items) || resourceVersion === undefined) return fail(`not a list: ${text.slice(0, 80)}`);
  return ok({ version: resourceVersion, items, next });
}

/** Reads one line of a watch. Errors: a sentence with the beginning of what came instead. */
export function readEvent(line: string): Result<WatchEvent, string> {
  const event = parseJson(line);
  const bad = () => fail(`not an event: ${line.slice(0, 80)}`);
  if (!isRecord(event)) return bad();
  const { type, object } = event;
  const { name, namespace = '', resourceVersion: version } = metadataOf(object);
  if (type === 'ERROR' && isRecord(object)) {
    const { code, message } = object;
    return ok({ kind: 'failed', code: Number(code ?? 0), message: String(message ?? 'no reason given') });
  }
  if (version === undefined) return bad();
  if (type === 'BOOKMARK') return ok({ kind: 'bookmark', version });
  if (name === undefined) return bad();
  if (type === 'ADDED' || type === 'MODIFIED') return ok({ kind: 'put', version, object, name, namespace });
  return type === 'DELETED' ? ok({ kind: 'removed', version, object, name, namespace }) : bad();
}
