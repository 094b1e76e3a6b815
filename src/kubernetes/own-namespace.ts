import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { ApiFailure, KubeApi, KubeWriter, WriteMethod } from './api.ts';
import { Deadline } from './deadline.ts';

/** The API server, and which namespace Sluice runs in. */
export type NamespacedApi = KubeApi & KubeWriter & { namespace(): Promise<Result<string, ApiFailure>> };

/** A kind of object: `/api/v1` and `pods`. */
export interface ObjectKind {
  readonly group: string;
  readonly plural: string;
}

/** Longest time for one question. */
const ANSWER_MS = 3000;

/** Asks and writes objects of the namespace that Sluice runs in, with answers in time. Nothing here rejects. */
export class OwnNamespace {
  readonly #api: NamespacedApi;
  readonly #clock: Clock;

  constructor({ api, clock }: { readonly api: NamespacedApi; readonly clock: Clock }) {
    this.#api = api;
    this.#clock = clock;
  }

  /** One object; with a query in place of its name, a list. */
  get(kind: ObjectKind, rest: string, signal: AbortSignal): Promise<Result<unknown, ApiFailure>> {
    return this.#ask(signal, (namespace, within) => this.#api.get(`${pathOf(kind, namespace)}${rest}`, within));
  }

  /** The object as it is then. `rest`: `/NAME`, or nothing for a new one. */
  write(
    method: WriteMethod,
    { kind, rest, body }: { readonly kind: ObjectKind; readonly rest: string; readonly body: object },
    signal: AbortSignal,
  ): Promise<Result<unknown, ApiFailure>> {
    return this.#ask(signal, (namespace, within) =>
      this.#api.write(method, `${pathOf(kind, namespace)}${rest}`, body, within),
    );
  }

  async #ask(
    signal: AbortSignal,
    ask: (namespace: string, within: AbortSignal) => Promise<Result<string, ApiFailure>>,
  ): Promise<Result<unknown, ApiFailure>> {
    const namespace = await this.#api.namespace();
    if (!namespace.ok) return namespace;
    const within = new Deadline(this.#clock, signal);
    within.set(ANSWER_MS, `no answer within ${ANSWER_MS / 1000} s`);
    const answer = await ask(namespace.value, within.signal);
    within.end();
    if (!answer.ok) return answer;
    try {
      return ok(JSON.parse(answer.value));
    } catch {
      return fail({ kind: 'malformed', message: 'the answer is no JSON' });
    }
  }
}

/** `/NAME`, as a path. */
export function named(name: string): string {
  return `/${encodeURIComponent(name)}`;
}

/** Whether the API server itself answered, with this code. */
export function isStatus(result: Result<unknown, ApiFailure>, code: number): boolean {
  if (result.ok) return false;
  const [failure] = result.errors;
  return failure?.kind === 'status' && failure.code === code;
}

function pathOf({ group, plural }: ObjectKind, namespace: string): string {
  return `${group}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}
