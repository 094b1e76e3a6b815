import { isIP } from 'node:net';
import { fail, ok, type Result } from '../../base/result.ts';

/** Whom to ask, and under which domains to look for a short name. */
export interface DnsServers {
  /** As `Resolver.setServers` takes them: `10.0.0.10`, `10.0.0.10:5353`, `[fd00::a]:53`. At least one. */
  readonly servers: readonly string[];
  /** Domains to append, in order, without a dot at the end. */
  readonly search: readonly string[];
  /** A name with fewer dots is looked for in the search domains first. */
  readonly ndots: number;
}

/**
 * Reads a resolv.conf (see resolv.conf(5)): all `nameserver` lines, the last `search` or `domain` line, `ndots` of the
 * `options` lines. A nameserver may have a port, as c-ares takes it (`10.0.0.10:5353`). Where glibc would go on with 127.0.0.1 for want of a nameserver this is an error: a sentence.
 */
export function parseResolvConf(text: string): Result<DnsServers, string> {
  const servers: string[] = [];
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver') servers.push(...values.slice(0, 1).filter((value) => parseDnsServer(value).ok));
    if (keyword === 'search') search = values;
    if (keyword === 'domain') search = values.slice(0, 1);
    if (keyword === 'options') ndots = ndotsOf(values) ?? ndots;
  }
  if (servers.length === 0) return fail('it names no nameserver');
  return ok({ servers, search: search.map(withoutLastDot).filter((domain) => domain !== ''), ndots });
}

/**
 * The full names under which a host is looked for, in order, by the rules of resolv.conf(5). `Resolver` asks for a name
 * as it is and never applies search domains (c-ares' `ares_query`), so that is done here. A dot at the end of the host
 * says that it is full already.
 */
export function candidateNames(
  host: string,
  { search, ndots }: Pick<DnsServers, 'search' | 'ndots'>,
): readonly string[] {
  if (host.endsWith('.')) return [host.slice(0, -1)];
  const dots = host.split('.').length - 1;
  const searched = search.map((domain) => `${host}.${domain}`);
  return [...new Set(dots >= ndots ? [host, ...searched] : [...searched, host])];
}

/**
 * Checks a DNS server that a user names: an IP address, with a port if it is not 53.
 * Error: a sentence that says what to write instead.
 */
export function parseDnsServer(text: string): Result<string, string> {
  if (isIP(text) !== 0) return ok(text);
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = parts?.[1] ?? parts?.[2] ?? '';
  const port = Number(parts?.[3]);
  const family = isIP(address);
  if (port >= 1 && port <= 65_535 && family === (parts?.[1] === undefined ? 4 : 6)) return ok(text);
  return fail(
    `not a DNS server: ${JSON.stringify(text)}; write an IP address like 10.96.0.10, 10.96.0.10:5353 or [fd00::a]:53`,
  );
}

function ndotsOf(options: readonly string[]): number | undefined {
  const values = options.flatMap((option) => /^ndots:(\d+)$/.exec(option)?.[1] ?? []);
  // 15 is what glibc caps it to.
  return values.length === 0 ? undefined : Math.min(15, Number(values.at(-1)));
}

function withoutLastDot(domain: string): string {
  return domain.endsWith('.') ? domain.slice(0, -1) : domain;
}
