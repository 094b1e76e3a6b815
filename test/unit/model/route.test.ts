import { expect, test } from 'vitest';
import { type Route, routesTo } from '../../../src/model/route.ts';
import type { ServiceName } from '../../../src/model/service.ts';

// What the file is asked for here; whatever else a route says makes no difference.
const match = { hosts: [], path: { kind: 'prefix', prefix: '/' } } as unknown as Route['match'];
const route = (service: string): Route => ({ kind: 'service', match, service: service as ServiceName }) as Route;
const redirect = { kind: 'redirect', match, redirect: {} } as unknown as Route;

test('the routes to a service, in the order of the file, and those of another file', () => {
  const [a1, b, a2] = [route('a'), route('b'), route('a')];
  const file = [a1, redirect, b, a2];
  expect(routesTo('a' as ServiceName, file)).toEqual([a1, a2]);
  expect(routesTo('b' as ServiceName, file)).toEqual([b]);
  expect(routesTo('c' as ServiceName, file)).toEqual([]);
  expect(routesTo('a' as ServiceName, [a2, b])).toEqual([a2]);
});
