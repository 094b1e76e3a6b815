import { expect, test } from 'vitest';
import type { Service } from '../../../src/model/service.ts';
import { gateLimit } from '../../../src/slots/gate-limit.ts';
import { limitedService, pod } from './services.ts';

test('every ready pod brings its limit', () => {
  expect(gateLimit(limitedService('a', 3), [pod(1), pod(2)], () => 0)).toEqual({ slots: 6, pending: 10 });
});

test('a ready pod brings its limit however much it works', () => {
  expect(gateLimit(limitedService('a', 3), [pod(1)], () => 2)?.slots).toBe(3);
});

test('a draining pod brings a slot for each request that still runs there', () => {
  expect(gateLimit(limitedService('a', 3), [pod(1), pod(2, 'draining')], () => 2)?.slots).toBe(5);
});

test('a draining pod never brings more than its limit', () => {
  expect(gateLimit(limitedService('a', 3), [pod(2, 'draining')], () => 9)?.slots).toBe(3);
});

test('no pods, no slots', () => {
  expect(gateLimit(limitedService('a'), [], () => 0)?.slots).toBe(0);
});

test('a service without a limit has no gate', () => {
  const service: Service = {
    ...limitedService('a'),
    discipline: { kind: 'balanced', balance: 'random', maxRequests: 1, queueMax: 1, fullStatus: 429 },
  };
  expect(gateLimit(service, [pod(1)], () => 0)).toBeUndefined();
});

test('as many requests as there are slots may come at once, however short the line is', () => {
  expect(gateLimit(limitedService('a', 30), [pod(1), pod(2)], () => 0)).toEqual({ slots: 60, pending: 60 });
});
