import { Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { addDnsOptions, type DnsFlags, dnsSettings } from '../../../src/commands/dns-options.ts';
import { DNS_DEFAULTS } from '../../../src/endpoints/dns/source.ts';

function parsed(...args: readonly string[]) {
  const command = addDnsOptions(new Command('serve'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return dnsSettings(command.parse(args, { from: 'user' }).opts<DnsFlags>());
}

test('without options the defaults hold', () => {
  expect({ ...DNS_DEFAULTS, ...parsed() }).toEqual(DNS_DEFAULTS);
});

test('servers, also several, and times', () => {
  expect(parsed('--dns-server', '10.96.0.10', '--dns-server', '10.96.0.11:5353,[fd00::a]:53')).toMatchObject({
    servers: ['10.96.0.10', '10.96.0.11:5353', '[fd00::a]:53'],
  });
  expect(
    parsed('--dns-poll', '1s', '--dns-confirm', '3', '--dns-confirm-every', '100ms', '--dns-timeout', '1500ms'),
  ).toEqual({ pollMs: 1000, confirm: 3, confirmMs: 100, timeoutMs: 1500 });
});

test.each([
  ['--dns-server', 'dns.example', '10.96.0.10'],
  ['--dns-poll', '2', 'write 2s'],
  ['--dns-poll', '0', '10ms'],
  ['--dns-confirm', '0', '1 to 9999'],
  ['--dns-confirm', '2.5', '1 to 9999'],
])('%s %s is refused with what to write instead', (option, value, hint) => {
  const parse = () => parsed(option, value);
  expect(parse).toThrow(CommanderError);
  expect(parse).toThrow(hint);
});
