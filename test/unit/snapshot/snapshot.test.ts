import { describe, expect, test } from 'vitest';
import {
  type EncodedResource,
  groupByType,
  PUSH_ORDER,
  TYPE_URLS,
  type TypeUrl,
} from '../../../src/snapshot/resource.ts';
import { emptySnapshot, makeSnapshot, SnapshotMaker } from '../../../src/snapshot/snapshot.ts';

function resource(typeUrl: TypeUrl, name: string, content: string): EncodedResource {
  return { typeUrl, name, body: Buffer.from(content) };
}
const cluster = (name: string, content: string) => resource(TYPE_URLS.cluster, name, content);
const endpoints = (name: string, content: string) => resource(TYPE_URLS.endpoints, name, content);

/** Makes snapshots that share what they have in common. */
function oneMaker() {
  const maker = new SnapshotMaker();
  return (encoded: readonly EncodedResource[]) => maker.make(groupByType(encoded));
}

describe('makeSnapshot', () => {
  test('equal content has equal versions, whatever its order, in other arrays, across restarts', () => {
    const one = makeSnapshot([cluster('a', 'A'), cluster('b', 'B'), endpoints('a', 'E')]);
    const two = makeSnapshot([endpoints('a', 'E'), cluster('b', 'B'), cluster('a', 'A')]);
    expect(two).toEqual(one);
    // Written down, so that a change of the hash, which every client would notice, is noticed here.
    expect(one.version).toBe('78d523dab1db358e');
    expect([...one.types[TYPE_URLS.cluster].resources.keys()]).toEqual(['a', 'b']);
  });

  test('a change shows in the version of the resource, of its type and of the whole, and nowhere else', () => {
    const one = makeSnapshot([cluster('a', 'A'), cluster('b', 'B'), endpoints('x', 'E')]);
    const two = makeSnapshot([cluster('a', 'A2'), cluster('b', 'B'), endpoints('x', 'E')]);
    expect(two.version).not.toBe(one.version);
    const changed = PUSH_ORDER.filter((typeUrl) => one.types[typeUrl].version !== two.types[typeUrl].version);
    expect(changed).toEqual([TYPE_URLS.cluster]);
    const version = (name: string, snapshot: typeof one) =>
      snapshot.types[TYPE_URLS.cluster].resources.get(name)?.version;
    expect(version('a', two)).not.toBe(version('a', one));
    expect(version('b', two)).toBe(version('b', one));
  });

  test('what stands in a name and what in a body cannot be confused', () => {
    expect(makeSnapshot([cluster('ab', 'c')]).version).not.toBe(makeSnapshot([cluster('a', 'bc')]).version);
  });

  test('the endpoints of a changed cluster count as changed, those of others do not', () => {
    const make = oneMaker();
    const bodies = [endpoints('a', 'same'), endpoints('b', 'same')];
    const one = make([cluster('a', '1'), cluster('b', '1'), ...bodies]).types[TYPE_URLS.endpoints];
    const two = make([cluster('a', '2'), cluster('b', '1'), ...bodies]).types[TYPE_URLS.endpoints];
    expect(two.resources.get('a')?.version).not.toBe(one.resources.get('a')?.version);
    expect(two.resources.get('b')).toBe(one.resources.get('b'));
  });

  test('an unchanged body gives the same resource object, so that it is encoded once', () => {
    const make = oneMaker();
    const same = cluster('a', 'A');
    const one = make([same, cluster('b', '1')]);
    const two = make([same, cluster('b', '2')]);
    expect(two.types[TYPE_URLS.cluster].resources.get('a')).toBe(one.types[TYPE_URLS.cluster].resources.get('a'));
  });

  test('a type of which nothing changed is the same object, and one with another name for the same body is not', () => {
    const make = oneMaker();
    const [a, b] = [cluster('a', 'A'), cluster('b', 'B')];
    const clusters = (...encoded: readonly EncodedResource[]) => make(encoded).types[TYPE_URLS.cluster];
    const one = clusters(a, b);
    expect(clusters(a, b, endpoints('x', 'E'))).toBe(one);
    expect([...clusters(a).resources.keys()]).toEqual(['a']);
    expect([...clusters(a, { ...b, name: 'c' }).resources.keys()]).toEqual(['a', 'c']);
    expect(clusters(a, b)).toEqual(one);
  });

  test('resources that share one array of bytes keep their own names and types', () => {
    const body = Buffer.from('');
    const shared = [TYPE_URLS.cluster, TYPE_URLS.routes].flatMap((typeUrl) =>
      ['a', 'b'].map((name) => ({ typeUrl, name, body })),
    );
    const { types } = makeSnapshot(shared);
    for (const typeUrl of [TYPE_URLS.cluster, TYPE_URLS.routes]) {
      expect([...types[typeUrl].resources.values()].map((each) => [each.typeUrl, each.name])).toEqual([
        [typeUrl, 'a'],
        [typeUrl, 'b'],
      ]);
    }
  });

  test('a name that is there twice is a bug', () => {
    expect(() => makeSnapshot([cluster('a', '1'), cluster('a', '2')])).toThrow('a is there twice');
  });

  test('the empty snapshot has every type', () => {
    expect(PUSH_ORDER.map((typeUrl) => emptySnapshot.types[typeUrl].resources.size)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('what is made of a change is what is made of the whole', () => {
    const bodies = { a: endpoints('a', 'A'), b: endpoints('b', 'B'), c: endpoints('c', 'C') };
    makeSnapshot([cluster('b', '1'), bodies.a, bodies.b, bodies.c]);
    const changed = makeSnapshot([cluster('b', '1'), bodies.a, endpoints('b', 'B2'), bodies.c]);
    // In between something else, so that nothing is left to start from.
    makeSnapshot([endpoints('x', 'X')]);
    expect(makeSnapshot([cluster('b', '1'), bodies.a, endpoints('b', 'B2'), bodies.c])).toEqual(changed);
    expect(changed.types[TYPE_URLS.endpoints].resources.get('b')?.body).toEqual(Buffer.from('B2'));
  });
});
