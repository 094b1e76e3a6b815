import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import type { HostPort } from '../base/host-port.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { formatShort } from '../status/service-row.ts';
import { printable, table } from '../status/table.ts';
import { askAdmin, giveOrder, notSluice } from './admin-client.ts';
import { EXIT, failWith } from './exit.ts';
import { adminOption, DEFAULT_ADMIN, paint } from './status.ts';

interface Options {
  readonly admin?: HostPort;
  readonly json: boolean;
  readonly most: number;
  readonly cancel?: string;
}

const listing = z.object({
  service: z.string(),
  waiting: z.number(),
  requests: z.array(
    z.object({
      id: z.string(),
      ageMs: z.number(),
      method: z.string(),
      path: z.string(),
      client: z.string(),
      requestId: z.string(),
      class: z.string(),
      tenant: z.string(),
    }),
  ),
});

/** `sluice queue SERVICE`. */
export function addQueue(program: Command): void {
  program
    .command('queue')
    .description('show who waits for a service now, the oldest first; or take a request out of the queue')
    .argument('<service>', 'its name')
    .addOption(adminOption())
    .option('--json', 'as JSON', false)
    .addOption(new Option('--most <count>', 'how many').argParser(parseCount).default(20))
    .option('--cancel <id>', 'answer a waiting request with 503: its ID as listed, or its x-request-id')
    .addHelpText('after', '\nExamples:\n  sluice queue codec\n  sluice queue codec --cancel 12')
    .action(showQueue);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 5000) throw new InvalidArgumentError('Write 1 to 5000.');
  return count;
}

async function showQueue(service: string, { admin = DEFAULT_ADMIN, json, most, cancel }: Options): Promise<void> {
  if (cancel !== undefined) {
    const done = await giveOrder(admin, `/cancel?${new URLSearchParams({ service, request: cancel })}`);
    if (done.ok) process.stdout.write(`${done.value}\n`);
    else failWith(EXIT.failed, done.errors);
    return;
  }
  const answer = await askAdmin(admin, `/queue?${new URLSearchParams({ service, most: String(most) })}`);
  const read = answer.ok ? parse(answer.value, admin) : answer;
  if (!read.ok) {
    failWith(EXIT.failed, read.errors);
    return;
  }
  process.stdout.write(json ? `${JSON.stringify(read.value, null, 2)}\n` : format(read.value));
}

function parse(body: string, admin: HostPort): Result<z.infer<typeof listing>, string> {
  try {
    return ok(listing.parse(JSON.parse(body)));
  } catch {
    return fail(notSluice(admin));
  }
}

function format({ service, waiting, requests }: z.infer<typeof listing>): string {
  if (waiting === 0) return `No request waits for ${service}.\n`;
  const classes = requests.some((request) => request.class !== '');
  const tenants = requests.some((request) => request.tenant !== '');
  const rows = requests.map(({ id, ageMs, method, path, client, requestId, ...request }) => [
    id,
    formatShort(ageMs),
    ...(classes ? [request.class] : []),
    ...(tenants ? [printable(request.tenant)] : []),
    `${method} ${printable(path)}`,
    client,
    requestId,
  ]);
  const rest = waiting - requests.length;
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  const fit = width === undefined ? undefined : { width, drop: ['X-REQUEST-ID', 'CLIENT'] };
  const lines = [
    table(
      ['ID', 'AGE', ...(classes ? ['CLASS'] : []), ...(tenants ? ['TENANT'] : []), 'REQUEST', 'CLIENT', 'X-REQUEST-ID'],
      rows,
      paint,
      fit,
    ),
  ];
  return `${[...lines, ...(rest > 0 ? [paint('quiet', `and ${rest} more`)] : [])].join('\n')}\n`;
}
