import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { reasonOf } from '../base/reason.ts';
import { formatProblem } from '../model/problem.ts';
import { parseRouteFile } from '../routes/file/parse.ts';
import { EXIT, failWith } from './exit.ts';
import { type InitialPods, initialFile } from './init-file.ts';

interface Options {
  readonly kubernetes?: InitialPods | true;
  readonly dns?: InitialPods | true;
  readonly static?: InitialPods | true;
  readonly output: string;
}

/** What stands in the file when the user names no pods: something to replace. */
const EXAMPLES = {
  kubernetes: { kind: 'kubernetes', service: 'my-service', port: '80' },
  dns: { kind: 'dns', host: 'my-service.example', port: '8080' },
  static: { kind: 'static', addresses: ['10.0.0.1:8080', '10.0.0.2:8080'] },
} as const satisfies Record<string, InitialPods>;

/** `sluice init`. */
export function addInit(program: Command): void {
  program
    .command('init')
    .description('write a commented route file to begin with')
    .addOption(
      new Option('--kubernetes [namespace/service:port]', 'pods behind a Kubernetes Service (when nothing is said)')
        .argParser(parseKubernetes)
        .conflicts(['dns', 'static']),
    )
    .addOption(
      new Option('--dns [host:port]', 'pods behind a DNS name').argParser(parseDns).conflicts(['kubernetes', 'static']),
    )
    .addOption(
      new Option('--static [address,...]', 'pods by IP address and port')
        .argParser(parseStatic)
        .conflicts(['kubernetes', 'dns']),
    )
    .option('-o, --output <file>', 'the file to write; - for standard output', 'routes.yaml')
    .addHelpText(
      'after',
      '\nA file that is there already is not touched.\n\nExamples:\n  sluice init --kubernetes ai-media/codec:80\n  sluice init --static 127.0.0.1:9101,127.0.0.1:9102 -o my-routes.yaml',
    )
    .action(init);
}

async function init(options: Options): Promise<void> {
  const text = initialFile(chosen(options));
  // Whatever was written on the command line is checked as it would be in the file.
  const parsed = parseRouteFile(text, { path: options.output, env: {}, baseDir: '.' });
  if (!parsed.ok) {
    failWith(EXIT.badInput, parsed.errors.map(formatProblem));
    return;
  }
  if (options.output === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    await writeFile(options.output, text, { flag: 'wx' });
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const why = reasonOf(error);
    failWith(EXIT.failed, [
      exists
        ? `${options.output} is there already, and was not touched; name another file with --output`
        : `${options.output} cannot be written: ${why}`,
    ]);
    return;
  }
  process.stdout.write(`${options.output} was written. Check it with: sluice validate ${options.output}\n`);
}

function chosen({ kubernetes, dns, static: addresses }: Options): InitialPods {
  if (dns !== undefined) return dns === true ? EXAMPLES.dns : dns;
  if (addresses !== undefined) return addresses === true ? EXAMPLES.static : addresses;
  return kubernetes === undefined || kubernetes === true ? EXAMPLES.kubernetes : kubernetes;
}

/** Throws what commander prints to the user. */
function parseKubernetes(text: string): InitialPods {
  const [, namespace, service, port] = /^(?:([^/:]+)\/)?([^/:]+):([^/:]+)$/.exec(text) ?? [];
  if (service === undefined || port === undefined) {
    throw new InvalidArgumentError('Write one like ai-media/codec:80, or codec:http in the namespace of Sluice.');
  }
  return { kind: 'kubernetes', ...(namespace === undefined ? {} : { namespace }), service, port };
}

/** Throws what commander prints to the user. */
function parseDns(text: string): InitialPods {
  const [, host, port] = /^([^/:]+):(\d+)$/.exec(text) ?? [];
  if (host === undefined || port === undefined) {
    throw new InvalidArgumentError('Write one like codec.ai-media.svc.cluster.local:8080.');
  }
  return { kind: 'dns', host, port };
}

/** Throws what commander prints to the user. */
function parseStatic(text: string): InitialPods {
  const addresses = text.split(',').map((one) => one.trim());
  if (addresses.some((one) => !/:\d+$/.test(one))) {
    throw new InvalidArgumentError('Write one or more like 10.0.0.1:8080,10.0.0.2:8080.');
  }
  // In YAML a bracket begins a list.
  return { kind: 'static', addresses: addresses.map((one) => (one.startsWith('[') ? `"${one}"` : one)) };
}
