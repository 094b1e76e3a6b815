import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PUSH_ORDER, TYPE_URLS, type XdsResource } from '../../../../src/snapshot/resource.ts';
import { makeSnapshot, type Snapshot } from '../../../../src/snapshot/snapshot.ts';
import {
  newStreamState,
  nextPush,
  release,
  type StreamState,
  takeRequest,
} from '../../../../src/xds/protocol/push-order.ts';
import { stepDelta } from '../../../../src/xds/protocol/step-delta.ts';
import { stepSotw } from '../../../../src/xds/protocol/step-sotw.ts';
import { type Held, isSettled, type Response, type TypeState } from '../../../../src/xds/protocol/type-state.ts';
import { FUZZ_TIMEOUT_MS, RUNS } from './fuzz.ts';

// A whole stream, all types together: whatever happens, in the end everything is there, and nothing waits for ever.
const NAMES = ['a', 'b', 'c'];
const content = fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 2 }));
type Contents = readonly Readonly<Record<string, number>>[];

const actions = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('publish' as const),
      contents: fc.tuple(content, content, content, content, content, content),
    }),
    fc.record({ kind: fc.constant('push' as const), count: fc.nat(4) }),
    fc.record({ kind: fc.constant('answer' as const), which: fc.nat(5), refuse: fc.boolean() }),
    fc.record({ kind: fc.constant('ask' as const), type: fc.nat(5) }),
    fc.constant({ kind: 'release' as const }),
  ),
  { maxLength: 30 },
);

function snapshotOf(contents: Contents): Snapshot {
  const resources = PUSH_ORDER.flatMap((typeUrl, index) => {
    const own = Object.entries(contents[index] ?? {});
    return own.map(([name, version]) => ({ typeUrl, name, body: Buffer.from(`${typeUrl} ${name} ${version}`) }));
  });
  return makeSnapshot(resources);
}

/** One side of the protocol, as the test drives it. */
interface Side<H extends Held> {
  readonly step: (
    state: StreamState<H>,
    target: Parameters<typeof nextPush>[2],
  ) => readonly [StreamState<H>, Response | undefined];
  readonly ask: (
    state: StreamState<H>,
    typeUrl: string,
    answer: { readonly nonce: string; readonly error: string | undefined },
  ) => StreamState<H>;
}

const names = ['*', ...NAMES];
const sotw: Side<XdsResource> = {
  step: (state, target) => nextPush(stepSotw, state, target),
  ask: (state, typeUrl, answer) =>
    takeRequest(stepSotw, state, typeUrl, { kind: 'request', version: '', names, ...answer })[0],
};
const delta: Side<Held> = {
  step: (state, target) => nextPush(stepDelta, state, target),
  ask: (state, typeUrl, answer) => {
    const subscribe = answer.nonce === '' ? names : [];
    return takeRequest(stepDelta, state, typeUrl, {
      kind: 'request',
      subscribe,
      unsubscribe: [],
      initialVersions: new Map(),
      ...answer,
    })[0];
  },
};

function run<H extends Held>(side: Side<H>, isolates: boolean, list: readonly Action[]): void {
  let state = newStreamState<H>(isolates);
  let snapshot = snapshotOf([]);
  let sequence = 0;
  let open: readonly Response[] = [];
  const push = () => {
    const [next, response] = side.step(state, { snapshot, sequence, maxBytes: 100 });
    state = next;
    if (response !== undefined) open = [...open, response];
    return response !== undefined;
  };
  const answer = (which: number, error: string | undefined) => {
    const response = open[which % Math.max(1, open.length)];
    open = open.filter((other) => other !== response);
    if (response !== undefined) state = side.ask(state, response.typeUrl, { nonce: response.nonce, error });
  };
  for (const action of list) {
    if (action.kind === 'publish') {
      snapshot = snapshotOf(action.contents);
      sequence++;
    } else if (action.kind === 'push') for (let count = 0; count < action.count && push(); count++);
    else if (action.kind === 'answer') answer(action.which, action.refuse ? 'no' : undefined);
    else if (action.kind === 'ask')
      state = side.ask(state, PUSH_ORDER[action.type] ?? TYPE_URLS.cluster, { nonce: '', error: undefined });
    else state = release(state);
  }
  // The client takes everything that still comes.
  for (let turn = 0; turn < 1000 && (push() || open.length > 0); turn++) answer(0, undefined);
  expect([open.length, push()]).toEqual([0, false]);
  for (const type of state.types.values()) check(type, snapshot, sequence);
}

type Action = typeof actions extends fc.Arbitrary<readonly (infer A)[]> ? A : never;

function check(type: TypeState, snapshot: Snapshot, sequence: number): void {
  expect([type.typeUrl, isSettled(type, sequence)]).toEqual([type.typeUrl, true]);
  // Only served types are asked for here.
  const resources =
    Object.entries(snapshot.types).find(([typeUrl]) => typeUrl === type.typeUrl)?.[1].resources ?? new Map();
  for (const [name, resource] of resources)
    expect([name, type.held.get(name)?.version]).toEqual([name, resource.version]);
}

test.each([{ isolates: false }, { isolates: true }])(
  'a whole stream comes to rest with everything delivered, isolates: $isolates',
  ({ isolates }) => {
    const property = fc.property(actions, (list) => {
      run(delta, isolates, list);
      run(sotw, isolates, list);
    });
    fc.assert(property, { numRuns: RUNS / 2 });
  },
  FUZZ_TIMEOUT_MS,
);
