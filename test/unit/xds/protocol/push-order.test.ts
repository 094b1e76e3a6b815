import { describe, expect, test } from 'vitest';
import { PUSH_ORDER, TYPE_URLS, type TypeUrl } from '../../../../src/snapshot/resource.ts';
import { makeSnapshot, type Snapshot } from '../../../../src/snapshot/snapshot.ts';
import {
  isHeldBack,
  newStreamState,
  nextPush,
  release,
  type StreamState,
  takeRequest,
} from '../../../../src/xds/protocol/push-order.ts';
import { type DeltaRequest, stepDelta } from '../../../../src/xds/protocol/step-delta.ts';
import type { Held } from '../../../../src/xds/protocol/type-state.ts';

type State = StreamState<Held>;
const target = (snapshot: Snapshot, sequence = 0) => ({ snapshot, sequence, maxBytes: 1000 });

function ask(state: State, typeUrl: string, request: Partial<DeltaRequest> = {}): State {
  const defaults = {
    kind: 'request',
    nonce: '',
    subscribe: [],
    unsubscribe: [],
    initialVersions: new Map(),
    error: undefined,
  } as const;
  return takeRequest(stepDelta, state, typeUrl, { ...defaults, ...request })[0];
}

/** All that is sent now: `Cluster +a -b`; and the state afterwards. */
function drain(before: State, snapshot: Snapshot, sequence = 0): readonly [State, readonly string[]] {
  let state = before;
  const sent: string[] = [];
  for (;;) {
    const [next, response] = nextPush(stepDelta, state, target(snapshot, sequence));
    state = next;
    if (response === undefined) return [state, sent];
    const added = response.resources.map(({ name }) => ` +${name}`);
    sent.push(
      `${response.typeUrl.split('.').at(-1)}${added.join('')}${response.removed.map((name) => ` -${name}`).join('')}`,
    );
  }
}

function everyType(name: string): Snapshot {
  return makeSnapshot(PUSH_ORDER.map((typeUrl: TypeUrl) => ({ typeUrl, name, body: Buffer.from(name) })));
}

function subscribed(): State {
  return PUSH_ORDER.reduce((state, typeUrl) => ask(state, typeUrl, { subscribe: ['*'] }), newStreamState<Held>());
}

function acked(state: State): State {
  return [...state.types.values()].reduce((all, type) => ask(all, type.typeUrl, { nonce: type.lastNonce }), state);
}

const SHORT = ['Cluster', 'ClusterLoadAssignment', 'TypedExtensionConfig', 'Listener', 'RouteConfiguration', 'Secret'];

describe('nextPush', () => {
  test('what is asked for comes in the order of reference, unanswered clusters or not', () => {
    expect(drain(subscribed(), everyType('a'))[1]).toEqual(SHORT.map((type) => `${type} +a`));
  });

  test('a change: clusters, what they need, then after their answer what refers to them, then removals', () => {
    let state = acked(drain(subscribed(), everyType('a'))[0]);
    let sent: readonly string[];
    [state, sent] = drain(state, everyType('b'), 1);
    expect(sent).toEqual(['Cluster +b', 'ClusterLoadAssignment +b', 'TypedExtensionConfig +b', 'Secret +b']);
    expect(isHeldBack(state, everyType('b'))).toBe(true);
    [state, sent] = drain(
      ask(state, TYPE_URLS.cluster, { nonce: state.types.get(TYPE_URLS.cluster)?.lastNonce ?? '' }),
      everyType('b'),
      1,
    );
    expect(sent).toEqual([
      'Listener +b',
      'RouteConfiguration +b',
      'Listener -a',
      'RouteConfiguration -a',
      'Cluster -a',
      'ClusterLoadAssignment -a',
      'TypedExtensionConfig -a',
      'Secret -a',
    ]);
    expect(isHeldBack(state, everyType('b'))).toBe(false);
    expect([...state.types.values()].map(({ sequence }) => sequence)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('routes that are asked for while clusters have changed wait for the answer to those', () => {
    const first = ask(newStreamState<Held>(), TYPE_URLS.cluster, { subscribe: ['*'] });
    const ack = (state: State) =>
      ask(state, TYPE_URLS.cluster, { nonce: state.types.get(TYPE_URLS.cluster)?.lastNonce ?? '' });
    let state = ack(drain(first, everyType('a'))[0]);
    let sent: readonly string[];
    [state, sent] = drain(state, everyType('b'), 1);
    expect(sent).toEqual(['Cluster +b -a']);
    state = ask(state, TYPE_URLS.routes, { subscribe: ['b'] });
    [state, sent] = drain(state, everyType('b'), 1);
    expect(sent).toEqual([]);
    expect(isHeldBack(state, everyType('b'))).toBe(true);
    expect(drain(release(state), everyType('b'), 1)[1][0]).toBe('RouteConfiguration +b');
    expect(drain(ack(state), everyType('b'), 1)[1]).toEqual(['RouteConfiguration +b']);
  });

  test('a refusal of the clusters and the end of patience let the others go as well', () => {
    const [changed] = drain(acked(drain(subscribed(), everyType('a'))[0]), everyType('b'), 1);
    const nonce = changed.types.get(TYPE_URLS.cluster)?.lastNonce ?? '';
    const refused = ask(changed, TYPE_URLS.cluster, { nonce, error: 'no' });
    for (const state of [refused, release(changed)]) expect(drain(state, everyType('b'), 1)[1][0]).toBe('Listener +b');
  });

  test('nonces differ over all types', () => {
    const [state] = drain(subscribed(), everyType('a'));
    const nonces = [...state.types.values()].map(({ lastNonce }) => lastNonce);
    expect(new Set(nonces).size).toBe(6);
  });

  test('nothing to send leaves the state as it is', () => {
    const [state] = drain(subscribed(), everyType('a'));
    expect(nextPush(stepDelta, state, target(everyType('a')))).toEqual([state, undefined]);
    expect(nextPush(stepDelta, state, target(everyType('a')))[0]).toBe(state);
  });

  test('a type nobody knows has no resources', () => {
    const state = ask(newStreamState<Held>(), 'constructor', { subscribe: ['name'] });
    expect(drain(state, everyType('a'))[1]).toEqual(['constructor -name']);
  });
});

test('release without clusters changes nothing', () => {
  const state = newStreamState<Held>();
  expect(release(state)).toBe(state);
});
