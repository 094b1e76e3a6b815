import { describe, expect, it } from 'vitest';
import { merge } from '../../../src/model/merge.ts';
import { formatProblem } from '../../../src/model/problem.ts';
import {
  kubernetes,
  listenerName,
  listenerOf,
  matchOf,
  originOf,
  partOf,
  routeOf,
  serviceName,
  serviceOf,
} from './routing-parts.ts';

const to = (service: string) => [{ kind: 'service', service: serviceName(service), weight: 1 } as const];

describe('merge', () => {
  it('leaves one part as it is', () => {
    const part = partOf('route file', {
      listeners: [listenerOf('public')],
      services: [serviceOf('codec', kubernetes('codec'), 2)],
      routes: [routeOf('routes[1]', { backends: to('codec') }), routeOf('routes[0]', { backends: to('codec') })],
    });
    const { routing, problems } = merge([part]);
    expect(routing).toEqual({ listeners: part.listeners, services: part.services, routes: part.routes });
    expect(routing.routes[0]).toBe(part.routes[0]);
    expect(problems).toEqual([]);
  });

  it('makes one service of all that lead to the same pods, with the settings of whoever says some', () => {
    const file = partOf('route file', {
      services: [serviceOf('codec', kubernetes('codec', 'http'), 2)],
      routes: [routeOf('routes[0]', { backends: to('codec') })],
    });
    const objects = partOf('Gateway API', {
      services: [serviceOf('ai/codec/80', kubernetes('codec')), serviceOf('ai/web/80', kubernetes('web'))],
      implied: new Set([serviceName('ai/codec/80'), serviceName('ai/web/80')]),
      routes: [
        routeOf('r', {
          backends: [...to('ai/codec/80'), ...to('ai/web/80')],
          mirrors: [{ service: serviceName('ai/codec/80'), perMillion: 1 }],
        }),
      ],
    });
    const byNumber = () => kubernetes('codec', 80);
    const { routing, problems } = merge([objects, file], (locator) =>
      locator.kind === 'kubernetes' && locator.port.port === 'http' ? byNumber() : locator,
    );
    expect(routing.services.map(({ name, discipline }) => [name, discipline.kind])).toEqual([
      ['ai/web/80', 'balanced'],
      ['codec', 'limited'],
    ]);
    expect(routing.routes.find(({ name }) => name === 'r')).toMatchObject({
      backends: [{ service: 'codec' }, { service: 'ai/web/80' }],
      mirrors: [{ service: 'codec' }],
    });
    expect(problems).toEqual([]);
  });

  it('tells of different settings at both, and keeps those of the first part', () => {
    const file = partOf('route file', { services: [serviceOf('codec', kubernetes('codec'), 2)] });
    const objects = partOf('Gateway API', { services: [serviceOf('ai/codec/80', kubernetes('codec'), 3)] });
    const { routing, problems } = merge([file, objects]);
    expect(routing.services).toEqual(file.services);
    expect(problems.map(({ subject }) => subject)).toEqual(['service ai/codec/80', 'service codec']);
    expect(problems.map(formatProblem)[0]).toBe(
      'service ai/codec/80: warning: ai/codec/80 of the Gateway API and codec of the route file have the same pods and ' +
        'other settings; those of the route file count; say it in one of the two only, or the same in both',
    );
    const same = partOf('Gateway API', { services: [serviceOf('ai/codec/80', kubernetes('codec'), 2)] });
    expect(merge([file, same]).problems).toEqual([]);
  });

  it('shares an address, port and host name, and refuses TLS where there is none', () => {
    const certificate = (name: string) => ({ kind: 'inline', name, cert: 'c', key: 'k' }) as const;
    const tls = (...names: readonly string[]) => ({ tls: { certificates: names.map(certificate) } });
    const first = partOf('route file', {
      listeners: [listenerOf('public'), listenerOf('safe', { port: 443, ...tls('a') })],
    });
    const second = partOf('Ingress', {
      listeners: [
        listenerOf('i80'),
        listenerOf('i443', { port: 443, ...tls('a', 'b') }),
        listenerOf('host', { hostname: 'x.y' }),
        listenerOf('bad', { ...tls('a'), origin: { kind: 'Gateway', namespace: 'n', name: 'g', created: 1 } }),
      ],
      routes: [
        routeOf('both', { listeners: [listenerName('i80'), listenerName('bad'), listenerName('host')] }),
        routeOf('none', { listeners: [listenerName('bad')] }),
      ],
    });
    const { routing, problems, refused } = merge([first, second]);
    expect(routing.listeners.map(({ name }) => name)).toEqual(['public', 'host', 'safe']);
    expect(routing.listeners[2]?.tls?.certificates.map((one) => one.kind === 'inline' && one.name)).toEqual(['a', 'b']);
    expect(routing.routes.map(({ name, listeners }) => [name, listeners])).toEqual([['both', ['public', 'host']]]);
    expect([...refused]).toEqual(['bad']);
    expect(problems.map(formatProblem)).toEqual([
      'Gateway n/g: wants TLS at 127.0.0.1:80, where the route file has plain HTTP; it is not served there; give one of them another port',
      'the route file: warning: Gateway n/g wants TLS at 127.0.0.1:80 as well, which is refused; give one of them another port',
    ]);
  });

  it('sorts routes of all parts by what is tried first', () => {
    const hosts = ['a.example'];
    const exact = { kind: 'exact', path: '/x' } as const;
    const file = partOf('route file', {
      routes: [routeOf('file /', {}), routeOf('file /x', { match: matchOf({ path: exact }) })],
    });
    const objects = partOf('Gateway API', {
      routes: [
        routeOf('young', { origin: originOf('a', 2), match: matchOf({ hosts }) }),
        routeOf('old', { origin: originOf('b', 1), match: matchOf({ hosts }) }),
        routeOf('/x', { origin: originOf('c', 0), match: matchOf({ path: exact }) }),
      ],
    });
    const { routes } = merge([file, objects]).routing;
    expect(routes.map(({ name }) => name)).toEqual(['old', 'young', 'file /x', '/x', 'file /']);
  });

  it('keeps what every part complains of', () => {
    const problem = { severity: 'error', subject: 's', message: 'm' } as const;
    expect(merge([partOf('a', { problems: [problem] }), partOf('b')]).problems).toEqual([problem]);
  });
});
