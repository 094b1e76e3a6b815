import { expect, test } from 'vitest';
import { load } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import type { LogLine } from '../kit/sluice-process.ts';
import { spread } from '../kit/spread.ts';
import { type Keys, type QueueOptions, startQueue } from './queue.ts';

const exact = (path: string): Keys => ({ match: { path }, service: 'codec' });

test('a changed route file is active within a moment of the write', async () => {
  const queue = await startQueue({ pods: 4 });
  const [one = '', ...others] = queue.pods.addresses;
  // Each with the type by which it takes effect, and which Envoy acknowledges last.
  const edits: readonly { type: string; pods: readonly string[]; changes: QueueOptions }[] = [
    { type: 'RouteConfiguration', pods: [one, ...others], changes: { routes: [exact('/one')] } },
    { type: 'ClusterLoadAssignment', pods: others, changes: { routes: [exact('/one')] } },
    { type: 'Cluster', pods: others, changes: { routes: [exact('/one')], limit: 2 } },
    { type: 'RouteConfiguration', pods: [one, ...others], changes: {} },
  ];
  const took: number[] = [];
  for (let times = 0; times < 5; times += 1) {
    for (const { type, pods, changes } of edits) {
      const written = await queue.edit(pods, changes);
      took.push((await queue.sluice.acked(written, type)) - written);
    }
  }
  const { median, max, count } = spread(took);
  process.stdout.write(
    `── an edit is active after: median ${median.toFixed(0)}, max ${max.toFixed(0)} ms, n ${count}\n`,
  );
});

test('a broken edit changes nothing and says what is wrong; the corrected one is taken', async () => {
  const queue = await startQueue({ pods: 1, routes: [exact('/a')] });
  const client = queue.http1();
  const statuses = async (name: string) => {
    const results = await load(
      client,
      ['/a', '/b'].flatMap((path) => burst(1, { name: name + path, each: { path } })),
    );
    return results.map(({ status }) => status);
  };
  expect(await statuses('good')).toEqual([200, 404]);

  const broken = await queue.edit(queue.pods.addresses, {
    limit: 0,
    routes: [exact('/b'), { match: {}, servce: 'codec' }],
  });
  const told = await queue.sluice.process.logged('the mistakes', (entry) => /routes\.yaml/.test(text(entry)), broken);
  expect(text(told)).toMatch(/routes\.yaml:\d+:\d+/);
  expect(await statuses('broken')).toEqual([200, 404]);

  const corrected = await queue.edit(queue.pods.addresses, { routes: [exact('/b')] });
  await queue.sluice.acked(corrected, 'RouteConfiguration');
  expect(await statuses('corrected')).toEqual([404, 200]);
});

function text({ msg, fields }: LogLine): string {
  return `${msg} ${JSON.stringify(fields)}`;
}
