import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import { envoyPath } from '../kit/envoy.ts';
import { pause, until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { freePort, isListening } from '../kit/ports.ts';
import { fixed } from '../kit/random.ts';
import { routeFileText } from '../kit/sluice.ts';
import { closedAfterTest, expectKept, type Queue, routeFile, startQueue, startSluice } from './queue.ts';

/** Writes the route file anew with another port to listen on; resolves to it once Envoy takes connections there. */
async function movePort(queue: Queue): Promise<number> {
  const port = await freePort();
  await queue.sluice.edit(routeFileText(routeFile(queue.pods.addresses), port));
  await until(() => isListening(port), { what: 'Envoy at its new port' });
  await until(() => queue.stat('listener_manager.total_listeners_draining'), { what: 'the old listener to drain' });
  return port;
}

/** An Envoy that is started as always, but for its drain time. */
async function envoyThatDrainsFor(seconds: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-drain-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'envoy');
  const replace = `[ "$before" = --drain-time-s ] && one=${seconds}`;
  const loop = `for one in "$@"; do ${replace}; all+=("$one"); before=$one; done`;
  await writeFile(file, `#!/bin/bash\nall=()\n${loop}\nexec ${await envoyPath()} "\${all[@]}"\n`);
  await chmod(file, 0o755);
  return file;
}

test('Envoy cuts off what still runs at an old port when its drain time is up', async () => {
  const queue = await startQueue({ pods: 1, envoy: await envoyThatDrainsFor(2) });
  const old = startLoad(queue.http1(), burst(1, { work: fixed(60_000) }));
  await queue.untilHeld(1);
  await movePort(queue);
  const [cut] = await old.results;
  expect(cut?.outcome).toBe('failed');
});

test.each(['http1', 'h2'] as const)('with a longer one it ends in peace, and so does who waits (%s)', async (kind) => {
  const queue = await startQueue({ pods: 1 });
  const client = kind === 'h2' ? queue.h2() : queue.http1();
  const old = startLoad(client, burst(3, { work: fixed(2000) }));
  await queue.untilWaiting(2);
  const port = await movePort(queue);
  const results = await old.results;
  await expectKept(queue, results, { title: `the port is changed under long jobs, ${kind}` });
  // None of these connections is to be used again.
  if (kind === 'http1') expect(results.map(({ headers }) => headers['connection'])).toEqual(Array(3).fill('close'));
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
});

test('the port is changed under load: nobody is lost, and the limit holds for both ports together', async () => {
  const queue = await startQueue({ pods: 2, limit: 2 });
  const before = startLoad(queue.h2(), burst(20, { name: 'old', work: fixed(300) }));
  await queue.untilWaiting(16);
  const client = closedAfterTest(http1Client({ port: await movePort(queue) }));
  const after = startLoad(client, spaced(30, 15, { name: 'new', work: fixed(100) }));
  const results = [...(await before.results), ...(await after.results)];
  await expectKept(queue, results, { title: 'the port is changed under load', ordered: true, slots: [] });
});

test('a client that reads nothing for a while gets the whole answer, also on a connection that is to be closed', async () => {
  // More than the buffers of the machine take, and less than would keep Envoy from having the end of it.
  const size = 4_200_000;
  const pod = createServer((_, response) => response.end(Buffer.alloc(size, 'x'))).listen(0, '127.0.0.1');
  onTestFinished(() => void pod.close());
  await once(pod, 'listening');
  // A server on TCP.
  const { port: podPort } = pod.address() as AddressInfo;
  const sluice = await startSluice(routeFile([`127.0.0.1:${podPort}`]));
  const socket = connect(sluice.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  socket.pause();
  await pause(4000);
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  socket.resume();
  await once(socket, 'close');
  expect(bytes).toBeGreaterThan(size);
});

test('no default of Envoy limits how long a request, a stream or its idle time may be', async () => {
  const queue = await startQueue({ pods: 1, service: { timeout: { request: '3h' } } });
  const { admin } = queue.sluice.envoy;
  const routes = await admin.configDump({ resource: 'dynamic_route_configs' });
  // Defaults: 15 s for the whole, 5 min without a byte.
  const actions = valuesOf(routes, 'route').filter((action) => valuesOf(action, 'retry_policy').length > 0);
  expect(actions.length).toBe(1);
  for (const action of actions) expect(action).toMatchObject({ timeout: '0s', idle_timeout: '0s' });
  expect(valuesOf(routes, 'timeout').filter((value) => value !== '0s')).toEqual([]);
  expect(valuesOf(routes, 'max_stream_duration')).toEqual([]);
  const key = 'x-envoy-upstream-stream-duration-ms';
  const added = valuesOf(routes, 'header').filter((header) => valuesOf(header, 'key').includes(key));
  expect(new Set(added), 'what the user said').toEqual(new Set([{ key, value: '10800000' }]));
  const listeners = await admin.configDump({ resource: 'dynamic_listeners' });
  expect(valuesOf(listeners, 'stream_idle_timeout'), 'one of each listener').toEqual(Array(2).fill('0s'));
  // Not active unless they have a value.
  for (const limit of ['request_timeout', 'max_stream_duration', 'max_connection_duration'])
    expect(valuesOf(listeners, limit)).toEqual([]);
});

/** Every value that has this key, however deep; those within it follow it. */
function valuesOf(tree: unknown, key: string): readonly unknown[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([name, value]) => [...(name === key ? [value] : []), ...valuesOf(value, key)]);
}
