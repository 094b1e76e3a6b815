import { styleText } from 'node:util';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { sleep, systemClock } from '../base/clock.ts';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { httpGet } from '../envoy/http-get.ts';
import { formatStatus } from '../status/format.ts';
import { type Status, statusSchema } from '../status/status.ts';
import type { Paint, Tone } from '../status/table.ts';
import { EXIT, failWith } from './exit.ts';
import { parsePort } from './options.ts';
import { stopSignal } from './stop-signal.ts';

interface Options {
  readonly admin: HostPort;
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
    .description('show what a running Sluice does: services, pods, Envoys, problems')
    // The default stands in the text: commander would print the object.
    .option('--admin <url>', `where it answers (default: http://${formatHostPort(DEFAULT_ADMIN)})`, parseAdminUrl)
    .option('--json', 'the whole status as JSON', false)
    .option('--watch', 'again and again, every second', false)
    .addHelpText(
      'after',
      '\nExamples:\n  sluice status\n  sluice status --json | jq .services\n  sluice status --watch',
    )
    .action(({ admin = DEFAULT_ADMIN, json, watch }: Partial<Options> & Omit<Options, 'admin'>) =>
      showStatus({ admin, json, watch }),
    );
}

/** `http://127.0.0.1:18001`, or the same without `http://`. Throws what commander prints to the user. */
export function parseAdminUrl(text: string): HostPort {
  const match = /^(?:http:\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new InvalidArgumentError('Write one like http://127.0.0.1:18001.');
  return { host, port: parsePort(match?.[3] ?? '') };
}

async function showStatus({ admin, json, watch }: Options): Promise<void> {
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
  show(first.value, { json, watch });
  const ended = AbortSignal.any([stopping, closed.signal]);
  while (watch && !ended.aborted) {
    await sleep(systemClock, WATCH_MS, ended);
    if (ended.aborted) return;
    const next = await askStatus(admin, ended);
    if (next.ok) show(next.value, { json, watch });
    else if (!ended.aborted) process.stderr.write(`${next.errors.join('\n')}\n`);
  }
}

interface Asked {
  readonly status: Status;
  /** As it came. */
  readonly json: unknown;
}

async function askStatus(admin: HostPort, signal: AbortSignal): Promise<Result<Asked, string>> {
  const place = `http://${formatHostPort(admin)}`;
  const answer = await httpGet(admin, '/status', AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
  if (!answer.ok) {
    return fail(
      `No Sluice answers: ${answer.errors.join('; ')}.`,
      'Start one with `sluice run` or `sluice serve --routes FILE`, or say where it answers with `--admin URL`.',
    );
  }
  const foreign = `What answers at ${place} is no Sluice, or one of another version; say where it is with \`--admin URL\`.`;
  if (answer.value.status !== 200) return fail(foreign);
  try {
    const json: unknown = JSON.parse(answer.value.body);
    const parsed = statusSchema.safeParse(json);
    return parsed.success ? ok({ status: parsed.data, json }) : fail(foreign);
  } catch {
    return fail(foreign);
  }
}

function show({ status, json }: Asked, options: Pick<Options, 'json' | 'watch'>): void {
  if (options.json) {
    // One document a line when there are many of them.
    process.stdout.write(`${JSON.stringify(json, null, options.watch ? undefined : 2)}\n`);
    return;
  }
  const text = formatStatus(status, paint);
  if (!options.watch) process.stdout.write(text);
  else process.stdout.write(process.stdout.isTTY ? `${CLEAR}${text}` : `${text}\n`);
}

/** Colours on a terminal, unless NO_COLOR says otherwise. */
const paint: Paint = (tone, text) => styleText(COLOURS[tone], text, { stream: process.stdout });
