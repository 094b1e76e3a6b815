import { expect, test } from 'vitest';
import { ownCoordination } from '../../../src/control-plane/own-coordination.ts';
import { type KeptText, MemberRegister } from '../../../src/slots/register.ts';

/** What is kept over starts, here in memory. */
function kept(): KeptText & { text: string | undefined; aside: string | undefined } {
  return {
    name: 'members.json',
    text: undefined,
    aside: undefined,
    read() {
      return this.text;
    },
    write(next) {
      this.text = next;
    },
    setAside() {
      this.aside = this.text;
    },
  };
}

/** A start with `--coordinator`, or without; `settles`: it succeeds. */
function start(file: KeptText | undefined, coordinator?: string, settles = true) {
  const register = new MemberRegister({
    kept: file,
    onFault(reason) {
      if (!reason.includes('is kept beside')) throw new Error(reason);
    },
  });
  const coordination = ownCoordination(register, coordinator);
  if (settles) register.settle();
  return { register, coordination };
}

const A = { node: 'a', process: '1', epoch: '1' };

test('who followed another Sluice does not coordinate without being told to, however often it is started', () => {
  const file = kept();
  expect(start(file).coordination.kind).toBe('alone');
  expect(start(file, 'one:1').coordination).toEqual({ kind: 'follows', address: 'one:1' });
  for (let round = 0; round < 2; round++)
    expect(start(file).coordination).toEqual({ kind: 'unknown', followed: 'one:1' });
  expect(start(file, 'two:1').coordination).toEqual({ kind: 'follows', address: 'two:1' });
  expect(start(file).coordination).toEqual({ kind: 'unknown', followed: 'two:1' });
});

test('--coordinator none forgets it, once and for all, and keeps who may hold slots', () => {
  const file = kept();
  start(file, 'one:1').register.add(A);
  expect(start(file, 'none').coordination.kind).toBe('alone');
  const { coordination, register } = start(file);
  expect(coordination.kind).toBe('alone');
  expect(register.members).toEqual([A]);
});

test('a start that fails changes nothing; one that a filter has come to counts at once', () => {
  const file = kept();
  start(file, 'one:1', false);
  expect(start(file).coordination.kind).toBe('alone');
  start(file, 'one:1', false).register.add(A);
  expect(start(file).coordination.kind).toBe('unknown');
  start(file, 'none', false);
  expect(start(file).coordination.kind).toBe('unknown');
  // Also a filter that was known before.
  start(file, 'none', false).register.add(A);
  expect(start(file).coordination.kind).toBe('alone');
});

test('without a state folder nothing is known of the start before', () => {
  expect(start(undefined, 'one:1').coordination.kind).toBe('follows');
  expect(start(undefined).coordination.kind).toBe('alone');
});

test('who cannot read what was kept makes no slots until it is told to, or the file is back', () => {
  const file = kept();
  start(file).register.add(A);
  const good = file.text;
  file.text = '{"term":';
  for (let round = 0; round < 2; round++) {
    expect(start(file).coordination).toMatchObject({
      kind: 'unknown',
      unreadable: { what: 'members.json', reason: expect.stringContaining('JSON') },
    });
    expect(file.text).toBe('{"term":');
  }
  file.text = good;
  expect(start(file).register.members).toEqual([A]);
  file.text = '{"term":';
  expect(start(file, 'none').coordination.kind).toBe('alone');
  expect([file.aside, start(file).coordination.kind]).toEqual(['{"term":', 'alone']);
});

test('who follows goes on with a file that cannot be read: the other one knows who may have slots', () => {
  const file = kept();
  file.text = 'x';
  expect(start(file, 'one:1').coordination).toEqual({ kind: 'follows', address: 'one:1' });
  expect([file.aside, start(file).coordination]).toEqual(['x', { kind: 'unknown', followed: 'one:1' }]);
});
