import { describe, expect, it } from 'vitest';
import { told, withRoutes, withService } from './kit.ts';

/** A good file, of which each case spoils one thing. */
const GOOD = `version: 1
listen: {port: 8080}
services:
  codec:
    static: [127.0.0.1:9001]
    limit: 2
routes:
  - match: {prefix: /}
    service: codec
`;

const without = (written: string, instead: string) => told(GOOD.replace(written, instead));

describe('characters that are not what they look like', () => {
  it.each([
    ['limit: 2', 'limit\uff1a 2', '6:5: a key without a value; in column 10 is a full-width colon (U+FF1A): write ":"'],
    [
      '[127.0.0.1:9001]',
      '[127.0.0.1:9001\uff0c127.0.0.1:9002]',
      '5:14: services.codec.static[0]: not an IP address and port: "127.0.0.1:9001\uff0c127.0.0.1:9002"; in column 28 is a full-width comma (U+FF0C): write ","',
    ],
    [
      'limit: 2',
      'limit:\u00a02',
      '6:5: a key without a value; in column 11 is a no-break space (U+00A0): write a plain space',
    ],
    [
      '    limit: 2',
      '\u00a0\u00a0\u00a0\u00a0limit: 2',
      '6:1: ["\u00a0\u00a0\u00a0\u00a0limit"]: unknown key "\u00a0\u00a0\u00a0\u00a0limit"; in column 1 is a no-break space (U+00A0): write a plain space',
    ],
    [
      'service: codec',
      'service: \u201ccodec\u201d',
      '9:14: routes[0].service: there is no service "\u201ccodec\u201d"; in column 14 is a curly quotation mark (U+201C): write a straight one',
    ],
    ['  - match', '  \u2013 match', 'in column 3 is an en dash (U+2013): write "-"'],
    ['service: codec\n', 'service: codec\n\0', '10:1: a key without a value; in column 1 is a control character'],
    [
      'limit: 2',
      'limit: \uff12',
      '6:12: services.codec.limit: must be a whole number from 1 to 10,000, not "\uff12"; in column 12 is a full-width digit (U+FF12): write "2"',
    ],
  ])('%j as %j', (written, instead, line) => {
    const [first, ...others] = without(written, instead);
    expect(first).toContain(line);
    expect(others).toEqual([]);
  });

  it('a byte order mark after the beginning', () => {
    expect(told(`---\n\ufeff${GOOD}`)).toEqual([
      '2:1: version: is missing; in column 1 is a byte order mark (U+FEFF): remove it',
    ]);
  });

  it('are left alone in comments, and in good values', () => {
    expect(told(`# \uff1a\u00a0\n${GOOD}`)).toEqual([]);
    expect(told(withRoutes('match: {prefix: /, headers: {x-tag: "a\uff0cb"}}'))).toEqual([]);
  });

  it('are warned of at the edge of a value that is used as it stands', () => {
    expect(told(withRoutes('match: {prefix: /, headers: {x-model: \u201clarge\u201d}}'))).toEqual([
      '4:56: warning: routes[0].match.headers.x-model: a curly quotation mark is part of this value; write it with plain characters',
    ]);
  });
});

describe('shapes that are wrong', () => {
  it('never advise what loses services or routes', () => {
    const lines = [
      without('  codec:\n    static', '  - name: codec\n    static'),
      without('  - match: {prefix: /}\n    service: codec', '  /: codec'),
      told('version: 1\nservices:\nroutes:\n'),
      told('routes:\n'),
      told('routes: {}\n'),
    ].flat();
    expect(lines).toHaveLength(6);
    for (const line of lines) {
      expect(line).not.toMatch(/\{\}|\[\]/);
      expect(line).toMatch(/write (each service under its name|routes: and below it one item for each route): "/);
    }
  });

  it('a single value where a list is meant', () => {
    expect(without('[127.0.0.1:9001]', '127.0.0.1:9001')).toEqual([
      '5:13: services.codec.static: must be a list of addresses and ports, not "127.0.0.1:9001"; write it in brackets: [127.0.0.1:9001]',
    ]);
    expect(without('{prefix: /}', '{prefix: /, methods: "GET, POST"}')[0]).toContain('in brackets: ["GET, POST"]');
    expect(told(withService('static: 10.0.0.1:80,10.0.0.2:80'))[0]).toContain('[10.0.0.1:80, 10.0.0.2:80]');
  });

  it('a misspelt key does not hide what is wrong inside', () => {
    expect(without('services:', 'servises:').concat(without('limit: 2', 'limt: 0'))).toEqual([
      '3:1: servises: unknown key "servises"; write services',
      '6:5: services.codec.limt: unknown key "limt"; write limit',
      '6:11: services.codec.limt: must be a whole number from 1 to 10,000, not 0; remove the route to switch it off',
    ]);
    expect(told(GOOD.replace('services:', 'servises:').replace('limit: 2', 'limit: 0'))).toEqual([
      '3:1: servises: unknown key "servises"; write services',
      '6:12: servises.codec.limit: must be a whole number from 1 to 10,000, not 0; remove the route to switch it off',
    ]);
    expect(told(GOOD.replace('    service: codec', '    servce: kodec'))).toEqual([
      '9:5: routes[0].servce: unknown key "servce"; write service',
      '9:13: routes[0].servce: there is no service "kodec"; write codec',
    ]);
  });

  it('an address that is listed twice is told once', () => {
    expect(without('[127.0.0.1:9001]', '[127.0.0.1:9001, 127.0.0.1:9001]')).toEqual([
      '5:30: services.codec.static[1]: is listed twice (first in services.codec.static[0]); remove one of the two',
    ]);
  });
});

describe('objects in the place of a route file', () => {
  const head = 'apiVersion: v1\nkind: ';
  it.each([
    [`${head}DestinationRule\nspec: {}\n`, 'DestinationRule', 'run `sluice import` on it'],
    [`${head}Ingress\n---\n${head}Ingress\n`, 'Ingress', 'run `sluice import` on it'],
    [`${head}ConfigMap\ndata:\n  config.yaml: |\n    version: 1\n`, 'ConfigMap', 'under data["config.yaml"]'],
    [`${head}Deployment\nspec: {}\n`, 'Deployment', 'name the Service of these pods'],
    [
      `${head}Service\nmetadata: {name: codec, namespace: ai}\n`,
      'Service',
      'kubernetes: {namespace: ai, service: codec, port: ...}',
    ],
    [`${head}Secret\n`, 'Secret', 'begin with "version: 1"'],
  ])('%j', (text, kind, fix) => {
    const lines = told(text);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`1:1: this is a Kubernetes object (${kind}), not a route file; `);
    expect(lines[0]).toContain(fix);
  });

  it('a configuration of Envoy', () => {
    expect(told('static_resources:\n  clusters: []\n')).toEqual([
      '1:1: this is a configuration of Envoy, not a route file; run `sluice import` on it to have its routes as a route file',
    ]);
  });

  it('a template of a chart', () => {
    for (const text of ['limit: {{ .Values.limit }}', 'limit: {{ .Values.limit | default 2 }}', '{{- include "x" . }}'])
      expect(without('limit: 2', text)).toEqual([expect.stringContaining('a template that is not filled in')]);
  });
});

describe('values that mean something else elsewhere', () => {
  it.each([
    ['010', '010 begins with a zero: some programs read it as 8; write 10'],
    ['08', '08 begins with a zero; write 8'],
    ['1e2', 'must be a whole number from 1 to 10,000, not "1e2"; write 100'],
    ['0x10', 'must be a whole number from 1 to 10,000, not "0x10"; write 16'],
    ['$LIMIT', `must be a whole number from 1 to 10,000, not "$LIMIT"; write \${LIMIT} for the variable`],
    [
      'unlimited',
      'must be a whole number from 1 to 10,000, not "unlimited"; remove the key: without a limit pods are balanced, and max_requests bounds them all together',
    ],
    [
      '-1',
      'must be a whole number from 1 to 10,000, not -1; remove the key: without a limit pods are balanced, and max_requests bounds them all together',
    ],
  ])('limit: %s', (written, line) => {
    expect(without('limit: 2', `limit: ${written}`)).toEqual([`6:12: services.codec.limit: ${line}`]);
  });

  it.each([
    [
      '/v1/*',
      '* stands for itself in a path: "/v1/*"; write prefix: /v1/ (for the character itself, regex: "/v1/[*]")',
    ],
    ['/*', '* stands for itself in a path: "/*"; write prefix: / (for the character itself, regex: "/[*]")'],
    ['/v1*', '* stands for itself in a path: "/v1*"; write regex: "/v1.*" (for the character itself, "/v1[*]")'],
    [
      '/a/*/b',
      '* stands for itself in a path: "/a/*/b"; write regex: "/a/[^/]*/b" (for the character itself, "/a/[*]/b")',
    ],
    ['"/users/{id}"', 'a part in braces stands for itself in a path: "/users/{id}"; write regex: "/users/[^/]+"'],
    ['^/v1/', 'this looks like a regular expression: "^/v1/"; write it as regex: "/v1/"'],
    ['"/v[0-9]+"', 'this looks like a regular expression: "/v[0-9]+"; write it as regex: "/v[0-9]+"'],
    ['/v1/.*', 'this looks like a regular expression: "/v1/.*"; write it as regex: "/v1/.*"'],
    ["'/v1/\\w+'", 'this looks like a regular expression: "/v1/\\\\w+"; write it as regex: \'/v1/\\w+\''],
  ])('prefix: %s', (written, line) => {
    expect(without('{prefix: /}', `{prefix: ${written}}`)).toEqual([`8:21: routes[0].match.prefix: ${line}`]);
  });

  it.each([
    ['1d', '24h'],
    ['30min', '30m'],
    ['30 s', '30s'],
    ['PT30S', '30s'],
    ['P1DT2H', '24h2h'],
    ['90 seconds', '90s'],
    ['never', '0 for none'],
    ['3600', '3600s'],
    ['soon', 'one like 250ms, 30s, 5m, 3h or 0'],
  ])('timeout: %s', (written, meant) => {
    expect(without('limit: 2', `limit: 2\n    timeout: {request: ${written}}`)).toEqual([
      `7:24: services.codec.timeout.request: not a duration: "${written}"; write ${meant}`,
    ]);
  });

  it.each([
    ['"::1:9002"', '"::1:9002"; write IPv6 addresses in brackets: "[::1]:9002"'],
    ['"fd00::1"', '"fd00::1"; write the port as well: "[fd00::1]:8080"'],
    ['localhost:9001', '"localhost:9001"; static takes IP addresses: write 127.0.0.1:9001'],
    [
      'codec.media:9001',
      '"codec.media:9001"; static takes IP addresses: write dns: {host: codec.media, port: 9001} instead of static, and its addresses are followed',
    ],
    ['"http://10.0.0.1:80/"', '"http://10.0.0.1:80/"; write 10.0.0.1:80, the address and port alone'],
  ])('static: %s', (written, line) => {
    expect(without('127.0.0.1:9001', written)).toEqual([
      `5:14: services.codec.static[0]: not an IP address and port: ${line}`,
    ]);
  });

  it('IPv6 as an item of its own', () => {
    expect(without('[127.0.0.1:9001]', '\n      - [::1]:9001')).toEqual([
      '6:14: a text that begins with "["; write it in quotes: "[::1]:9001"',
    ]);
  });

  it('line ends of CR alone', () => {
    expect(told(GOOD.replaceAll('\n', '\r'))).toEqual([
      '1:1: its lines end with CR alone, and YAML sees one line; save it with LF (Unix) or CRLF line ends',
    ]);
  });

  it('a block of text is a value without the line break at its end', () => {
    expect(without('service: codec', 'service: >\n      codec')).toEqual([]);
    expect(without('{prefix: /}', '\n      prefix: |\n        /')).toEqual([]);
  });
});
