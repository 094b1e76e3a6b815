import { expect, test } from 'vitest';
import { eventOf, eventsPath, newFaults, toldFault } from '../../../../src/routes/objects/event.ts';

const condition = (type: string, status: string, message = 'm') => ({
  type,
  status,
  reason: 'R',
  message,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});

test('faults are found wherever conditions are, once, and not those that were told before', () => {
  const before = { conditions: [condition('Accepted', 'False', 'old')] };
  const after = {
    addresses: [{ type: 'IPAddress', value: 'x' }],
    conditions: [
      condition('Accepted', 'False', 'old'),
      condition('Programmed', 'False'),
      condition('Accepted', 'True'),
    ],
    listeners: [
      { name: 'l', conditions: [condition('Conflicted', 'True', 'c'), condition('Conflicted', 'False', 'd')] },
    ],
    parents: [{ conditions: [condition('Programmed', 'False')] }],
  };
  expect(newFaults(before, after).map(({ type, message }) => `${type} ${message}`)).toEqual([
    'Programmed m',
    'Conflicted c',
  ]);
  expect(newFaults(after, after)).toEqual([]);
  expect(newFaults(undefined, {})).toEqual([]);
});

test('an Event names the object that it is about, and is called by what it tells', () => {
  const resource = { kind: 'HTTPRoute', group: 'g', version: 'v1', plural: 'httproutes', namespaced: true };
  const object = { metadata: { namespace: 'shop', name: 'r', uid: 'u' } };
  const fault = { type: 'ResolvedRefs', reason: 'BackendNotFound', message: 'x'.repeat(2000) };
  const told = toldFault(resource, object, fault);
  const stamp = { controller: 'c', instance: 'i', time: 't' };
  const event = eventOf(told, stamp);
  expect(event).toMatchObject({
    metadata: { name: expect.stringMatching(/^r\.[0-9a-f]{16}$/), namespace: 'shop' },
    type: 'Warning',
    reason: 'BackendNotFound',
    regarding: { apiVersion: 'g/v1', kind: 'HTTPRoute', namespace: 'shop', name: 'r', uid: 'u' },
  });
  expect(event.note).toHaveLength(1024);
  expect(eventOf(told, { ...stamp, instance: 'j' }).metadata).toEqual(event.metadata);
  expect(eventOf({ ...told, note: 'other' }, stamp).metadata).not.toEqual(event.metadata);
  expect(eventsPath(object)).toBe('/apis/events.k8s.io/v1/namespaces/shop/events');
  expect(eventsPath({ metadata: { name: 'class' } })).toBe('/apis/events.k8s.io/v1/namespaces/default/events');
});
