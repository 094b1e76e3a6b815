import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { reasonOf } from '../../base/reason.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type Answer, type RecordType, sortIps } from './answers.ts';
import { candidateNames, type DnsServers, parseResolvConf } from './resolv-conf.ts';

/** Where and how patiently to ask. */
export interface ResolveOptions {
  /** Servers to ask instead of resolv.conf's, as `parseDnsServer` takes them; resolv.conf is then not read at all. */
  readonly servers?: readonly string[];
  /** Search domains and ndots that go with `servers`. */
  readonly search?: readonly string[];
  readonly ndots?: number;
  /** File to read servers and search domains from, anew for every question. */
  readonly resolvConf: string;
  /** Longest wait for one server's answer, in milliseconds. */
  readonly timeoutMs: number;
  /** How often each server is asked before the question counts as failed. */
  readonly tries: number;
}

/** Asks about one host, whenever it is told to. */
export interface HostResolver {
  /** One round of questions; must have ended before the next begins. Never rejects. */
  ask(): Promise<Answer>;
  /** Ends a question that is under way: its answer is then `failed`. */
  cancel(): void;
}

/** What one question about one name gave. */
export type Found =
  | { readonly kind: 'ips'; readonly ips: readonly string[] }
  | { readonly kind: 'empty' | 'absent' }
  | { readonly kind: 'failed'; readonly reason: string; readonly silent: boolean };

/** Names that mean this machine everywhere. */
const LOCALHOST = /^(?:.+\.)?localhost\.?$/i;

/**
 * Asks DNS servers directly with `Resolver`: `lookup` (getaddrinfo) reads /etc/hosts, may be served from a cache (nscd,
 * systemd-resolved), sorts by the machine's own routes and may cut the list. A truncated answer is asked for again over
 * TCP, a dead server is passed over, CNAMEs are followed, and no answer is kept for its TTL: c-ares and node see to that.
 */
export function createHostResolver(host: string, options: ResolveOptions): HostResolver {
  const { timeoutMs, tries } = options;
  // Without maxTimeout c-ares doubles the wait with every try.
  const resolver = new Resolver({ timeout: timeoutMs, tries, maxTimeout: timeoutMs });
  let asked = '';
  let answered: string | undefined;
  const findOnServers = (name: string) => find(resolver, name);
  return {
    async ask() {
      if (isIP(host) !== 0) return { kind: 'addresses', ips: [host] };
      // DNS servers are not to be asked, and say that there is no such name (RFC 6761). One address: with ::1 as well one
      // process would be two pods.
      if (LOCALHOST.test(host)) return { kind: 'addresses', ips: ['127.0.0.1'] };
      const from = await whomToAsk(options);
      if (!from.ok) return { kind: 'failed', reason: from.errors.join('; ') };
      if (asked !== from.value.servers.join(' ')) resolver.setServers(from.value.servers);
      asked = from.value.servers.join(' ');
      const [answer, name] = await search(candidateNames(host, from.value), answered, findOnServers);
      answered = name ?? answered;
      return answer;
    },
    cancel: () => resolver.cancel(),
  };
}

async function whomToAsk({
  servers,
  search = [],
  ndots = 1,
  resolvConf,
}: ResolveOptions): Promise<Result<DnsServers, string>> {
  if (servers !== undefined && servers.length > 0) return ok({ servers, search, ndots });
  try {
    const parsed = parseResolvConf(await readFile(resolvConf, 'utf8'));
    return parsed.ok ? parsed : fail(...parsed.errors.map((error) => `${resolvConf}: ${error}`));
  } catch (error) {
    return fail(`${resolvConf} cannot be read: ${reasonOf(error)}`);
  }
}

/**
 * Looks for the host under each of its names, as glibc does: on to the next one when a name does not exist, has no
 * address, or a server refuses it; but a server that is silent ends the search. The name that `answered` before is
 * asked first, and when it cannot be asked no other is: pods of another name are never taken for this one's because a
 * server had a bad moment, and a search list costs its questions only once.
 */
export async function search(
  names: readonly string[],
  answered: string | undefined,
  find: (name: string) => Promise<Answer | SilentFailure>,
): Promise<readonly [Answer, string?]> {
  const known = names.find((name) => name === answered);
  const order = known === undefined ? names : [known, ...names.filter((name) => name !== known)];
  let failure: Answer | undefined;
  let empty: Answer | undefined;
  for (const name of order) {
    const found = await find(name);
    if (found.kind === 'addresses') return [found, name];
    if (found.kind === 'empty') empty ??= found;
    if (found.kind === 'failed') {
      failure ??= { kind: 'failed', reason: found.reason };
      if (name === known || 'silent' in found) break;
    }
  }
  return [failure ?? empty ?? { kind: 'absent' }];
}

/** A failure because nobody answered, as opposed to a server that answered with a refusal. */
export interface SilentFailure {
  readonly kind: 'failed';
  readonly reason: string;
  readonly silent: true;
}

async function find(resolver: Resolver, name: string): Promise<Answer | SilentFailure> {
  const [a, aaaa] = await Promise.all([
    query(name, 'A', () => resolver.resolve4(name)),
    query(name, 'AAAA', () => resolver.resolve6(name)),
  ]);
  return combineFound(a, aaaa);
}

async function query(name: string, type: RecordType, ask: () => Promise<string[]>): Promise<Found> {
  try {
    const ips = await ask();
    return ips.length === 0 ? { kind: 'empty' } : { kind: 'ips', ips };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    switch (code) {
      case 'ENOTFOUND':
      // A search domain can make a name too long to exist.
      case 'EBADNAME':
        return { kind: 'absent' };
      case 'ENODATA':
        return { kind: 'empty' };
      default: {
        const silent = !ANSWERED.has(code);
        return { kind: 'failed', reason: `${type} of ${name}: ${WORDS[code] ?? code}`, silent };
      }
    }
  }
}

/** Codes for which a server did answer, only without success. */
const ANSWERED: ReadonlySet<string> = new Set(['ESERVFAIL', 'EREFUSED', 'ENOTIMP', 'EFORMERR', 'EBADRESP']);

const WORDS: Readonly<Record<string, string>> = {
  ETIMEOUT: 'no DNS server answered in time',
  ECONNREFUSED: 'no DNS server could be reached',
  ESERVFAIL: 'the DNS server failed (SERVFAIL)',
  EREFUSED: 'the DNS server refused (REFUSED)',
  ECANCELLED: 'cancelled',
};

/** One answer from the questions for both families: either suffices, and a name is absent only when both say so. */
export function combineFound(a: Found, aaaa: Found): Answer | SilentFailure {
  const ips = sortIps([a, aaaa].flatMap((found) => (found.kind === 'ips' ? found.ips : [])));
  const [failed, type]: readonly [Found, RecordType] = a.kind === 'failed' ? [a, 'A'] : [aaaa, 'AAAA'];
  if (ips.length > 0) {
    if (failed.kind !== 'failed') return { kind: 'addresses', ips };
    return { kind: 'addresses', ips, unknown: { type, reason: failed.reason } };
  }
  if (failed.kind === 'failed') {
    const { reason } = failed;
    const silent = [a, aaaa].some((found) => found.kind === 'failed' && found.silent);
    return silent ? { kind: 'failed', reason, silent } : { kind: 'failed', reason };
  }
  return a.kind === 'absent' && aaaa.kind === 'absent' ? { kind: 'absent' } : { kind: 'empty' };
}
