import { RE2 } from 're2-wasm';
import { describe, expect, it } from 'vitest';
import type { Result } from '../../../../src/base/result.ts';
import { checkDnsHost, checkPodAddress, checkRequestHost, normalizeIp } from '../../../../src/routes/file/address.ts';
import { checkLabel, checkPortName, checkServiceName } from '../../../../src/routes/file/names.ts';
import { nearest } from '../../../../src/routes/file/nearest.ts';
import { checkPath } from '../../../../src/routes/file/path.ts';
import { checkRegex } from '../../../../src/routes/file/regex.ts';
import type { Complaint } from '../../../../src/routes/file/report.ts';

/** The value, or what to write instead. */
const outcome = (result: Result<unknown, Complaint>) =>
  result.ok ? result.value : result.errors.map(({ fix }) => fix);

describe('checkPath', () => {
  it.each(['/', '/a', '/a/', '/a/b.c', '/~u/%C3%BC', '/a:b@c;d=e', '/...', '/.well-known/x'])('takes %s', (path) => {
    expect(outcome(checkPath(path))).toBe(path);
  });

  it.each([
    ['a', 'write /a'],
    ['/a?b#c', 'write /a; any query matches'],
    ['/a#b', 'write /a; any query matches'],
    ['/a b', 'write /a%20b'],
    ['/a/{id}', 'write /a/%7Bid%7D'],
    ['/a[1]', 'write /a%5B1%5D'],
    ['/100%', 'write /100%25'],
    ['/a/./b', 'write /a/b'],
    ['/a/..', 'write /'],
    ['//a', 'write /a'],
    ['https://x.example/a?b', 'write /a; hosts go under match.hosts'],
    ['a//../%C3%BC?', 'write /a/%C3%BC'],
    ['/\ud800', 'write /%EF%BF%BD'],
  ])('says of %j: %s', (path, fix) => {
    expect(outcome(checkPath(path))).toEqual([fix]);
    const better = /^write ([^;]*)/.exec(fix)?.[1] ?? '';
    expect(checkPath(better).ok).toBe(true);
  });
});

describe('checkRegex', () => {
  it.each(['/v[0-9]+', '^/a$', '/(?P<x>a)', '(?i)/a', '/[[:alpha:]]+', '/\\d{2,5}', '/a/.*|b', '.*', '/\\\\u'])(
    'takes %s',
    (regex) => {
      expect(outcome(checkRegex(regex))).toBe(regex);
    },
  );

  it.each([
    ['/a(?!b)', 'RE2 has no look-around: write what the path has, and use several routes for what it has not'],
    ['/(?<=a)b', 'RE2 has no look-around: write what the path has, and use several routes for what it has not'],
    ['/(a)\\1', 'RE2 has no backreferences: write the text out'],
    ['/(?>a)', 'RE2 has no atomic groups: write (?:...)'],
    ['/(a', 'close the group with )'],
    ['/a)', 'open the group with (, or write \\) for the character'],
    ['/[a', 'close the class with ], or write \\[ for the character'],
    ['/a**', 'write one of * + ? {n}, or put a backslash before the character itself'],
    ['/a{1001}', 'repeat at most 1000 times'],
    ['/\\y', 'write the character itself, or \\\\ for a backslash'],
    ['/\\u0041', 'write \\x{41} for a character by its number'],
    ['/(?P<a-b>c)', 'name groups with letters, digits and _: (?P<name>...)'],
    ['v1/.*', 'write /v1/.*'],
  ])('says of %s: %s', (regex, fix) => {
    expect(outcome(checkRegex(regex))).toEqual([fix]);
    expect(outcome(checkRegex(regex))).toEqual([fix]);
  });

  it('is what RE2 itself says', () => {
    expect(() => new RE2('/a(?!b)', 'u')).toThrow(/\(\?!/);
  });
});

describe('addresses', () => {
  it.each([
    ['10.0.0.1:80', { ip: '10.0.0.1', port: 80 }],
    ['[FD00:0:0::1]:65535', { ip: 'fd00::1', port: 65_535 }],
    ['10.0.0.1:0', ['write a port from 1 to 65535']],
    ['10.0.0.1:65536', ['write a port from 1 to 65535']],
    ['10.0.0.1', ['write the port as well: "10.0.0.1:8080"']],
    ['fd00::1', ['write the port as well: "[fd00::1]:8080"']],
    [
      'http://codec.example:80/',
      [
        'static takes IP addresses: write dns: {host: codec.example, port: 80} instead of static, and its addresses are followed',
      ],
    ],
    [
      'codec',
      [
        'static takes IP addresses: write dns: {host: codec, port: 8080} instead of static, and its addresses are followed',
      ],
    ],
    ['1.2.3:80', ['write one such as 10.0.0.1:8080 or "[fd00::1]:8080"']],
    ['010.0.0.1:80', ['write one such as 10.0.0.1:8080 or "[fd00::1]:8080"']],
    ['[fe80::1%eth0]:80', ['write one such as 10.0.0.1:8080 or "[fd00::1]:8080"']],
  ])('of a pod: %s', (text, expected) => {
    expect(outcome(checkPodAddress(text))).toEqual(expected);
  });

  it.each([
    ['infer.example', 'infer.example'],
    ['*.infer.example', '*.infer.example'],
    ['10.0.0.1', '10.0.0.1'],
    ['[FD00::1]', '[fd00::1]'],
    ['fd00::1', ['write IPv6 in brackets: "[fd00::1]"']],
    ['Infer.Example', ['write infer.example']],
    ['infer.example:80', ['write infer.example, the name alone']],
    ['https://infer.example/x', ['write infer.example, the name alone']],
    ['bücher.example', ['write xn--bcher-kva.example']],
    ['*', ['leave hosts out: then every host is taken']],
    ['*x.example', ['write a name such as infer.example or "*.infer.example"']],
    ['a..b', ['write a name such as infer.example or "*.infer.example"']],
    [`${'a'.repeat(64)}.example`, ['write a name such as infer.example or "*.infer.example"']],
  ])('of a request: %s', (text, expected) => {
    expect(outcome(checkRequestHost(text))).toEqual(expected);
  });

  it.each([
    ['codec.media.svc.cluster.local', 'codec.media.svc.cluster.local'],
    ['fd00::1', ['write static: ["[fd00::1]:8080"] instead of dns']],
    ['codec:80', ['write codec, the name alone']],
  ])('of DNS: %s', (text, expected) => {
    expect(outcome(checkDnsHost(text))).toEqual(expected);
  });

  it('has one form for each IP address', () => {
    expect(normalizeIp('0:0:0:0:0:ffff:10.0.0.1')).toBe(normalizeIp('::FFFF:a00:1'));
    expect(normalizeIp('::1%lo')).toBeUndefined();
  });
});

describe('names', () => {
  it.each([
    [checkLabel, 'yt-server-video-codec', true],
    [checkLabel, 'a.b', false],
    [checkLabel, 'a'.repeat(64), false],
    [checkPortName, 'http-alt', true],
    [checkPortName, '80', false],
    [checkPortName, 'a'.repeat(16), false],
    [checkServiceName, 'media.codec_2', true],
    [checkServiceName, '.a', false],
    [checkServiceName, 'gate/a', false],
    [checkServiceName, 'a'.repeat(64), false],
  ])('%o of %s: %s', (check, text, ok) => {
    expect(check(text).ok).toBe(ok);
  });
});

describe('nearest', () => {
  const keys = ['limit', 'protocol', 'max_requests', 'path', 'dns', 'hosts'];
  it.each([
    ['limt', 'limit'],
    ['Limits', 'limit'],
    ['ilmit', 'limit'],
    ['maxRequests', 'max_requests'],
    ['host', 'hosts'],
    ['dsn', 'dns'],
    ['colour', undefined],
    ['x', undefined],
    ['', undefined],
  ])('takes %j for %s', (typed, meant) => {
    expect(nearest(typed, keys)).toBe(meant);
  });
});
