import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addPairOptions, type PairFlags, pairsChoice } from '../../../src/commands/pair-options.ts';

/** What these arguments come to; throws what commander says of them. */
function choice(args: readonly string[], filter: 'on' | 'off' = 'on') {
  const command = addPairOptions(new Command('serve'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(['--pod', 'sluice-0', ...args], { from: 'user' });
  const flags: PairFlags = command.opts();
  return pairsChoice(flags, filter);
}

const own = ['--coordinator-lease', 'sluice', '--peers', '10.244.1.7'];

test('a Lease and the IP of the Pod suffice; the Secret has the name of the Lease', () => {
  expect(choice([])).toEqual({ ok: true, value: undefined });
  const address = { host: '10.244.1.7', port: 18_002 };
  const tls = { kind: 'secret', secret: 'sluice' };
  expect(choice(own)).toEqual({ ok: true, value: { lease: 'sluice', address, pod: 'sluice-0', tls } });
});

test.each([
  ['fd00::7', { host: 'fd00::7', port: 18_002 }],
  ['[fd00::7]:9000', { host: 'fd00::7', port: 9000 }],
  ['10.244.1.7:9000', { host: '10.244.1.7', port: 9000 }],
])('--peers %s', (text, address) => {
  expect(choice(['--coordinator-lease', 'sluice', '--peers', text])).toMatchObject({ ok: true, value: { address } });
});

test('another Secret, or files', () => {
  expect(choice([...own, '--peers-secret', 'mine'])).toMatchObject({ value: { tls: { secret: 'mine' } } });
  const files = ['--peers-cert', 'a.crt', '--peers-key', 'a.key', '--peers-ca', 'ca.crt'];
  const tls = { kind: 'files', certificate: 'a.crt', key: 'a.key', ca: 'ca.crt' };
  expect(choice([...own, ...files])).toMatchObject({ ok: true, value: { tls } });
});

describe('what makes no sense is refused, with what to write', () => {
  test.each([
    [['--peers', '10.244.1.7'], 'write --coordinator-lease NAME as well'],
    [['--coordinator-lease', 'sluice'], 'needs --peers'],
    [[...own, '--peers-cert', 'a.crt'], 'write all three'],
    [[...own, '--peers-secret', 'a', '--peers-cert', 'a', '--peers-key', 'b', '--peers-ca', 'c'], 'write one of them'],
  ])('%j', (args, words) => {
    const refused = choice(args);
    expect(refused.ok ? '' : refused.errors.join()).toContain(words);
  });

  test('without the filter', () => {
    const refused = choice(own, 'off');
    expect(refused.ok ? '' : refused.errors.join()).toContain('--filter off');
  });

  test.each([
    ['--coordinator-lease', 'No Name'],
    ['--coordinator-lease', 'x'.repeat(64)],
    ['--peers', 'unix:/run/sluice.sock'],
    ['--peers', 'nowhere'],
  ])('%s %s', (option, text) => {
    expect(() => choice([option, text])).toThrow(/Write (an? |one )/);
  });
});
