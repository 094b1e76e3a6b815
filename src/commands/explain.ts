import { type Command, InvalidArgumentError } from 'commander';
import { RE2 } from 're2-wasm';
import { formatProblem } from '../model/problem.ts';
import { fileTitle } from '../routes/file/read.ts';
import { readRoutes } from '../routes/manifests/read-routes.ts';
import { EXIT, failWith } from './exit.ts';
import { type ExplainInput, explainRequest } from './explain-text.ts';

interface Options {
  readonly method: string;
  readonly header: ReadonlyMap<string, string>;
}

/** `sluice explain FILE URL`. */
export function addExplain(program: Command): void {
  program
    .command('explain')
    .description(
      'say which route a request takes and why not the others, where it waits, and the parts of Envoy it goes through',
    )
    .argument('<file>', 'the route file, or a file of Kubernetes objects (Ingress, HTTPRoute, VirtualService, …)')
    .argument('<url>', 'what is asked for: http://host/path, or only /path', parseUrl)
    .option('-X, --method <method>', 'its method', (text: string) => text.toUpperCase(), 'GET')
    .option('-H, --header <name:value>', 'a header it has; may be given several times', parseHeader, new Map())
    .addHelpText(
      'after',
      "\nExample:\n  sluice explain routes.yaml http://infer.example/v1/codec -X POST -H 'x-tier: gold'\n\nExit codes: 0 a route takes it, 1 none does.",
    )
    .action(async (file: string, url: URL, { method, header }: Options) => {
      const read = await readRoutes(file, process.env);
      if (!read.ok) {
        failWith(EXIT.badInput, read.errors.map(formatProblem));
        return;
      }
      const { routing, places } = read.value;
      const { taken, text } = explainRequest({
        routing,
        ...askedOf(url, method, header),
        wholeMatch,
        placeOf: ({ name }) => {
          const place = places.get(name);
          return place === undefined ? undefined : `${fileTitle(file)}:${place.line}`;
        },
      });
      process.stdout.write(text);
      if (!taken) process.exitCode = EXIT.failed;
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

/** What is asked for. A `host` header goes before the URL's, as with curl. */
export function askedOf(
  url: URL,
  method: string,
  headers: ReadonlyMap<string, string>,
): Pick<ExplainInput, 'request' | 'asked' | 'port'> {
  const named = url.hostname === NO_HOST ? '' : url.host;
  const authority = (headers.get('host') ?? named).toLowerCase();
  const host = authority.replace(/:\d+$/, '');
  // The URL class resolves `.` and `..` as Envoy does.
  const { pathname: path, search, port } = url;
  return {
    request: { method, host, path, headers, query: queryOf(search) },
    asked: { scheme: url.protocol === 'https:' ? 'https' : 'http', authority, path, query: search },
    ...(port === '' ? {} : { port: Number(port) }),
  };
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
