import { expect, test } from 'vitest';
import { TYPE_URLS, type XdsResource } from '../../../../src/snapshot/resource.ts';
import { keeping, makeSnapshot, type Snapshot } from '../../../../src/snapshot/snapshot.ts';
import { newStreamState, nextPush, type StreamState, takeRequest } from '../../../../src/xds/protocol/push-order.ts';
import { stepSotw } from '../../../../src/xds/protocol/step-sotw.ts';

const CLUSTERS = TYPE_URLS.cluster;
const clusters = (...names: readonly string[]) =>
  makeSnapshot(names.map((name) => ({ typeUrl: CLUSTERS, name, body: Buffer.from(name) })));

/** A state-of-the-world stream for clusters; `version`: what its client took last. */
function stream(version: string) {
  let state: StreamState<XdsResource> = newStreamState();
  let sequence = 0;
  const ask = (nonce: string) => {
    const request = { kind: 'request', nonce, version, names: [], error: undefined } as const;
    [state] = takeRequest(stepSotw, state, CLUSTERS, request);
  };
  ask('');
  /** The names of the list that is sent, and taken; undefined: none is sent. */
  return (snapshot: Snapshot) => {
    const [after, response] = nextPush(stepSotw, state, { snapshot, sequence: ++sequence, maxBytes: 1e6 });
    state = after;
    if (response !== undefined) ask(response.nonce);
    return response?.resources.map(({ name }) => name).sort();
  };
}

test('a client that returns keeps the cluster of which nothing is known, as it probably is, until more is known', () => {
  const push = stream('before');
  expect(push(keeping(clusters('a', 'b'), new Set(['b'])))).toEqual(['a', 'b']);
  expect(push(keeping(clusters('a', 'b', 'c'), new Set(['b'])))).toEqual(['a', 'b', 'c']);
  // It was that all along.
  expect(push(clusters('a', 'b', 'c'))).toBeUndefined();
  expect(push(clusters('a', 'c'))).toEqual(['a', 'c']);
});

test('one that comes for the first time does not get it, as there is nothing that it could keep', () => {
  const push = stream('');
  expect(push(keeping(clusters('a', 'b'), new Set(['b'])))).toEqual(['a']);
  expect(push(clusters('a', 'b'))).toEqual(['a', 'b']);
});

test('what it was sent on the same stream it keeps as well', () => {
  const push = stream('');
  expect(push(clusters('a', 'b'))).toEqual(['a', 'b']);
  expect(push(keeping(clusters('a'), new Set(['b'])))).toBeUndefined();
  expect(push(keeping(clusters('a', 'c'), new Set(['b'])))).toEqual(['a', 'b', 'c']);
});
