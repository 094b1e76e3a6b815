import { expect, test } from 'vitest';
import { ownCoordination } from '../../../src/control-plane/own-coordination.ts';
import { type KeptText, MemberRegister } from '../../../src/slots/register.ts';

/** What is kept over starts, here in memory. */
function kept(): KeptText {
  let text: string | undefined;
  return {
    read: () => text,
    write: (next) => {
      text = next;
    },
  };
}

/** A start with `--coordinator`, or without; `settles`: it succeeds. */
function start(file: KeptText | undefined, coordinator?: string, settles = true) {
  const register = new MemberRegister({
    kept: file,
    onFault: (reason) => {
      throw new Error(reason);
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
