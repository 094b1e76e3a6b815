import { expect, test } from 'vitest';
import { closedListeners } from '../../../src/control-plane/closed-listeners.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { listenerOf } from '../model/routing-parts.ts';

const listeners = [
  listenerOf('a', { address: '10.0.0.1', hostname: 'a.example' }),
  listenerOf('b', { address: '10.0.0.1', hostname: 'b.example' }),
  listenerOf('c', { address: '10.0.0.1', port: 8080 }),
  listenerOf('d', { address: '::1' }),
];

const node = (typeUrl: string, message: string) => [{ node: { id: 'edge' }, types: [{ typeUrl, nack: { message } }] }];

test('all listeners of an address and port that Envoy names are closed, and no others', () => {
  const message =
    "Error adding/updating listener(s) 10.0.0.1:80: cannot bind '10.0.0.1:80': Cannot assign requested address\n" +
    "[::1]:80: cannot bind '[::1]:80': Address already in use\n";
  expect([...closedListeners(node(TYPE_URLS.listener, message), listeners)]).toEqual([
    ['a', "Envoy edge cannot open it: cannot bind '10.0.0.1:80': Cannot assign requested address"],
    ['b', "Envoy edge cannot open it: cannot bind '10.0.0.1:80': Cannot assign requested address"],
    ['d', "Envoy edge cannot open it: cannot bind '[::1]:80': Address already in use"],
  ]);
});

test('what is refused of other types, or not refused any more, closes nothing', () => {
  expect(closedListeners(node(TYPE_URLS.routes, '10.0.0.1:80: bad'), listeners).size).toBe(0);
  expect(closedListeners([{ node: { id: 'edge' }, types: [{ typeUrl: TYPE_URLS.listener }] }], listeners).size).toBe(0);
});
