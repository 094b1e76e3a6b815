import { describe, expect, test } from 'vitest';
import type { XdsResource } from '../../../../src/snapshot/resource.ts';
import { TYPE_URLS } from '../../../../src/snapshot/resource.ts';
import { makeSnapshot } from '../../../../src/snapshot/snapshot.ts';
import { Holdings } from '../../../../src/xds/protocol/holdings.ts';
import { newStreamState, nextPush, type StreamState, takeRequest } from '../../../../src/xds/protocol/push-order.ts';
import { stepDelta } from '../../../../src/xds/protocol/step-delta.ts';
import { stepSotw } from '../../../../src/xds/protocol/step-sotw.ts';
import type { Held } from '../../../../src/xds/protocol/type-state.ts';

const CLUSTERS = TYPE_URLS.cluster;
const clusters = (...names: readonly string[]) =>
  makeSnapshot(names.map((name) => ({ typeUrl: CLUSTERS, name, body: Buffer.from(name) })));
const NOTHING = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>(), error: undefined };

describe('what a client lacks', () => {
  const lacks = (state: StreamState<Held>, name: string) => new Holdings(state.types).lacks(CLUSTERS, name);

  test('delta: what it never had at once, what is removed once it has answered', () => {
    let state = newStreamState<Held>();
    let sequence = 0;
    const ask = (nonce: string) => {
      [state] = takeRequest(stepDelta, state, CLUSTERS, { kind: 'request', nonce, ...NOTHING });
    };
    const push = (...names: readonly string[]) => {
      const [after, response] = nextPush(stepDelta, state, {
        snapshot: clusters(...names),
        sequence: ++sequence,
        maxBytes: 1e6,
      });
      state = after;
      return response?.nonce ?? '';
    };
    expect(lacks(state, 'a')).toBe(false);
    ask('');
    expect(lacks(state, 'a')).toBe(true);
    ask(push('a', 'b'));
    expect([lacks(state, 'a'), lacks(state, 'c')]).toEqual([false, true]);
    const removal = push('b');
    expect(lacks(state, 'a')).toBe(false);
    ask(removal);
    expect([lacks(state, 'a'), lacks(state, 'b')]).toEqual([true, false]);
  });

  test('state of the world: what is not in the list any more, once it has answered', () => {
    let state = newStreamState<XdsResource>();
    let sequence = 0;
    const ask = (nonce: string) => {
      [state] = takeRequest(stepSotw, state, CLUSTERS, {
        kind: 'request',
        nonce,
        version: '',
        names: [],
        error: undefined,
      });
    };
    const push = (...names: readonly string[]) => {
      const [after, response] = nextPush(stepSotw, state, {
        snapshot: clusters(...names),
        sequence: ++sequence,
        maxBytes: 1e6,
      });
      state = after;
      return response?.nonce ?? '';
    };
    ask('');
    ask(push('a', 'b'));
    const removal = push('b');
    expect(lacks(state, 'a')).toBe(false);
    ask(removal);
    expect([lacks(state, 'a'), lacks(state, 'b')]).toEqual([true, false]);
  });
});
