import { describe, expect, it } from 'vitest';
import { parsed, said } from './kit.ts';

/** A file whose only route has these keys. */
const withRoute = (keys: string) => `version: 1\nroutes:\n  - {${keys}}\n`;

const only = (keys: string) => parsed(withRoute(keys)).routing.routes[0];

describe('redirects', () => {
  it('say what differs from what was asked', () => {
    expect(only('match: {path: /a}, redirect: {scheme: https}')).toMatchObject({
      kind: 'redirect',
      redirect: { scheme: 'https', status: 302 },
    });
    const all = 'redirect: {scheme: http, host: b.example, port: 81, prefix: /v2/, status: 308}';
    expect(only(`match: {prefix: /v1/}, ${all}`)).toMatchObject({
      redirect: {
        scheme: 'http',
        host: 'b.example',
        port: 81,
        path: { kind: 'prefix', prefix: '/v2/' },
        status: 308,
      },
    });
    expect(only('match: {regex: /a+}, redirect: {path: /b}')).toMatchObject({
      redirect: { path: { kind: 'whole', path: '/b' } },
    });
  });

  it('need no service', () => {
    expect(said(withRoute('match: {path: /a}, redirect: {path: /b}'))).toEqual([]);
  });

  it('may lead a POST back to itself as a GET', () => {
    expect(said(withRoute('match: {path: /a, methods: [POST]}, redirect: {path: /a, status: 303}'))).toEqual([]);
  });

  const nowhere = 'routes[0].redirect: leads to where the request came from; write scheme, host, port, path or prefix';
  const circle = 'leads back to this route, so clients would follow it in a circle; write another path, or a host';
  const noPod = 'no pod gets a request that is redirected; remove it';
  it.each([
    ['match: {path: /a}, redirect: {}', nowhere],
    ['match: {path: /a}, redirect: {status: 301}', nowhere],
    ['match: {path: /a}, redirect: {path: /a}', `routes[0].redirect.path: ${circle}`],
    ['match: {prefix: /a}, redirect: {prefix: /a}', `routes[0].redirect.prefix: ${circle}`],
    [
      'match: {path: /a}, redirect: {prefix: /b}',
      'routes[0].redirect.prefix: there is no match.prefix whose place it could take; write path, or match by prefix',
    ],
    ['match: {prefix: /a/}, redirect: {prefix: /b}', 'routes[0].redirect.prefix: would turn /a/x into /bx; write /b/'],
    [
      'match: {prefix: /a}, redirect: {path: /b, prefix: /c}',
      'routes[0].redirect.prefix: only one of path and prefix may be there, and path is on line 3; remove one of the two',
    ],
    [
      'match: {path: /a}, redirect: {path: /b, status: 200}',
      'routes[0].redirect.status: 200 is no status of a redirect; write 301 (for good), 302 (for now), 303 (GET it there), or 307 or 308 (with the same method)',
    ],
    ['match: {path: /a}, redirect: {uri: /b, path: /c}', 'routes[0].redirect.uri: unknown key "uri"; write path'],
    ['match: {path: /a}', 'routes[0]: needs one of service or redirect; write one of them'],
    [
      'match: {path: /a}, redirect: {path: /b}, rewrite: {prefix: /c}, timeout: {request: 1s}, headers: {request: {remove: [a]}}',
      `routes[0].rewrite: ${noPod}`,
      `routes[0].timeout: ${noPod}`,
      `routes[0].headers.request: ${noPod}`,
    ],
  ])('refuses %s', (keys, ...lines) => {
    expect(said(withRoute(keys))).toEqual(lines);
  });

  it('excludes a service', () => {
    const text = `${withRoute('match: {path: /a}, service: s, redirect: {path: /b}')}services: {s: {static: []}}\n`;
    expect(said(text)).toEqual([
      'routes[0].redirect: only one of service and redirect may be there, and service is on line 3; remove one of the two',
    ]);
  });
});
