import { styleText } from 'node:util';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { sleep, systemClock } from '../base/clock.ts';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { httpGet } from '../envoy/http-get.ts';
import { type FormatOptions, formatStatus } from '../status/format.ts';
import { formatService } from '../status/format-service.ts';
import { SORTS, type Sort } from '../status/order.ts';
import { type Status, statusSchema } from '../status/status.ts';
import { type Paint, printable, type Tone } from '../status/table.ts';
import { notSluice, unreachable } from './admin-client.ts';
import { EXIT, failWith } from './exit.ts';
import { parsePort } from './options.ts';
import { stopSignal } from './stop-signal.ts';

interface Options {
  /** Of a service; undefined: everything. */
  readonly name: string | undefined;
  readonly admin: HostPort;
  /** Undefined: by name, and what matters first under `--watch`. */
  readonly sort: Sort | undefined;
  readonly json: boolean;
  readonly watch: boolean;
}

/** Where Sluice's admin listens unless told otherwise. */
export const DEFAULT_ADMIN: HostPort = { host: '127.0.0.1', port: 18_001 };

/** How long a running Sluice may take to answer, and how often it is asked under `--watch`. */
const ANSWER_MS = 5000;
const WATCH_MS = 1000;

/** Clears what is seen of the terminal, not what has scrolled by, and goes to its upper left corner. */
const CLEAR = '\u001b[H\u001b[2J';

const COLOURS = {
  good: 'green',
  doubtful: 'yellow',
  bad: 'red',
  heading: 'bold',
  quiet: 'dim',
} as const satisfies Record<Tone, string>;

/** `sluice status`. */
export function addStatus(program: Command): void {
  program
    .command('status')
    .argument('[service]', 'one service with its pods, routes, problems and recent events')
    .description('show what a running Sluice does: services, pods, Envoys, problems')
    .addOption(adminOption())
    .option('--json', 'the whole status as JSON', false)
    .option('--watch', 'again every second, what matters first', false)
    .addOption(new Option('--sort <order>', 'of the services (default: name; with --watch: trouble)').choices(SORTS))
    .addHelpText(
      'after',
      '\nExamples:\n  sluice status\n  sluice status codec\n  sluice status --watch --sort wait\n  sluice status --json | jq .services',
    )
    .action((name: string | undefined, options: Partial<Options> & Pick<Options, 'json' | 'watch'>) => {
      const { admin = DEFAULT_ADMIN, json, watch, sort } = options;
      return showStatus({ name, admin, json, watch, sort });
    });
}

/** `--admin URL`: where a running Sluice answers. The default stands in the text: commander would print the object. */
export function adminOption(): Option {
  const text = `where its --admin answers, as a URL (default: http://${formatHostPort(DEFAULT_ADMIN)})`;
  return new Option('--admin <url>', text).argParser(parseAdminUrl);
}

/** `http://127.0.0.1:18001`, or the same without `http://`. Throws what commander prints to the user. */
export function parseAdminUrl(text: string): HostPort {
  const match = /^(?:http:\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new InvalidArgumentError('Write one like http://127.0.0.1:18001.');
  return { host, port: parsePort(match?.[3] ?? '') };
}

async function showStatus(options: Options): Promise<void> {
  const { admin, watch } = options;
  const stopping = watch ? stopSignal() : new AbortController().signal;
  const closed = new AbortController();
  // Whoever reads this has had enough (`sluice status --watch | head`).
  process.stdout.on('error', () => closed.abort());
  const first = await askStatus(admin, stopping);
  if (!first.ok) {
    // Stopped by hand before it answered.
    if (stopping.aborted) return;
    failWith(EXIT.failed, first.errors);
    return;
  }
  const shown = show(first.value, options);
  if (!shown.ok) {
    failWith(EXIT.failed, shown.errors);
    return;
  }
  const ended = AbortSignal.any([stopping, closed.signal]);
  while (watch && !ended.aborted) {
    await sleep(systemClock, WATCH_MS, ended);
    if (ended.aborted) return;
    const next = await askStatus(admin, ended);
    if (next.ok) show(next.value, options);
    else if (!ended.aborted) process.stderr.write(`${next.errors.join('\n')}\n`);
  }
}

interface Asked {
  readonly status: Status;
  /** As it came. */
  readonly json: unknown;
}

async function askStatus(admin: HostPort, signal: AbortSignal): Promise<Result<Asked, string>> {
  const answer = await httpGet(admin, '/status', AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
  if (!answer.ok) return fail(...unreachable(admin, answer.errors.join('; ')));
  const foreign = notSluice(admin);
  if (answer.value.status !== 200) return fail(foreign);
  try {
    const json: unknown = JSON.parse(answer.value.body);
    const parsed = statusSchema.safeParse(json);
    return parsed.success ? ok({ status: parsed.data, json }) : fail(foreign);
  } catch {
    return fail(foreign);
  }
}

/** Errors: there is no service of that name. */
function show({ status, json }: Asked, options: Options): Result<void, string> {
  const { name, watch } = options;
  const service = status.services.find((one) => one.name === name);
  if (name !== undefined && service === undefined) return fail(...noSuchService(name, status));
  if (options.json) {
    // One document a line when there are many of them.
    const document = service === undefined ? json : service;
    process.stdout.write(`${JSON.stringify(document, null, watch ? undefined : 2)}\n`);
    return ok(undefined);
  }
  const text =
    service === undefined ? formatStatus(status, formatOptions(options)) : formatService(status, service, paint);
  if (!watch) process.stdout.write(text);
  else process.stdout.write(process.stdout.isTTY ? `${CLEAR}${text}` : `${text}\n`);
  return ok(undefined);
}

/** A terminal shows what fits; a file or a pipe gets everything. */
function formatOptions({ watch, sort }: Options): FormatOptions {
  const { isTTY, columns, rows } = process.stdout;
  const height = watch && isTTY ? rows : undefined;
  return { paint, sort: sort ?? (watch ? 'trouble' : 'name'), width: isTTY ? columns : undefined, height };
}

/** More names than these are too many to read. */
const MOST_NAMES = 10;

function noSuchService(name: string, { services }: Status): readonly string[] {
  const names = services.map((service) => service.name);
  const near = names.filter((one) => one.includes(name) || name.includes(one));
  const shown = (near.length > 0 ? near : names).slice(0, MOST_NAMES).join(', ');
  if (names.length === 0) return [`There is no service ${printable(name)}: the route file has none yet.`];
  return [`There is no service ${printable(name)}. There is ${shown}.`];
}

/** Colours on a terminal, unless NO_COLOR says otherwise. */
export const paint: Paint = (tone, text) => styleText(COLOURS[tone], text, { stream: process.stdout });
