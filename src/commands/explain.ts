import { type Command, InvalidArgumentError } from 'commander';
import type { Result } from '../base/result.ts';
import { askedOf, explainRequest, readHeader, readUrl } from '../dataplane/explain.ts';
import { formatProblem } from '../model/problem.ts';
import { fileTitle } from '../routes/file/read.ts';
import { wholeMatch } from '../routes/file/regex.ts';
import { readRoutes } from '../routes/manifests/read-routes.ts';
import { EXIT, failWith } from './exit.ts';

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
    .option('-X, --method <method>', 'its method', 'GET')
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

/** Throws what commander prints to the user. */
function parseUrl(text: string): URL {
  return orThrow(readUrl(text));
}

/** Throws what commander prints to the user. */
function parseHeader(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...before, orThrow(readHeader(text))]);
}

function orThrow<T>(read: Result<T, string>): T {
  if (!read.ok) throw new InvalidArgumentError(read.errors.join(' '));
  return read.value;
}
