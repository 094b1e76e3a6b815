import { fail, ok, type Result } from '../../../src/base/result.ts';
import type { ApiFailure, KubeApi, Part, WatchHandlers } from '../../../src/kubernetes/api.ts';

/** A watch that the code under test has asked for. */
export interface AskedWatch {
  readonly path: string;
  readonly signal: AbortSignal;
  readonly part: Part | undefined;
  /** Accepts it. */
  open(): void;
  /** Sends one event. */
  send(type: string, object: object): void;
  /** Sends a line as it is. */
  line(text: string): void;
  /** Ends it: in good order, or with a failure. */
  end(failure?: ApiFailure): void;
}

/** A list that the code under test has asked for. */
export interface AskedList {
  readonly path: string;
  readonly signal: AbortSignal;
  readonly part: Part | undefined;
  answer(version: string, items: readonly object[], next?: string): void;
  text(text: string): void;
  fail(failure: ApiFailure): void;
}

/** An API server in the hands of a test: nothing is answered until the test says so. */
export class FakeApi implements KubeApi {
  readonly lists: AskedList[] = [];
  readonly watches: AskedWatch[] = [];

  get(path: string, signal: AbortSignal, part?: Part): Promise<Result<string, ApiFailure>> {
    return new Promise((resolve) => {
      givenUp(signal, resolve);
      this.lists.push({
        path,
        signal,
        part,
        answer: (resourceVersion, items, next = '') =>
          resolve(ok(JSON.stringify({ metadata: { resourceVersion, continue: next }, items }))),
        text: (text) => resolve(ok(text)),
        fail: (failure) => resolve(fail(failure)),
      });
    });
  }

  watch(path: string, handlers: WatchHandlers, signal: AbortSignal, part?: Part): Promise<Result<void, ApiFailure>> {
    return new Promise((resolve) => {
      givenUp(signal, resolve);
      this.watches.push({
        path,
        signal,
        part,
        open: handlers.open,
        line: handlers.line,
        send: (type, object) => handlers.line(JSON.stringify({ type, object })),
        end: (failure) => resolve(failure === undefined ? ok(undefined) : fail(failure)),
      });
    });
  }

  /** The newest list; throws when there is none. */
  list(index = -1): AskedList {
    const list = this.lists.at(index);
    if (list === undefined) throw new Error('nothing was listed');
    return list;
  }

  /** The newest watch; throws when there is none. */
  lastWatch(): AskedWatch {
    const watch = this.watches.at(-1);
    if (watch === undefined) throw new Error('nothing was watched');
    return watch;
  }
}

function givenUp(signal: AbortSignal, resolve: (result: Result<never, ApiFailure>) => void): void {
  signal.addEventListener('abort', () => resolve(fail({ kind: 'unreachable', message: String(signal.reason) })));
}

/** An object with the metadata that every object has. */
export function object(name: string, version: string, more: object = {}): object {
  return { metadata: { name, resourceVersion: version }, ...more };
}
