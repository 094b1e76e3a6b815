import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Service, ServiceName } from '../../../src/model/service.ts';
import { absentFrom, assignOwners, type Carrier, type NodeId, type Ownership } from '../../../src/nodes/ownership.ts';
import { limitedService } from '../slots/services.ts';

const node = (id: string) => id as NodeId;
const names = (...all: readonly string[]) => new Set(all as ServiceName[]);
const carrier = (id: string, more: Partial<Carrier> = {}): Carrier => {
  return { id: node(id), services: undefined, connected: true, holds: names(), waits: false, ...more };
};
const balanced: Service = {
  ...limitedService('web'),
  discipline: { kind: 'balanced', balance: 'random', maxRequests: 1, queueMax: 1, fullStatus: 429 },
};
const owned = (...services: readonly Service[]) => ({
  services: services.map((service) => ({ service })),
  retiring: [],
});
const codec = owned(limitedService('codec'));
const none: Ownership = new Map();
const plain = (owners: Ownership) => Object.fromEntries(owners);

describe('assignOwners', () => {
  test('gives a service to the first Envoy that is there for it', () => {
    const both = owned(limitedService('codec'), limitedService('llm'), balanced);
    const carriers = [carrier('a', { services: new Set(['llm']) }), carrier('b'), carrier('c')];
    expect(plain(assignOwners(both, carriers, none))).toEqual({ codec: 'b', llm: 'a' });
  });

  test('leaves it there while that Envoy has no stream, and gives it away when it is gone', () => {
    const before = assignOwners(codec, [carrier('a'), carrier('b')], none);
    expect(plain(assignOwners(codec, [carrier('a', { connected: false }), carrier('b')], before))).toEqual({
      codec: 'a',
    });
    expect(plain(assignOwners(codec, [carrier('b')], before))).toEqual({ codec: 'b' });
  });

  test('gives nothing to an Envoy without a stream that has not had it', () => {
    expect(plain(assignOwners(codec, [carrier('a', { connected: false })], none))).toEqual({});
  });

  test('takes it from an Envoy that is not there for it any more', () => {
    const before = assignOwners(codec, [carrier('a'), carrier('b')], none);
    const carriers = [carrier('a', { services: new Set([]) }), carrier('b')];
    expect(plain(assignOwners(codec, carriers, before))).toEqual({ codec: 'b' });
  });

  test('prefers the Envoy that holds it, and gives nothing else to those that wait', () => {
    const holder = carrier('b', { holds: names('codec'), waits: true });
    expect(plain(assignOwners(codec, [carrier('a'), holder], none))).toEqual({ codec: 'b' });
    expect(plain(assignOwners(codec, [carrier('a', { waits: true })], none))).toEqual({});
  });

  test('a service under a new name stays with its owner, and so does what is left of the old one', () => {
    const before: Ownership = new Map([['codec' as ServiceName, node('b')]]);
    const renamed = {
      ...owned(limitedService('audio')),
      retiring: [{ service: limitedService('codec'), heir: 'audio' as ServiceName }],
    };
    const after = assignOwners(renamed, [carrier('a'), carrier('b')], before);
    expect(plain(after)).toEqual({ audio: 'b', codec: 'b' });
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
          const carriers = present.map(([id, more]) => carrier(id, more));
          const before = owners;
          owners = assignOwners(both, carriers, before);
          for (const { service } of both.services) {
            const getIt = carriers.filter((one) => !absentFrom(one, both, owners).has(service.name));
            expect(getIt.length).toBeLessThanOrEqual(1);
            const last = carriers.find(({ id }) => id === before.get(service.name));
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
    const owners = assignOwners(all, [carrier('a'), carrier('b')], none);
    expect([...absentFrom(carrier('a'), all, owners)]).toEqual([]);
    expect([...absentFrom(carrier('b'), all, owners)]).toEqual(['codec']);
    expect([...absentFrom(carrier('c', { services: new Set(['codec']) }), all, owners)]).toEqual(['codec', 'web']);
  });
});
