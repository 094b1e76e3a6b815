import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Service, ServiceName } from '../../../src/model/service.ts';
import { absentFrom, assignOwners, type Candidate, type NodeId, type Ownership } from '../../../src/nodes/ownership.ts';
import { kubernetes, serviceOf } from '../model/routing-parts.ts';

const node = (id: string) => id as NodeId;
const names = (...all: readonly string[]) => new Set(all as ServiceName[]);
const candidate = (id: string, more: Partial<Candidate> = {}): Candidate => {
  return { id: node(id), services: undefined, connected: true, holds: names(), waits: false, ...more };
};
const limitedService = (name: string) => serviceOf(name, kubernetes(name), 1);
const balanced: Service = {
  ...limitedService('web'),
  discipline: { kind: 'balanced', balance: 'random', maxRequests: 1, queueMax: 1, fullStatus: 429 },
};
const owned = (...services: readonly Service[]) => services.map((service) => ({ service }));
const codec = owned(limitedService('codec'));
const none: Ownership = new Map();
const plain = (owners: Ownership) => Object.fromEntries(owners);

describe('assignOwners', () => {
  test('gives a service to the first Envoy that is there for it', () => {
    const both = owned(limitedService('codec'), limitedService('llm'), balanced);
    const candidates = [candidate('a', { services: new Set(['llm']) }), candidate('b'), candidate('c')];
    expect(plain(assignOwners(both, candidates, none))).toEqual({ codec: 'b', llm: 'a' });
  });

  test('leaves it there while that Envoy has no stream, and gives it away when it is gone', () => {
    const before = assignOwners(codec, [candidate('a'), candidate('b')], none);
    expect(plain(assignOwners(codec, [candidate('a', { connected: false }), candidate('b')], before))).toEqual({
      codec: 'a',
    });
    expect(plain(assignOwners(codec, [candidate('b')], before))).toEqual({ codec: 'b' });
  });

  test('gives nothing to an Envoy without a stream that has not had it', () => {
    expect(plain(assignOwners(codec, [candidate('a', { connected: false })], none))).toEqual({});
  });

  test('takes it from an Envoy that is not there for it any more', () => {
    const before = assignOwners(codec, [candidate('a'), candidate('b')], none);
    const candidates = [candidate('a', { services: new Set([]) }), candidate('b')];
    expect(plain(assignOwners(codec, candidates, before))).toEqual({ codec: 'b' });
  });

  test('prefers the Envoy that holds it, and gives nothing else to those that wait', () => {
    const holder = candidate('b', { holds: names('codec'), waits: true });
    expect(plain(assignOwners(codec, [candidate('a'), holder], none))).toEqual({ codec: 'b' });
    expect(plain(assignOwners(codec, [candidate('a', { waits: true })], none))).toEqual({});
  });

  test('whatever happens, no service is given to two Envoys, and an owner keeps what it wants', () => {
    const ids = ['a', 'b', 'c'] as const;
    const state = fc.record({
      connected: fc.boolean(),
      waits: fc.boolean(),
      services: fc.option(fc.constantFrom(new Set(['codec']), new Set(['llm'])), { nil: undefined }),
    });
    const step = fc.uniqueArray(fc.tuple(fc.constantFrom(...ids), state), { selector: ([id]) => id });
    const both = owned(limitedService('codec'), limitedService('llm'));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (history) => {
        let owners = none;
        for (const present of history) {
          const candidates = present.map(([id, more]) => candidate(id, more));
          const before = owners;
          owners = assignOwners(both, candidates, before);
          for (const { service } of both) {
            const getIt = candidates.filter((one) => !absentFrom(one, both, owners).has(service.name));
            expect(getIt.length).toBeLessThanOrEqual(1);
            const last = candidates.find(({ id }) => id === before.get(service.name));
            const stays = last !== undefined && (last.services?.has(service.name) ?? true);
            if (stays) expect(owners.get(service.name)).toBe(last.id);
          }
        }
      }),
    );
  });
});

describe('absentFrom', () => {
  test('names what an Envoy is not there for, and what another owns; without a limit everybody may have it', () => {
    const all = owned(limitedService('codec'), balanced);
    const owners = assignOwners(all, [candidate('a'), candidate('b')], none);
    expect([...absentFrom(candidate('a'), all, owners)]).toEqual([]);
    expect([...absentFrom(candidate('b'), all, owners)]).toEqual(['codec']);
    expect([...absentFrom(candidate('c', { services: new Set(['codec']) }), all, owners)]).toEqual(['codec', 'web']);
  });
});
