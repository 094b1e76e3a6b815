import { createServer, request, type ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import type { TestEnvoy } from '../kit/envoy.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { isListening } from '../kit/ports.ts';
import { ControlPlane, clustersOf } from './control-plane.ts';
import { CutWire } from './cut-wire.ts';

const patience = { timeout: 30_000, interval: 100 };
const CODEC = ['codec'];

/** A pod that answers when it is told to, with the path of each request it works on. */
async function patientPod() {
  const working = new Map<string, ServerResponse>();
  const pod = createServer((request, response) => {
    working.set(`${request.url}`, response);
    response.writeHead(200).write('begun, ');
  });
  return { working, address: await listenUntilTestEnds(pod) };
}

/** One request; resolves to its status and body, or how it broke off. */
function ask(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const asking = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
      response.on('error', (error) => resolve(`${response.statusCode} ${body}${error.message}`));
    });
    asking.on('error', (error) => resolve(error.message)).end();
  });
}

async function stat(envoy: TestEnvoy, name: string): Promise<number> {
  const stats = await envoy.admin.stats({ filter: name });
  return stats.ok ? (stats.value.get(name) ?? 0) : 0;
}
const removed = (envoy: TestEnvoy) => stat(envoy, 'cluster_manager.cluster_removed');
const waitingAt = (envoy: TestEnvoy) => stat(envoy, 'wasmcustom.sluice_queue_waiting.codec');

test('an Envoy that loses its service ends what runs in peace', async () => {
  const pod = await patientPod();
  const plane = await ControlPlane.start(
    {
      services: { codec: { static: [pod.address], limit: 1 } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    },
    ['--owner-grace', '1s'],
  );
  const wire = await CutWire.to(plane.xds.port);
  const first = await plane.envoy('first', { xds: { kind: 'tcp', host: '127.0.0.1', port: wire.port } });
  await expect.poll(() => clustersOf(first), patience).toEqual(CODEC);
  await expect.poll(() => isListening(plane.traffic), patience).toBe(true);
  const running = ask(plane.traffic, '/running');
  await expect.poll(() => [...pod.working.keys()], patience).toEqual(['/running']);
  const waiting = [ask(plane.traffic, '/waiting-1'), ask(plane.traffic, '/waiting-2')];
  await expect.poll(() => waitingAt(first), patience).toBe(2);

  const second = await plane.envoy('second');
  wire.cut();
  await expect.poll(() => clustersOf(second), patience).toEqual(CODEC);
  wire.mend();
  await expect.poll(() => removed(first), patience).toBe(1);
  // It works on, and those who waited do not go to the pod, which takes the requests of the new owner by now.
  expect([...pod.working.keys()]).toEqual(['/running']);
  pod.working.get('/running')?.end('ended');
  expect(await running).toBe('200 begun, ended');
  for (const answer of await Promise.all(waiting)) expect(answer).toMatch(/^503 .*No pod has seen the request/);
  expect([...pod.working.keys()]).toEqual(['/running']);
}, 120_000);
