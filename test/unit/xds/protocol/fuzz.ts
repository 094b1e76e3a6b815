import fc from 'fast-check';
import { TYPE_URLS, type TypeUrl } from '../../../../src/snapshot/resource.ts';
import { makeSnapshot, type TypeSnapshot } from '../../../../src/snapshot/snapshot.ts';
import type { Effect, Held, PushEvent, Response, Step, TypeState } from '../../../../src/xds/protocol/type-state.ts';

/** How many random sequences; SLUICE_FUZZ_RUNS=100000 for a long run. */
export const RUNS = Number(process.env.SLUICE_FUZZ_RUNS ?? 2000);

/** Time for the long run, in milliseconds. */
export const FUZZ_TIMEOUT_MS = 60_000 + RUNS * 20;

export const NAMES = ['a', 'b', 'c', 'd'] as const;
const asked = fc.array(fc.constantFrom(...NAMES, '*', ''), { maxLength: 4 });

/** What may happen to a stream, in any order. */
export type Action =
  | {
      readonly kind: 'ask';
      readonly names: readonly string[];
      readonly leave: readonly string[];
      readonly nonce: 'last' | 'none' | 'old' | 'wrong';
    }
  | { readonly kind: 'answer'; readonly which: number; readonly refuse: boolean }
  | { readonly kind: 'publish'; readonly contents: Readonly<Record<string, number>> }
  | {
      readonly kind: 'push';
      readonly removals: 'hold' | 'send';
      readonly scope: 'all' | 'owed';
      readonly maxBytes: number;
    };

/** Random sequences of actions for one type. */
export const sequences = fc.record({
  typeUrl: fc.constantFrom<TypeUrl>(TYPE_URLS.cluster, TYPE_URLS.endpoints),
  isolates: fc.boolean(),
  known: fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 2 }), { maxKeys: 3 }),
  actions: fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant('ask' as const),
        names: asked,
        leave: asked,
        nonce: fc.constantFrom('last' as const, 'none' as const, 'old' as const, 'wrong' as const),
      }),
      fc.record({ kind: fc.constant('answer' as const), which: fc.nat(3), refuse: fc.boolean() }),
      fc.record({
        kind: fc.constant('publish' as const),
        contents: fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 2 })),
      }),
      fc.record({
        kind: fc.constant('push' as const),
        removals: fc.constantFrom('hold' as const, 'send' as const),
        scope: fc.constantFrom('all' as const, 'owed' as const),
        maxBytes: fc.integer({ min: 1, max: 30 }),
      }),
    ),
    { maxLength: 40 },
  ),
});

/** A snapshot of one type whose resources have these contents. */
export function snapshotOf(typeUrl: TypeUrl, contents: Readonly<Record<string, number>>): TypeSnapshot {
  const resources = Object.entries(contents).map(([name, content]) => {
    return { typeUrl, name, body: Buffer.from(`${name} content ${content}`) };
  });
  return makeSnapshot(resources).types[typeUrl];
}

/** A list of clusters is always whole; all else keeps to the limit, unless it is a single resource. */
function checkSize({ typeUrl, resources, removed }: Response, maxBytes: number): void {
  const sizes = [...resources.map(({ body }) => body.length), ...removed.map((name) => name.length)];
  const size = sizes.reduce((sum, each) => sum + each, 0);
  if (typeUrl !== TYPE_URLS.cluster && sizes.length > 1 && size > maxBytes)
    throw new Error(`${size} bytes are too many`);
}

/** Whether a refusal of `response` is one of each resource in it; see `TypeState.isolates`. */
export function refusesEach(response: Response, isolates: boolean): boolean {
  return !isolates || response.typeUrl === TYPE_URLS.cluster || response.resources.length === 1;
}

/** The server's side under test: one type's state, fed by its step. */
export class Driver<H extends Held, Request> {
  state: TypeState<H>;
  readonly nacked: Extract<Effect, { kind: 'nacked' }>[] = [];
  readonly #step: (state: TypeState<H>, event: Request | PushEvent) => Step<H>;
  #nonces = 0;

  constructor(step: (state: TypeState<H>, event: Request | PushEvent) => Step<H>, state: TypeState<H>) {
    this.#step = step;
    this.state = state;
  }

  request(request: Request): void {
    const [state, effects] = this.#step(this.state, request);
    this.state = state;
    for (const effect of effects) {
      if (effect.kind === 'send') throw new Error('a request sends nothing by itself');
      if (effect.kind === 'nacked') this.nacked.push(effect);
    }
  }

  /** At most one response. */
  push(
    snapshot: TypeSnapshot,
    { removals, scope, maxBytes }: Pick<PushEvent, 'removals' | 'scope' | 'maxBytes'>,
  ): Response | undefined {
    const event = {
      kind: 'push',
      snapshot,
      sequence: 0,
      nonce: `${this.#nonces + 1}`,
      removals,
      scope,
      maxBytes,
    } as const;
    const [state, effects] = this.#step(this.state, event);
    this.state = state;
    if (effects.length > 1) throw new Error('more than one effect of a push');
    const [effect] = effects;
    if (effect?.kind !== 'send') return undefined;
    this.#nonces++;
    checkSize(effect.response, maxBytes);
    return effect.response;
  }

  /** All responses until nothing is left. */
  drain(snapshot: TypeSnapshot): readonly Response[] {
    const responses: Response[] = [];
    for (const removals of ['hold', 'send'] as const) {
      for (;;) {
        const response = this.push(snapshot, { removals, scope: 'all', maxBytes: 30 });
        if (response === undefined) break;
        responses.push(response);
        if (responses.length > 50) throw new Error('it never comes to rest');
      }
    }
    return responses;
  }
}
