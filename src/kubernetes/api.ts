import type { Result } from '../base/result.ts';

/** Why the API server did not give what was asked for. */
export type ApiFailure =
  /** How to reach the API server, or as whom, cannot be told. */
  | { readonly kind: 'config'; readonly message: string; readonly fix: string }
  /** No connection, a broken one, or no answer in time. */
  | { readonly kind: 'unreachable'; readonly message: string }
  /** An answer that says no; `message` is the API server's own. */
  | {
      readonly kind: 'status';
      readonly code: number;
      readonly message: string;
      /** How long it asks us to stay away, in milliseconds. */
      readonly retryAfterMs?: number;
    }
  /** An answer that is not what the API promises. */
  | { readonly kind: 'malformed'; readonly message: string };

/** What a watch calls while it lasts. */
export interface WatchHandlers {
  /** The API server has accepted it. */
  open(): void;
  /** One event, as JSON. */
  line(text: string): void;
}

/** How much of each object is asked for. */
export type Part = 'whole' | 'metadata';

/** The two things asked of an API server. Nothing here rejects; an aborted request is `unreachable`. */
export interface KubeApi {
  /** The body of a GET. `path` includes the query. */
  get(path: string, signal: AbortSignal, part?: Part): Promise<Result<string, ApiFailure>>;
  /** A GET whose answer goes on; succeeds when the API server ends it in good order. */
  watch(path: string, handlers: WatchHandlers, signal: AbortSignal, part?: Part): Promise<Result<void, ApiFailure>>;
}

/** How something is written: a new object, a whole one, a part of one (JSON merge patch), or that it goes. */
export type WriteMethod = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Writes to an API server. Never rejects; an aborted request is `unreachable`. */
export interface KubeWriter {
  /** Succeeds with the object as it is now. */
  write(method: WriteMethod, path: string, body: unknown, signal: AbortSignal): Promise<Result<string, ApiFailure>>;
}
