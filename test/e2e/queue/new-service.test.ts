import { expect, onTestFinished, test } from 'vitest';
import { h2Client } from '../kit/client-h2.ts';
import { pause } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { type Keys, startQueue } from './queue.ts';

test('a new service under load: no request meets a moment in which only half of it is there', async () => {
  const queue = await startQueue({ pods: 4, limit: 50 });
  const [own, ...others] = queue.pods.addresses;
  const services: Record<string, Keys> = { codec: { static: [own], limit: 50 } };
  const routes: Keys[] = [{ match: { prefix: '/' }, service: 'codec' }];
  for (const [at, name] of ['first', 'second', 'third'].entries()) {
    const client = h2Client({ port: queue.sluice.port, path: `/${name}` });
    onTestFinished(() => client.close());
    // Until the edit arrives they go to codec, then to the new service.
    const run = startLoad(client, spaced(300, 5, { work: fixed(5) }));
    await pause(200);
    services[name] = { static: [others[at]], limit: 50 };
    routes.push({ match: { prefix: `/${name}` }, service: name });
    await queue.sluice.edit({ services, routes });
    const results = await run.results;
    expect(results.filter(({ status }) => status !== 200)).toEqual([]);
    expect(await queue.stat(`cluster.${name}.upstream_rq_total`)).toBeGreaterThan(0);
  }
});
