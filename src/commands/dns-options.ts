import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatDuration, type Millis, millis, parseDuration } from '../base/duration.ts';
import { parseDnsServer } from '../endpoints/dns/resolv-conf.ts';
import { DNS_DEFAULTS, type DnsOptions } from '../endpoints/dns/source.ts';

/** What commander makes of the options that `addDnsOptions` adds. */
export interface DnsFlags {
  readonly dnsServer?: readonly string[];
  readonly dnsPoll: Millis;
  readonly dnsConfirm: number;
  readonly dnsConfirmEvery: Millis;
  readonly dnsTimeout: Millis;
}

/** `--dns-server` and how often and how long DNS is asked, for commands that follow pods. */
export function addDnsOptions(command: Command): Command {
  const { pollMs, confirm, confirmMs, timeoutMs } = DNS_DEFAULTS;
  return command
    .addOption(
      new Option(
        '--dns-server <address>',
        "DNS server for `dns:` services, instead of resolv.conf's servers and search domains; may be given several times",
      )
        .argParser(anotherServer)
        .env('SLUICE_DNS_SERVER'),
    )
    .addOption(duration('--dns-poll <duration>', 'how often DNS is asked', pollMs))
    .addOption(
      new Option('--dns-confirm <answers>', 'equal answers in a row that a change of pods needs')
        .argParser(parseCount)
        .default(confirm),
    )
    .addOption(duration('--dns-confirm-every <duration>', 'how often DNS is asked about a change', confirmMs))
    .addOption(duration('--dns-timeout <duration>', "longest wait for one DNS server's answer", timeoutMs));
}

/** The settings of the DNS source that the options say. */
export function dnsSettings(flags: DnsFlags): Partial<DnsOptions> {
  const { dnsServer: servers, dnsPoll, dnsConfirm, dnsConfirmEvery, dnsTimeout } = flags;
  const times = { pollMs: dnsPoll, confirm: dnsConfirm, confirmMs: dnsConfirmEvery, timeoutMs: dnsTimeout };
  return servers === undefined ? times : { ...times, servers };
}

function duration(flags: string, description: string, ms: number): Option {
  return new Option(flags, description).argParser(parsePause).default(millis(ms), formatDuration(millis(ms)));
}

function anotherServer(text: string, before: readonly string[] = []): readonly string[] {
  // In the environment several are separated by commas.
  const servers = text.split(',').map((part) => {
    const parsed = parseDnsServer(part.trim());
    if (!parsed.ok) throw new InvalidArgumentError(parsed.errors.join('; '));
    return parsed.value;
  });
  return [...before, ...servers];
}

function parsePause(text: string): Millis {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.errors.join('; '));
  if (parsed.value < 10) throw new InvalidArgumentError('Write 10ms or more.');
  return parsed.value;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,4}$/.test(text) || count < 1) throw new InvalidArgumentError('Write a number from 1 to 9999.');
  return count;
}
