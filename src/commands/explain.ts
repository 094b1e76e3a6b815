import { type Command, InvalidArgumentError } from 'commander';
import { RE2 } from 're2-wasm';
import type { RequestHead } from '../model/match.ts';
import { formatProblem } from '../model/problem.ts';
import { readRouteFile } from '../routes/file/read.ts';
import { EXIT, failWith } from './exit.ts';
import { explainRequest } from './explain-text.ts';

interface Options {
  readonly method: string;
  readonly header: ReadonlyMap<string, string>;
}

/** `sluice explain FILE URL`. */
export function addExplain(program: Command): void {
  program
    .command('explain')
    .description('say which route a request takes and why not the others, where it waits, and what carries it in Envoy')
    .argument('<file>', 'the route file')
    .argument('<url>', 'what is asked for: http://host/path, or only /path', parseUrl)
    .option('-X, --method <method>', 'its method', (text: string) => text.toUpperCase(), 'GET')
    .option('-H, --header <name:value>', 'a header it has; may be given several times', parseHeader, new Map())
    .addHelpText(
      'after',
      "\nExample:\n  sluice explain routes.yaml http://infer.example/v1/codec -X POST -H 'x-tier: gold'",
    )
    .action(async (file: string, url: URL, { method, header }: Options) => {
      const read = await readRouteFile(file, process.env);
      if (!read.ok) {
        failWith(EXIT.badInput, read.errors.map(formatProblem));
        return;
      }
      process.stdout.write(explainRequest(read.value.routing, requestOf(url, method, header), wholeMatch));
    });
}

/** Stands for no host in a URL that is only a path. */
const NO_HOST = 'no-host.invalid';

/** Throws what commander prints to the user. */
function parseUrl(text: string): URL {
  const whole = text.startsWith('/') ? `http://${NO_HOST}${text}` : text;
  if (!/^https?:\/\//.test(whole) || !URL.canParse(whole)) {
    throw new InvalidArgumentError('Write one like http://host/path, or only /path.');
  }
  return new URL(whole);
}

/** Throws what commander prints to the user. */
function parseHeader(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("Write one like 'x-tier: gold'.");
  const [, name = '', value = ''] = match;
  return new Map([...before, [name.toLowerCase(), value.trimEnd()]]);
}

/** A `host` header goes before the URL's, as with curl. */
function requestOf(url: URL, method: string, headers: ReadonlyMap<string, string>): RequestHead {
  const named = url.hostname === NO_HOST ? '' : url.hostname;
  const host = (headers.get('host') ?? named).toLowerCase().replace(/:\d+$/, '');
  // The URL class resolves `.` and `..` as Envoy does.
  return { method, host, path: url.pathname, headers, query: queryOf(url.search) };
}

/** Not decoded, as Envoy compares it; the first of several values counts. */
function queryOf(search: string): ReadonlyMap<string, string> {
  const parts = search.slice(1).split('&').filter(Boolean);
  const pairs = parts.map((part) => {
    const [name = '', ...value] = part.split('=');
    return [name, value.join('=')] as const;
  });
  return new Map(pairs.reverse());
}

function wholeMatch(regex: string, text: string): boolean {
  return new RE2(`^(?:${regex})$`, 'u').test(text);
}
