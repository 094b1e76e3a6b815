import { describe, expect, test } from 'vitest';
import type { Answer } from '../../../../src/source/dns/answers.ts';
import { createHostResolver, type SilentFailure, search } from '../../../../src/source/dns/resolve.ts';
import { DNS_DEFAULTS } from '../../../../src/source/dns/source.ts';

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

  test('an IP address is its own answer', async () => {
    const resolver = createHostResolver('fd00::1', { ...DNS_DEFAULTS, resolvConf: '/nonexistent/resolv.conf' });
    expect(await resolver.ask()).toEqual({ kind: 'addresses', ips: ['fd00::1'] });
  });
});
