import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import { until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { closedAfterTest, startQueue } from './queue.ts';

/** What the kernel says of connections of which `filter` (see ss) holds, a queue each. */
function connections(filter: string): readonly string[] {
  const text = execFileSync('ss', ['-Htno', 'state', 'established', filter], { encoding: 'utf8' });
  return text.split('\n').filter((queue) => queue !== '');
}

const hasSs = spawnSync('ss', ['-V']).status === 0;

test.skipIf(!hasSs)(
  `clients and pods that vanish without a word are asked for: their connections have a keepalive timer${hasSs ? '' : ' (skipped: no ss, of iproute2)'}`,
  async () => {
    const queue = await startQueue({ pods: 1, limit: 1 });
    const client = closedAfterTest(http1Client({ port: queue.sluice.port }));
    const run = startLoad(client, spaced(1, 0, { work: fixed(1000) }));
    await until(async () => (await queue.stat('cluster.codec.upstream_rq_active')) === 1, {
      what: 'the request at its pod',
    });
    const [, pod = ''] = /:(\d+)$/.exec(queue.pods.addresses[0] ?? '') ?? [];
    const [fromClient, toPod] = [connections(`( sport = :${queue.sluice.port} )`), connections(`( dport = :${pod} )`)];
    expect(fromClient).toHaveLength(1);
    expect(toPod).toHaveLength(1);
    for (const connection of [...fromClient, ...toPod]) expect(connection).toContain('timer:(keepalive,');
    await run.results;
  },
);
