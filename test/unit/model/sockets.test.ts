import { describe, expect, it } from 'vitest';
import type { Listener } from '../../../src/model/listener.ts';
import type { Route } from '../../../src/model/route.ts';
import {
  routesByListener,
  socketsOf,
  type VirtualHost,
  virtualHosts,
  virtualHostsOver,
} from '../../../src/model/sockets.ts';
import { listenerName, listenerOf, matchOf, originOf, routeOf } from './routing-parts.ts';

const at = (name: string, listeners: readonly string[], hosts: readonly string[] = []) =>
  routeOf(name, { listeners: listeners.map(listenerName), match: matchOf({ hosts }) });

function tableOf(
  listeners: readonly Listener[],
  routes: readonly Route[],
): Readonly<Record<string, readonly string[]>> {
  const [socket] = socketsOf(listeners);
  if (socket === undefined) throw new Error('no socket');
  return tell(virtualHosts(socket, routesByListener(routes)));
}

function tell(hosts: readonly VirtualHost[]): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    hosts.map(({ host, routes }) => [host, routes?.map(({ name }) => name) ?? ['misdirected']]),
  );
}

describe('socketsOf', () => {
  it('gathers listeners by address and port, and calls the one of the route file public', () => {
    const sockets = socketsOf([
      listenerOf('a', { hostname: 'a' }),
      listenerOf('public'),
      listenerOf('b', { port: 81 }),
      listenerOf('c', { address: '::1' }),
    ]);
    expect(sockets.map(({ name, listeners }) => [name, listeners.map((one) => one.name)])).toEqual([
      ['public', ['a', 'public']],
      ['127.0.0.1:81', ['b']],
      ['[::1]:80', ['c']],
    ]);
  });
});

describe('virtualHosts', () => {
  it('gives each host all routes that take it, the most specific first', () => {
    const routes = [at('any', ['l']), at('wild', ['l'], ['*.x.y']), at('exact', ['l'], ['a.x.y', 'q'])];
    expect(tableOf([listenerOf('l')], routes)).toEqual({
      '*': ['any'],
      '*.x.y': ['wild', 'any'],
      'a.x.y': ['exact', 'wild', 'any'],
      q: ['exact', 'any'],
    });
  });

  it('keeps requests at the listener that is meant for their host, with and without routes there', () => {
    const listeners = [
      listenerOf('any'),
      listenerOf('wild', { hostname: '*.x.y' }),
      listenerOf('exact', { hostname: 'a.x.y' }),
      listenerOf('empty', { hostname: 'e.x.y' }),
    ];
    const routes = [
      at('everywhere', ['any', 'wild']),
      at('narrowed', ['wild'], ['b.x.y', 'elsewhere']),
      at('any only', ['any'], ['a.x.y', 'c.x.y', 'z']),
      at('exact only', ['exact']),
    ];
    expect(tableOf(listeners, routes)).toEqual({
      '*': ['everywhere'],
      '*.x.y': ['everywhere'],
      'a.x.y': ['exact only'],
      'b.x.y': ['narrowed', 'everywhere'],
      'c.x.y': ['everywhere'],
      'e.x.y': [],
      z: ['any only', 'everywhere'],
    });
  });

  it('sorts equals by age', () => {
    const [old, young] = [originOf('a', 1), originOf('b', 2)].map((origin) => routeOf(origin.name, { origin }));
    if (old === undefined || young === undefined) throw new Error('two routes');
    expect(tableOf([listenerOf('l')], [young, old])).toEqual({ '*': ['a', 'b'] });
  });
});

describe('virtualHostsOver', () => {
  it('calls hosts of other listeners misdirected', () => {
    const tls = { tls: { certificates: [] } };
    const listeners = [
      listenerOf('any', tls),
      listenerOf('a', { ...tls, hostname: 'a.x' }),
      listenerOf('wild', { ...tls, hostname: '*.x' }),
    ];
    const [socket] = socketsOf(listeners);
    if (socket === undefined) throw new Error('no socket');
    const routes = routesByListener([at('r', ['any', 'a', 'wild'])]);
    expect(listeners.map((own) => tell(virtualHostsOver(own, socket, routes)))).toEqual([
      { '*': ['r'], '*.x': ['misdirected'], 'a.x': ['misdirected'] },
      { '*': ['misdirected'], '*.x': ['misdirected'], 'a.x': ['r'] },
      { '*': ['misdirected'], '*.x': ['r'], 'a.x': ['misdirected'] },
    ]);
  });
});
