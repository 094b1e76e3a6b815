import { describe, expect, test } from 'vitest';
import { candidateNames, parseDnsServer, parseResolvConf } from '../../../../src/endpoints/dns/resolv-conf.ts';

describe('resolv.conf', () => {
  test("a Kubernetes pod's", () => {
    const text = [
      'search ai-media.svc.cluster.local svc.cluster.local cluster.local.',
      'nameserver 10.96.0.10',
      'nameserver fd00::a',
      'options ndots:5 timeout:1',
    ].join('\n');
    expect(parseResolvConf(text)).toEqual({
      ok: true,
      value: {
        servers: ['10.96.0.10', 'fd00::a'],
        search: ['ai-media.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
        ndots: 5,
      },
    });
  });

  test('comments, tabs, the last of search and domain, and ndots of at most 15', () => {
    const text = '# a\n; b\nnameserver\t127.0.0.11 # Docker\nsearch a.test\ndomain b.test c.test\noptions ndots:99\n';
    expect(parseResolvConf(text)).toEqual({
      ok: true,
      value: { servers: ['127.0.0.11'], search: ['b.test'], ndots: 15 },
    });
  });

  test('a nameserver may have a port', () => {
    expect(parseResolvConf('nameserver 10.0.0.10:5353\nnameserver [fd00::a]:53\n')).toMatchObject({
      value: { servers: ['10.0.0.10:5353', '[fd00::a]:53'] },
    });
  });

  test('a dot as search domain means none', () => {
    expect(parseResolvConf('nameserver ::1\nsearch .\n')).toMatchObject({ ok: true, value: { search: [], ndots: 1 } });
  });

  test('no usable nameserver is an error', () => {
    expect(parseResolvConf('nameserver dns.example\nsearch a.test')).toMatchObject({ ok: false });
  });
});

describe('names to look for', () => {
  const kubernetes = { search: ['ns.svc.cluster.local', 'svc.cluster.local'], ndots: 5 };

  test('with fewer dots than ndots the search domains come first', () => {
    expect(candidateNames('codec', kubernetes)).toEqual([
      'codec.ns.svc.cluster.local',
      'codec.svc.cluster.local',
      'codec',
    ]);
    expect(candidateNames('codec.ns.svc.cluster.local', kubernetes).at(-1)).toBe('codec.ns.svc.cluster.local');
  });

  test('with enough dots the name itself comes first', () => {
    expect(candidateNames('a.b', { search: ['x.test'], ndots: 1 })).toEqual(['a.b', 'a.b.x.test']);
    expect(candidateNames('a', { search: ['x.test'], ndots: 0 })).toEqual(['a', 'a.x.test']);
  });

  test('a dot at the end makes it the only one', () => {
    expect(candidateNames('codec.example.', kubernetes)).toEqual(['codec.example']);
  });
});

describe('a DNS server that a user names', () => {
  test.each(['10.96.0.10', '10.96.0.10:5353', 'fd00::a', '[fd00::a]:53'])('%s', (text) => {
    expect(parseDnsServer(text)).toEqual({ ok: true, value: text });
  });

  test.each(['dns.example', '10.96.0.10:0', '10.96.0.10:70000', 'fd00::a:53:x', '[10.0.0.1]:53', '[fd00::a]', ''])(
    'not %j',
    (text) => {
      expect(parseDnsServer(text)).toMatchObject({ ok: false, errors: [expect.stringContaining('10.96.0.10:5353')] });
    },
  );
});
