import { expect, test } from 'vitest';
import type { Model } from '../../../src/model/model.ts';
import type { Pod } from '../../../src/model/pod.ts';
import { isMoving } from '../../../src/slots/is-moving.ts';
import { limitedService, pod } from './services.ts';

function model(pods: readonly Pod[], changes: Partial<Model> = {}): Model {
  const services = [{ service: limitedService('a', 2), pods, gate: { slots: 2, pending: 10 } }];
  return {
    routing: { services: [], routes: [], listen: { address: '127.0.0.1', port: 1 } },
    services,
    retiring: [],
    ...changes,
  };
}

test('something moves while a pod drains or is ejected, or a service retires', () => {
  expect(isMoving(undefined)).toBe(false);
  expect(isMoving(model([pod(1), pod(2)]))).toBe(false);
  expect(isMoving(model([pod(1), pod(2, 'draining')]))).toBe(true);
  expect(isMoving(model([{ ...pod(1), state: 'ejected' }]))).toBe(true);
  const old = { service: limitedService('b'), pods: [], gate: undefined, heir: undefined, since: 1 };
  expect(isMoving(model([pod(1)], { retiring: [old] }))).toBe(true);
});
