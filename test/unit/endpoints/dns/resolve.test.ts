import { describe, expect, test } from 'vitest';
import type { Answer } from '../../../../src/endpoints/dns/answers.ts';
import {
  combineFound,
  createHostResolver,
  type Found,
  type SilentFailure,
  search,
} from '../../../../src/endpoints/dns/resolve.ts';
import { DNS_DEFAULTS } from '../../../../src/endpoints/dns/source.ts';

const found: Answer = { kind: 'addresses', ips: ['10.0.0.1'] };
const refused: Answer = { kind: 'failed', reason: 'REFUSED' };
const silent: SilentFailure = { kind: 'failed', reason: 'no answer', silent: true };

async function searched(answers: Record<string, Answer | SilentFailure>, answered?: string) {
  const asked: string[] = [];
  const [answer, name] = await search(Object.keys(answers), answered, async (candidate) => {
    asked.push(candidate);
    return answers[candidate] ?? { kind: 'absent' };
  });
  return { answer, name, asked };
}

describe('the search list', () => {
  test('goes on past names that do not exist, are empty or refused', async () => {
    const result = await searched({ a: { kind: 'absent' }, b: { kind: 'empty' }, c: refused, d: found, e: found });
    expect(result).toEqual({ answer: found, name: 'd', asked: ['a', 'b', 'c', 'd'] });
  });

  test('without addresses a failure weighs more than an empty name, and that more than absent ones', async () => {
    const absent: Answer = { kind: 'absent' };
    expect((await searched({ a: absent, b: refused, c: { kind: 'empty' } })).answer).toEqual(refused);
    expect((await searched({ a: absent, b: { kind: 'empty' }, c: absent })).answer).toEqual({ kind: 'empty' });
    expect((await searched({ a: absent, b: absent })).answer).toEqual(absent);
  });

  test('ends at a server that is silent', async () => {
    const result = await searched({ a: silent, b: found });
    expect(result).toEqual({ answer: { kind: 'failed', reason: 'no answer' }, name: undefined, asked: ['a'] });
  });

  test('begins with the name that answered before', async () => {
    expect((await searched({ a: found, b: found }, 'b')).asked).toEqual(['b']);
    expect((await searched({ a: found, b: { kind: 'absent' } }, 'b')).asked).toEqual(['b', 'a']);
  });

  test('never takes another name because the known one failed', async () => {
    const result = await searched({ a: found, b: refused }, 'b');
    expect(result).toMatchObject({ answer: refused, asked: ['b'] });
  });
});

describe('whom to ask', () => {
  test('a missing resolv.conf is a failed answer that names it', async () => {
    const resolver = createHostResolver('a.test', { ...DNS_DEFAULTS, resolvConf: '/nonexistent/resolv.conf' });
    expect(await resolver.ask()).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('/nonexistent/resolv.conf'),
    });
  });

  test.each(['localhost', 'LOCALHOST.', 'codec.localhost'])(
    '%s is this machine, and no server is asked',
    async (host) => {
      const resolver = createHostResolver(host, { ...DNS_DEFAULTS, resolvConf: '/no/such/file' });
      expect(await resolver.ask()).toEqual({ kind: 'addresses', ips: ['127.0.0.1'] });
    },
  );

  test('an IP address is its own answer', async () => {
    const resolver = createHostResolver('fd00::1', { ...DNS_DEFAULTS, resolvConf: '/nonexistent/resolv.conf' });
    expect(await resolver.ask()).toEqual({ kind: 'addresses', ips: ['fd00::1'] });
  });
});

describe('both families', () => {
  const v4: Found = { kind: 'ips', ips: ['10.0.0.2', '10.0.0.1'] };
  const v6: Found = { kind: 'ips', ips: ['fd00::1'] };
  const empty: Found = { kind: 'empty' };
  const absent: Found = { kind: 'absent' };
  const servfail: Found = { kind: 'failed', reason: 'SERVFAIL', silent: false };
  const timeout: Found = { kind: 'failed', reason: 'no answer', silent: true };

  test('either suffices, together they are sorted', () => {
    expect(combineFound(v4, v6)).toEqual({ kind: 'addresses', ips: ['10.0.0.1', '10.0.0.2', 'fd00::1'] });
    for (const none of [empty, absent]) {
      expect(combineFound(v4, none)).toEqual({ kind: 'addresses', ips: ['10.0.0.1', '10.0.0.2'] });
      expect(combineFound(none, v6)).toEqual({ kind: 'addresses', ips: ['fd00::1'] });
    }
  });

  test('a family that failed is unknown', () => {
    expect(combineFound(servfail, v6)).toMatchObject({ kind: 'addresses', unknown: { type: 'A', reason: 'SERVFAIL' } });
    expect(combineFound(v4, timeout)).toMatchObject({
      kind: 'addresses',
      unknown: { type: 'AAAA', reason: 'no answer' },
    });
  });

  test('a name is absent only when both say so, and failed when either failed', () => {
    expect(combineFound(absent, absent)).toEqual({ kind: 'absent' });
    expect(combineFound(absent, empty)).toEqual({ kind: 'empty' });
    expect(combineFound(empty, absent)).toEqual({ kind: 'empty' });
    expect(combineFound(absent, servfail)).toEqual({ kind: 'failed', reason: 'SERVFAIL' });
    expect(combineFound(servfail, timeout)).toEqual({ kind: 'failed', reason: 'SERVFAIL', silent: true });
  });
});
