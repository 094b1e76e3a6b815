import { expect, test } from 'vitest';
import { applyOverrides, NO_OVERRIDES, type Overrides } from '../../../src/model/overrides.ts';
import type { ServiceName } from '../../../src/model/service.ts';
import { exampleModel, exampleRouting } from '../status/example.ts';

const { services } = exampleModel(exampleRouting());
// The brand is the parser's; the example's names are good.
const codec = 'codec' as ServiceName;
const order = { by: 'kim', at: 0 };
const drained = (...pods: readonly string[]): Overrides => ({
  ...NO_OVERRIDES,
  drained: new Map(pods.map((pod) => [pod, order])),
});
const paused: Overrides = { ...NO_OVERRIDES, paused: new Map([[codec, order]]) };
const idleOf = (overrides: Overrides) => applyOverrides(services, overrides).map(({ idle }) => idle && [...idle]);

test('no order, nothing new', () => {
  expect(applyOverrides(services, NO_OVERRIDES)).toBe(services);
  expect(applyOverrides(services, drained('10.9.9.9:1'))).toEqual(services);
});

test('a paused service has all its pods idle, a drained pod is idle wherever it is', () => {
  expect(idleOf(paused)).toEqual([['10.0.0.1:80', '10.0.0.2:80', '[fd00::1]:80'], undefined]);
  expect(idleOf(drained('[fd00::1]:80', '127.0.0.1:9000'))).toEqual([['[fd00::1]:80'], ['127.0.0.1:9000']]);
});

test('what has not changed is the same object, and so is the list', () => {
  const first = applyOverrides(services, paused);
  expect(applyOverrides(services, paused, first)).toBe(first);
  const more = applyOverrides(services, { ...paused, drained: drained('127.0.0.1:9000').drained }, first);
  expect(more[0]).toBe(first[0]);
  expect(more[1]).not.toBe(first[1]);
  const [, web] = services;
  const other = services.map((one) => (one === web ? { ...one } : one));
  expect(applyOverrides(other, NO_OVERRIDES, first)).toBe(other);
});
