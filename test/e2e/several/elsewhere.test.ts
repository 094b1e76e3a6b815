import { createServer, request } from 'node:http';
import { expect, test } from 'vitest';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { ControlPlane, clustersOf } from './control-plane.ts';

const patience = { timeout: 30_000, interval: 100 };

/** A pod that answers at once; its address. */
function quickPod(): Promise<string> {
  return listenUntilTestEnds(createServer((_, response) => response.end('from the pod')));
}

/** One request on a connection of its own: the status and the body. */
function ask(port: number, headers: Readonly<Record<string, string>>): Promise<readonly [number, string, string]> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/encode', agent: false, headers };
    const asking = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve([response.statusCode ?? 0, body, `${response.headers['grpc-message'] ?? ''}`]));
    });
    asking.on('error', reject).end();
  });
}

const MESSAGE =
  'This Envoy does not carry codec: its node metadata leaves it out, or slots cannot be shared with it (sluice status tells). No pod has seen the request.';

test('a request that comes to an Envoy which does not carry its service is told so', async () => {
  const plane = await ControlPlane.start({
    services: { codec: { static: [await quickPod()], limit: 1 } },
    routes: [{ match: { path: '/encode' }, service: 'codec' }],
  });
  const owner = await plane.envoy('owner');
  await expect.poll(() => clustersOf(owner), patience).toEqual(['codec']);
  const other = await plane.envoy('other', { services: ['blog'] });
  await expect.poll(() => plane.problems(), patience).toHaveLength(1);
  expect(await clustersOf(other)).toEqual([]);

  /** Every answer there is: each request may reach either Envoy. */
  const answers = async (headers: Readonly<Record<string, string>>) => {
    const seen = new Map<number, readonly [number, string, string]>();
    for (let times = 0; seen.size < 2 && times < 200; times++) {
      const answer = await ask(plane.traffic, headers);
      seen.set(answer[0], answer);
    }
    return [...seen.values()].sort(([a], [b]) => a - b);
  };
  // The listener of the second may open a moment after its clusters were settled.
  await expect.poll(async () => (await answers({})).length, patience).toBe(2);
  const [[, fromPod] = [], [, json = ''] = []] = await answers({});
  expect(fromPod).toBe('from the pod');
  expect(JSON.parse(json)).toEqual({ error: 'not carried here', message: MESSAGE, service: 'codec', status: 503 });
  const [, [status, text] = []] = await answers({ accept: 'text/plain' });
  expect([status, text]).toEqual([503, `${MESSAGE}\n`]);
  await owner.stop();
  const [, , grpc] = await ask(plane.traffic, { 'content-type': 'application/grpc' });
  expect(grpc).toBe(MESSAGE);
}, 120_000);
