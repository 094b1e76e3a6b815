import { describe, expect, test } from 'vitest';
import { TYPE_URLS } from '../../../../src/snapshot/resource.ts';
import { answer, refusedNames } from '../../../../src/xds/protocol/answer.ts';
import { newTypeState, type TypeState } from '../../../../src/xds/protocol/type-state.ts';

describe('refusedNames', () => {
  test.each([
    ['Error adding/updating cluster(s) pods/codec: no such', ['pods/codec']],
    ['Error adding/updating cluster(s) pods/codec2: no, gate/codec: no', ['gate/codec', 'pods/codec2']],
    ['bad pods/codec.', ['pods/codec']],
    ['cannot take pods/codec.internal', ['gate/codec', 'pods/codec', 'pods/codec2']],
    ['something is wrong', ['gate/codec', 'pods/codec', 'pods/codec2']],
  ])('%s', (message, expected) => {
    expect(refusedNames(message, ['gate/codec', 'pods/codec', 'pods/codec2'])).toEqual(expected);
  });

  test('a name as short as a word of the sentence is not looked for', () => {
    expect(refusedNames('not a number', ['a', 'b'])).toEqual(['a', 'b']);
  });
});

const held = (versions: Record<string, string>) =>
  Object.entries(versions).map(([name, version]) => ({ name, version }));

describe('answer', () => {
  const response = (nonce: string, resources: Record<string, string>) => {
    return {
      nonce,
      version: `set ${nonce}`,
      sequence: 0,
      resources: held(resources),
      removed: [],
      fresh: [],
      awaited: false,
    };
  };
  const state: TypeState = {
    ...newTypeState(TYPE_URLS.endpoints),
    held: new Map(held({ a: 'a2', b: 'b1' }).map((each) => [each.name, each])),
    unanswered: [response('1', { a: 'a1', b: 'b1' }), response('2', { a: 'a2' })],
  };

  test('of a nonce nobody waits for says nothing', () => {
    for (const nonce of ['', '3', '1 ']) expect(answer(state, nonce, 'no')).toEqual([state, []]);
  });

  test('an ACK settles the response and all before it', () => {
    const [after, effects] = answer(state, '2', undefined);
    expect(after.unanswered).toEqual([]);
    expect(after.ackedVersion).toBe('set 2');
    expect(effects).toEqual([{ kind: 'acked', typeUrl: TYPE_URLS.endpoints, version: 'set 2', names: ['a'] }]);
  });

  test('a NACK marks what was not replaced since then', () => {
    const [after, effects] = answer(state, '1', 'bad');
    expect([...after.nacks]).toEqual([['b', { version: 'b1', message: 'bad', fresh: false }]]);
    expect(after.unanswered.map(({ nonce }) => nonce)).toEqual(['2']);
    expect(effects).toMatchObject([{ kind: 'nacked', names: ['a', 'b'], message: 'bad', retried: false }]);
  });

  test('a refusal of the same in the same words is told to be the same again', () => {
    const [refused, [first]] = answer(state, '2', 'bad');
    const again = (message: string) => answer({ ...refused, unanswered: [response('3', { a: 'a2' })] }, '3', message);
    expect(first).toMatchObject({ kind: 'nacked', again: false });
    expect(again('bad')[1]).toMatchObject([{ kind: 'nacked', again: true }]);
    expect(again('worse')[1]).toMatchObject([{ kind: 'nacked', again: false }]);
  });

  test('an ACK of something newer ends a NACK', () => {
    const [refused] = answer(state, '2', 'bad');
    expect(refused.nacks.has('a')).toBe(true);
    const again = { ...refused, unanswered: [response('3', { a: 'a3' })] };
    expect(answer(again, '3', undefined)[0].nacks.size).toBe(0);
  });

  test('a client that stops at the first bad resource gets each of several by itself', () => {
    const isolating = { ...state, isolates: true, sequence: 7, added: 'v', complete: 'v' };
    const [after, effects] = answer(isolating, '1', 'bad');
    expect([[...after.alone], after.held.get('a')?.version, after.held.get('b')?.version]).toEqual([['b'], 'a2', '?']);
    expect(after.nacks.size).toBe(0);
    expect(after).toMatchObject({ sequence: -1, added: undefined, complete: undefined });
    expect(effects).toMatchObject([{ kind: 'nacked', retried: true }]);
  });

  test('of one resource, or of clusters, which it takes one by one, it is a NACK like any other', () => {
    const isolating = { ...state, isolates: true };
    expect(answer(isolating, '2', 'bad')[0].nacks.has('a')).toBe(true);
    expect(answer({ ...isolating, typeUrl: TYPE_URLS.cluster }, '1', 'bad')[0].nacks.has('b')).toBe(true);
  });
});
