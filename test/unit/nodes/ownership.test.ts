import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ServiceName } from '../../../src/model/service.ts';
import { type Candidate, type NodeId, Owners } from '../../../src/nodes/ownership.ts';

const node = (id: string) => id as NodeId;
const names = (...all: readonly string[]) => new Set(all as ServiceName[]);
const candidate = (id: string, more: Partial<Candidate> = {}): Candidate => {
  return { id: node(id), services: undefined, connected: true, holds: names(), waits: false, ...more };
};

/** The owners of these services, and the Envoys that come in this order. */
function ownersOf(services: readonly string[], ...candidates: readonly Candidate[]): Owners {
  const owners = new Owners();
  owners.follow(names(...services));
  for (const each of candidates) owners.set(each);
  return owners;
}

const plain = ({ all }: Owners) => Object.fromEntries(all);

describe('Owners', () => {
  test('a service goes to the first Envoy that is there for it', () => {
    const candidates = [candidate('a', { services: new Set(['llm']) }), candidate('b'), candidate('c')];
    const owners = ownersOf(['codec', 'llm'], ...candidates);
    expect(plain(owners)).toEqual({ codec: 'b', llm: 'a' });
    expect(owners.byOwner).toEqual(
      new Map([
        ['a', names('llm')],
        ['b', names('codec')],
      ]),
    );
  });

  test('one that comes later goes to the first that is there already', () => {
    const owners = ownersOf([], candidate('a', { services: new Set(['llm']) }), candidate('b'), candidate('c'));
    expect(owners.follow(names('codec', 'llm'))).toBe(true);
    expect(plain(owners)).toEqual({ codec: 'b', llm: 'a' });
    expect(owners.follow(names('codec', 'llm'))).toBe(false);
    expect(owners.follow(names('codec'))).toBe(true);
    expect(plain(owners)).toEqual({ codec: 'b' });
  });

  test('it stays there while that Envoy has no stream, and is given away when it is gone', () => {
    const owners = ownersOf(['codec'], candidate('a'), candidate('b'));
    expect(owners.set(candidate('a', { connected: false }))).toEqual(new Set());
    expect(plain(owners)).toEqual({ codec: 'a' });
    expect(owners.remove(node('a'))).toEqual(new Set(['a', 'b']));
    expect(plain(owners)).toEqual({ codec: 'b' });
  });

  test('an Envoy without a stream that has not had it gets nothing', () => {
    const owners = ownersOf(['codec'], candidate('a', { connected: false }));
    expect(plain(owners)).toEqual({});
    expect(owners.set(candidate('a'))).toEqual(new Set(['a']));
    expect(plain(owners)).toEqual({ codec: 'a' });
  });

  test('it is taken from an Envoy that is not there for it any more', () => {
    const owners = ownersOf(['codec'], candidate('a'), candidate('b'));
    expect(owners.set(candidate('a', { services: new Set() }))).toEqual(new Set(['a', 'b']));
    expect(plain(owners)).toEqual({ codec: 'b' });
  });

  test('the Envoy that holds it goes first, and those that wait get nothing else', () => {
    const owners = ownersOf([], candidate('a'), candidate('b', { holds: names('codec'), waits: true }));
    owners.follow(names('codec'));
    expect(plain(owners)).toEqual({ codec: 'b' });
    const waiting = ownersOf(['codec', 'llm'], candidate('a', { waits: true, holds: names('llm') }));
    expect(plain(waiting)).toEqual({ llm: 'a' });
    waiting.set(candidate('a', { holds: names('llm') }));
    expect(plain(waiting)).toEqual({ llm: 'a', codec: 'a' });
  });

  test('whatever happens: an owner keeps what it wants, what somebody may have is owned, and all that changes is told', () => {
    const ids = ['a', 'b', 'c'] as const;
    const services = ['codec', 'llm'] as const;
    const candidates = fc.record({
      id: fc.constantFrom(...ids),
      connected: fc.boolean(),
      waits: fc.boolean(),
      holds: fc.constantFrom(names(), names('codec'), names('llm')),
      services: fc.option(fc.constantFrom(new Set(['codec']), new Set(['llm'])), { nil: undefined }),
    });
    const step = fc.oneof(
      candidates.map(
        (each) => ({ kind: 'set', candidate: candidate(each.id, { ...each, id: node(each.id) }) }) as const,
      ),
      fc.constantFrom(...ids).map((id) => ({ kind: 'remove', id }) as const),
      fc.subarray([...services]).map((limited) => ({ kind: 'follow', limited }) as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const owners = new Owners();
        const present = new Map<string, Candidate>();
        let limited: readonly string[] = [];
        for (const each of steps) {
          const before = plain(owners);
          let told: ReadonlySet<string> | undefined;
          if (each.kind === 'follow') {
            limited = each.limited;
            owners.follow(names(...limited));
          } else if (each.kind === 'remove') {
            present.delete(each.id);
            told = owners.remove(node(each.id));
          } else {
            present.set(each.candidate.id, each.candidate);
            told = owners.set(each.candidate);
          }
          const now = plain(owners);
          expect(Object.keys(now).filter((name) => !limited.includes(name))).toEqual([]);
          for (const name of limited as ServiceName[]) {
            const wants = (one: Candidate) => one.services?.has(name) ?? true;
            const last = present.get(before[name] ?? '');
            if (last !== undefined && wants(last)) expect(now[name]).toBe(last.id);
            const able = [...present.values()].filter(
              (one) => one.connected && wants(one) && (one.holds.has(name) || !one.waits),
            );
            if (able.length > 0) expect(now[name]).toBeDefined();
            if (now[name] !== undefined) expect(owners.of(now[name]).has(name)).toBe(true);
            if (told !== undefined && before[name] !== now[name])
              expect([before[name], now[name]].filter((id) => id !== undefined && !told.has(id))).toEqual([]);
          }
        }
      }),
    );
  });
});
