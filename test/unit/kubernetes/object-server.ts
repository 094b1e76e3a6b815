import { fail, ok, type Result } from '../../../src/base/result.ts';
import type { ApiFailure, KubeApi, KubeWriter, WriteMethod } from '../../../src/kubernetes/api.ts';

/** An object as an API server has it. */
export interface StoredObject {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
  // Each test knows what it has written.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly [key: string]: any;
}

interface Written {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion?: string;
    readonly annotations?: Readonly<Record<string, string | null>>;
  };
}

const NAMESPACE = '/namespaces/edge/';

/** The objects of one namespace, with versions as an API server has them, and what goes wrong as a test says. */
export class ObjectServer implements KubeApi, KubeWriter {
  /** By kind and name, such as `leases/one`. */
  readonly objects = new Map<string, StoredObject>();
  /** Every answer; `nothing`: nobody is there. */
  refuses: number | 'nothing' | undefined;
  /** Called before each question is answered, once: what somebody else does in that moment. */
  before: ((method: string, what: string) => void) | undefined;
  /** The next write is done, and its answer is lost. */
  losesAnswer = false;
  asked: string[] = [];
  #version = 0;

  async namespace(): Promise<Result<string, ApiFailure>> {
    return ok('edge');
  }

  async get(path: string): Promise<Result<string, ApiFailure>> {
    const [what = '', query] = whatIn(path).split('?');
    this.#ask('GET', what);
    const refused = this.#refusal();
    if (refused !== undefined) return refused;
    if (query !== undefined || !what.includes('/')) return ok(JSON.stringify({ items: this.#list(what, query) }));
    const found = this.objects.get(what);
    return found === undefined ? status(404) : ok(JSON.stringify(found));
  }

  async watch(): Promise<Result<void, ApiFailure>> {
    throw new Error('nothing is watched here');
  }

  async write(method: WriteMethod, path: string, body: unknown): Promise<Result<string, ApiFailure>> {
    // Whoever writes names the object.
    const { metadata } = body as Written;
    const what = method === 'POST' ? `${whatIn(path)}/${metadata.name}` : whatIn(path);
    this.#ask(method, what);
    const refused = this.#refusal();
    if (refused !== undefined) return refused;
    const before = this.objects.get(what);
    if (method === 'DELETE') {
      if (before === undefined) return status(404);
      const { preconditions } = body as { preconditions?: { resourceVersion: string } };
      if (preconditions !== undefined && preconditions.resourceVersion !== before.metadata.resourceVersion)
        return status(409);
      this.objects.delete(what);
      return ok('{}');
    }
    if (method === 'PATCH') return this.#patch(what, metadata);
    if (method === 'POST' && before !== undefined) return status(409);
    if (method === 'PUT' && before === undefined) return status(404);
    if (method === 'PUT' && metadata.resourceVersion !== before?.metadata.resourceVersion) return status(409);
    const stored = this.put(what, body as object);
    if (!this.losesAnswer) return ok(JSON.stringify(stored));
    this.losesAnswer = false;
    return fail({ kind: 'unreachable', message: 'the connection was closed' });
  }

  /** A merge patch of annotations. */
  #patch(what: string, patch: Written['metadata']): Result<string, ApiFailure> {
    const before = this.objects.get(what);
    if (before === undefined) return status(404);
    const { resourceVersion = before.metadata.resourceVersion, annotations = {} } = patch;
    if (resourceVersion !== before.metadata.resourceVersion) return status(409);
    const merged = Object.entries({ ...before.metadata.annotations, ...annotations });
    const kept = Object.fromEntries(merged.filter(([, value]) => value !== null));
    return ok(JSON.stringify(this.put(what, { ...before, metadata: { ...before.metadata, annotations: kept } })));
  }

  /** As somebody else writes it. */
  put(what: string, object: object): StoredObject {
    const { metadata = {} } = object as { metadata?: object };
    const stored = {
      ...object,
      metadata: { name: what.split('/')[1] ?? '', ...metadata, resourceVersion: String(++this.#version) },
    };
    this.objects.set(what, stored);
    return stored;
  }

  #list(kind: string, query: string | undefined): readonly StoredObject[] {
    const [label = '', value] = (new URLSearchParams(query).get('labelSelector') ?? '').split('=');
    return [...this.objects]
      .filter(
        ([what, { metadata }]) => what.startsWith(`${kind}/`) && (label === '' || metadata.labels?.[label] === value),
      )
      .map(([, object]) => object);
  }

  #ask(method: string, what: string): void {
    this.asked.push(`${method} ${what}`);
    const happens = this.before;
    this.before = undefined;
    happens?.(method, what);
  }

  #refusal(): Result<never, ApiFailure> | undefined {
    if (this.refuses === undefined) return undefined;
    return this.refuses === 'nothing' ? fail({ kind: 'unreachable', message: 'refused' }) : status(this.refuses);
  }
}

function whatIn(path: string): string {
  return decodeURIComponent(path.slice(path.indexOf(NAMESPACE) + NAMESPACE.length));
}

function status(code: number): Result<never, ApiFailure> {
  return fail({ kind: 'status', code, message: `refused with ${code}` });
}
