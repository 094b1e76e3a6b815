import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { millis } from '../../../src/base/duration.ts';
import {
  addCoordinatorOptions,
  type CoordinatorFlags,
  coordinatorChoice,
  type ServingFlags,
} from '../../../src/commands/coordinator-options.ts';
import { parseBindAddress } from '../../../src/commands/options.ts';

/** What these arguments come to; throws what commander says of them. */
function choice(args: readonly string[], { xds = '127.0.0.1:18000', ...more }: Serving = {}) {
  const command = addCoordinatorOptions(new Command('serve'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(args, { from: 'user' });
  const flags: CoordinatorFlags = command.opts();
  return coordinatorChoice(flags, { filter: 'on', xds: [parseBindAddress(xds)], ...more });
}

type Serving = Partial<Omit<ServingFlags, 'xds'>> & { readonly xds?: string };

test('an address is followed; none, or nothing, is not', () => {
  expect(choice([])).toEqual({ ok: true, value: undefined });
  expect(choice(['--coordinator', 'none'])).toEqual({ ok: true, value: 'none' });
  // Who follows nobody may reclaim slots.
  expect(choice(['--coordinator', 'none'], { slotsReclaim: millis(1) }).ok).toBe(true);
  expect(choice(['--coordinator', '127.0.0.1:18010'])).toMatchObject({
    ok: true,
    value: { address: '127.0.0.1:18010' },
  });
});

test.each([
  ['127.0.0.2:18000', '127.0.0.1:18000'],
  ['127.0.0.1:18001', '0.0.0.0:18000'],
  ['localhost:18000', '10.0.0.1:18000'],
  ['unix:/run/a.sock', 'unix:/run/b.sock'],
])('%s is another Sluice than one at %s', (coordinator, xds) => {
  expect(choice(['--coordinator', coordinator], { xds }).ok).toBe(true);
});

describe('what makes no sense is refused, with what to write', () => {
  test.each([
    ['127.0.0.1:18000', '127.0.0.1:18000'],
    ['localhost:18000', '127.0.0.1:18000'],
    ['127.0.0.1:18000', '0.0.0.0:18000'],
    ['[::1]:18000', '[::]:18000'],
    ['unix:/run/a.sock', 'unix:/run/a.sock'],
  ])('%s, where this Sluice listens itself at %s', (coordinator, xds) => {
    expect(choice(['--coordinator', coordinator], { xds })).toEqual({
      ok: false,
      errors: [
        expect.stringContaining('write the address of the other one, or start the one that coordinates without'),
      ],
    });
  });

  test.each([
    ['http://10.0.0.1:18000', 'Write HOST:PORT, without http://'],
    ['https://10.0.0.1:18000/', 'Write HOST:PORT, without https://'],
    ['127.0.0.1:0', 'write the port of its --xds'],
    ['nobody', 'Write one like 127.0.0.1:18000'],
  ])('--coordinator %s', (text, said) => {
    expect(() => choice(['--coordinator', text])).toThrow(said);
  });

  test('two of them', () => {
    const twice = ['--coordinator', '127.0.0.1:1', '--coordinator', '127.0.0.1:2'];
    expect(() => choice(twice)).toThrow('write the option once');
  });

  test.each([
    [['--coordinator', '127.0.0.1:1'], { slotsReclaim: millis(1) }, 'leave it out, and write it there'],
    [['--coordinator', '127.0.0.1:1'], { filter: 'off' as const }, 'leave one of them out'],
    [['--coordinator', '10.0.0.1:1'], {}, 'or accept it with --coordinator-insecure'],
    [['--coordinator', 'none', '--coordinator-insecure'], {}, 'write --coordinator ADDRESS as well'],
  ])('%s with %o', (args, more, said) => {
    expect(choice(args, more)).toEqual({ ok: false, errors: [expect.stringContaining(said)] });
  });
});
