import { describe, expect, it } from 'vitest';
import { parsed, said, withRoutes } from './kit.ts';

const withHeaders = (headers: string) => withRoutes(`match: {path: /}, headers: ${headers}`);

describe('changes of headers', () => {
  it('are read for requests and answers', () => {
    const text = '{request: {set: {X-A: "1"}, add: {b: 50%}, remove: [X-C]}, response: {remove: [server]}}';
    expect(parsed(withHeaders(text)).routing.routes[0]).toMatchObject({
      requestHeaders: { set: [{ name: 'x-a', value: '1' }], add: [{ name: 'b', value: '50%' }], remove: ['x-c'] },
      responseHeaders: { set: [], add: [], remove: ['server'] },
    });
  });

  const place = 'routes[0].headers.request';
  it.each([
    ['set: {host: a}', `${place}.set.host: host stays what the client asked for; remove it`],
    ['set: {":path": /a}', `${place}.set[":path"]: :path is no header; write rewrite, or remove it`],
    ['set: {":authority": a}', `${place}.set[":authority"]: :authority is no header; remove it`],
    [
      'add: {X-Sluice-Kick: 1}',
      `${place}.add.X-Sluice-Kick: x-sluice-kick is internal, and taken off every request that comes in; use another header`,
    ],
    [
      'add: {x-envoy-max-retries: 1}',
      `${place}.add.x-envoy-max-retries: x-envoy-max-retries is internal, and taken off every request that comes in; use another header`,
    ],
    [
      'remove: [x-request-id]',
      `${place}.remove: x-request-id is how Envoy and Sluice know a request; use another header`,
    ],
    ['remove: [connection]', `${place}.remove: connection is about a connection, which is Envoy's own; remove it`],
    [
      'set: {Transfer-Encoding: x}',
      `${place}.set.Transfer-Encoding: transfer-encoding is about a connection, which is Envoy's own; remove it`,
    ],
    ['set: {"a b": c}', `${place}.set["a b"]: not a name of a header: "a b"; write one such as x-tenant`],
    [
      'set: {a: " b"}',
      `${place}.set.a: not a value of a header: " b"; write text without control characters and outer spaces, or the name of the header under remove`,
    ],
    [
      'set: {a: b}, add: {A: c}',
      `${place}.add.A: a is changed in ${place}.set.a on line 4 as well; remove one of the two`,
    ],
    ['remove: []', `${place}.remove: is an empty list; name a header, or remove the key`],
    ['append: {a: b}', `${place}.append: unknown key "append"; write add`],
  ])('refuses %s', (changes, line) => {
    expect(said(withHeaders(`{request: {${changes}}}`))).toEqual([line]);
  });

  it('says where they belong', () => {
    expect(said(withHeaders('{set: {a: b}}'))).toEqual([
      'routes[0].headers.set: unknown key "set"; write it under request (what pods get) or response (what clients get)',
    ]);
  });
});

describe('conditions on the query', () => {
  it('are exact values as sent, or presence', () => {
    const { routes } = parsed(
      withRoutes('match: {path: /, query: {model: large, Debug: true, "a%20b": "1=2"}}'),
    ).routing;
    expect(routes[0]?.match.query).toEqual([
      { name: 'model', value: { kind: 'exact', text: 'large' } },
      { name: 'Debug', value: { kind: 'present' } },
      { name: 'a%20b', value: { kind: 'exact', text: '1=2' } },
    ]);
  });

  it.each([
    [
      'a: "x y"',
      'routes[0].match.query.a: a value with characters that requests send percent-encoded: "x y"; write x%20y',
    ],
    [
      'a: x&y',
      'routes[0].match.query.a: a value with characters that requests send percent-encoded: "x&y"; write x%26y',
    ],
    [
      '"ä": b',
      'routes[0].match.query["ä"]: a name with characters that requests send percent-encoded: "ä"; write %C3%A4',
    ],
    [
      'a: false',
      'routes[0].match.query.a: false is no condition; write true for a parameter with any value, or "false" in quotes for that value; there is no condition for absence',
    ],
  ])('refuses %s', (query, line) => {
    expect(said(withRoutes(`match: {path: /, query: {${query}}}`))).toEqual([line]);
  });

  it('tell routes apart', () => {
    const route = (query: string) => `match: {path: /a, query: {${query}}}`;
    expect(said(withRoutes(route('a: "1"'), route('a: "2"'), 'match: {path: /a}'))).toEqual([]);
    expect(said(withRoutes(route('a: true'), route('a: "2"')))).toEqual([
      'routes[1].match: never used: routes[0] on line 4 comes first and takes all of its requests; move it above line 4, or remove it',
    ]);
  });
});
