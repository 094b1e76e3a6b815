import { describe, expect, test } from 'vitest';
import { millis } from '../../../src/base/duration.ts';
import type { Service, Slots } from '../../../src/model/service.ts';
import { retire } from '../../../src/slots/retire.ts';
import { limitedService, modelOf, pod } from './services.ts';

const service = limitedService('a', 2);
const model = modelOf(service, [pod(1)]);
const retiring = (...services: readonly Service[]) => retire(model, services, 1000);

describe('an edit makes retire', () => {
  test('nothing at first, and nothing when nothing changes that Envoy has to replace', () => {
    expect(retire(undefined, [service], 1000)).toEqual([]);
    expect(retiring(service)).toEqual([]);
    expect(retiring({ ...service, timeout: { ...service.timeout, request: millis(5000) } })).toEqual([]);
  });

  test.each([
    ['limit', limitedService('a', 3)],
    ['connect timeout', { ...service, timeout: { ...service.timeout, connect: millis(1) } }],
    ['health check', { ...service, health: { path: '/', interval: millis(1000) } }],
    ['protocol', { ...service, protocol: 'h2c' as const }],
    ['ejection', { ...service, outlier: { consecutive5xx: 5, eject: millis(1000) } }],
  ])('the pods, but not the line, when the %s changes', (_, edited) => {
    expect(retiring(edited)).toEqual([{ ...model.services[0], gate: undefined, heir: 'a', since: 1000 }]);
  });

  test('everything of a renamed service, and the new name inherits', () => {
    expect(retiring(limitedService('b', 2))).toEqual([{ ...model.services[0], heir: 'b', since: 1000 }]);
  });

  test('everything of a removed service, without an heir', () => {
    const other: Service = { ...limitedService('c'), locator: { kind: 'dns', host: 'c', port: 1 } };
    expect(retiring(other)).toEqual([{ ...model.services[0], heir: undefined, since: 1000 }]);
  });

  test('a service whose limit is taken away: it ends by itself', () => {
    const free: Service = {
      ...service,
      discipline: { kind: 'balanced', balance: 'random', maxRequests: 1, queueMax: 1, fullStatus: 429 },
    };
    expect(retiring(free)).toEqual([{ ...model.services[0], heir: undefined, since: 1000 }]);
  });

  test('what retires already goes on to retire, since when it has, for whoever inherits now', () => {
    const limit = 5 as Slots;
    const old = retiring(limitedService('a', 3));
    const again = retire({ ...modelOf(limitedService('a', 3), []), retiring: old }, [limitedService('a', limit)], 2000);
    expect(again.map(({ since, heir }) => [since, heir])).toEqual([
      [1000, 'a'],
      [2000, 'a'],
    ]);
  });
});
