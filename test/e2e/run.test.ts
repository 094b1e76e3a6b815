import { spawn } from 'node:child_process';
import { openSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { pause, until } from './kit/instant.ts';
import { freePorts } from './kit/ports.ts';
import { SluiceProcess } from './kit/sluice-process.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A pod that works on each request for as many milliseconds as its query says. */
async function startPod(): Promise<number> {
  const server = createServer((asked, response) => {
    setTimeout(() => response.end('done'), Number(asked.url?.split('?')[1] ?? 0));
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A TCP server has such an address.
  return (server.address() as AddressInfo).port;
}

/** A route file with one service of limit 1. */
async function writeRoutes(port: number, pod: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-run-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'routes.yaml');
  await writeFile(
    file,
    `version: 1\nlisten: {address: 127.0.0.1, port: ${port}}\nservices: {s: {static: ["127.0.0.1:${pod}"], limit: 1}}\nroutes: [{match: {prefix: /}, service: s}]\n`,
  );
  return file;
}

/** The status of the answer; 0: there was none. */
function ask(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', () => resolve(0));
    });
    sent.on('error', () => resolve(0));
    sent.end();
  });
}

async function start(...options: readonly string[]) {
  const [port = 0, admin = 0] = await freePorts(2);
  const routes = await writeRoutes(port, await startPod());
  const sluice = new SluiceProcess(['run', '--routes', routes, '--admin', `127.0.0.1:${admin}`, ...options]);
  onTestFinished(async () => {
    await sluice.end('SIGKILL');
  });
  return { port, admin, routes, sluice };
}

const isUp = ({ msg }: { readonly msg: string }) => msg === 'Envoy takes requests';

test('SIGTERM: no new connections, and what runs and what waits is answered', async () => {
  const { port, sluice } = await start();
  const { fields } = await sluice.logged('Envoy up', isUp);
  const socket = String(fields['admin']).replace('unix:', '');
  expect(statSync(socket).isSocket()).toBe(true);
  expect(statSync(socket).mode & 0o077).toBe(0);
  const answers = Promise.all([1, 2, 3].map(() => ask(port, '/?700')));
  await pause(300);
  const ended = sluice.end('SIGTERM');
  await sluice.logged('the drain', ({ msg }) => msg.startsWith('no new connections; waiting for requests to end'));
  expect(await ask(port, '/')).toBe(0);
  expect(await answers).toEqual([200, 200, 200]);
  expect(await ended).toEqual({ code: 0, signal: null });
});

test('a second signal cuts off what still runs; one that npm has doubled is no second one', async () => {
  const { port, sluice } = await start();
  await sluice.logged('Envoy up', isUp);
  const answer = ask(port, '/?30000');
  await pause(300);
  process.kill(sluice.pid ?? 0, 'SIGINT');
  process.kill(sluice.pid ?? 0, 'SIGINT');
  await pause(1500);
  expect(sluice.exit).toBeUndefined();
  process.kill(sluice.pid ?? 0, 'SIGINT');
  expect(await answer).toBe(0);
  expect(await sluice.exited).toEqual({ code: 0, signal: null });
  expect(sluice.log.at(-1)?.msg).toBeDefined();
  expect(sluice.log.some(({ msg }) => msg.includes('are cut off: a second signal'))).toBe(true);
});

test('--drain-timeout ends the wait', async () => {
  const { port, sluice } = await start('--drain-timeout', '500ms');
  await sluice.logged('Envoy up', isUp);
  const answer = ask(port, '/?30000');
  await pause(300);
  expect(await sluice.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await answer).toBe(0);
  expect(sluice.log.some(({ msg }) => msg.includes('500ms are over (--drain-timeout)'))).toBe(true);
});

test('a port that is busy at the start: not ready, said so, and taken as soon as it is free', async () => {
  const { port, admin, sluice } = await start();
  const other = createTcpServer();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  await sluice.logged('the reason', ({ msg }) => msg.startsWith('Envoy takes no requests yet'));
  const ready = async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).status;
  expect(await ready()).toBe(503);
  expect(sluice.log.some(isUp)).toBe(false);
  await new Promise((resolve) => other.close(resolve));
  await sluice.logged('Envoy up', isUp);
  expect(await ready()).toBe(200);
  expect(await ask(port, '/')).toBe(200);
  expect(sluice.log.filter(({ msg }) => msg.startsWith('Envoy rejected'))).toHaveLength(1);
});

test('a log that cannot be written stops nothing', async () => {
  const [port = 0, admin = 0] = await freePorts(2);
  const routes = await writeRoutes(port, await startPod());
  const args = [MAIN, 'run', '--routes', routes, '--admin', `127.0.0.1:${admin}`, '--log-level', 'debug'];
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, args, { stdio: ['ignore', full, full] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await until(async () => (await ask(port, '/')) === 200, { what: 'requests to be answered' });
  expect((await fetch(`http://127.0.0.1:${admin}/healthz`)).status).toBe(200);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
});

test('a place for temporary files is looked for, and named when there is none', async () => {
  const [port = 0, admin = 0] = await freePorts(2);
  const routes = await writeRoutes(port, await startPod());
  const sluice = new SluiceProcess(['run', '--routes', routes, '--admin', `127.0.0.1:${admin}`], {
    TMPDIR: '/no/such',
  });
  onTestFinished(async () => {
    await sluice.end('SIGKILL');
  });
  await sluice.logged('Envoy up', isUp);
});

test('a stop that was asked for is one line: that Envoy and its filter go away then is no news', async () => {
  const { sluice } = await start();
  await sluice.logged('Envoy up', isUp);
  expect(await sluice.end('SIGTERM')).toEqual({ code: 0, signal: null });
  const from = sluice.log.findIndex(({ msg }) => msg === 'stopping');
  expect(sluice.log.slice(from).map(({ msg }) => msg)).toEqual(['stopping']);
});
