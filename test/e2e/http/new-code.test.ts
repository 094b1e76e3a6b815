import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { FilterOptions } from '../../../src/dataplane/options.ts';
import { until } from '../kit/instant.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { codecRoutes, startStage, wasmFilter } from './stage.ts';

/** The same code with other bytes: WebAssembly ignores sections that it does not know. */
function otherBytes(filter: FilterOptions, version: string): FilterOptions {
  if (filter.kind === 'off') throw new Error('there is no code');
  const name = Buffer.from(version);
  const section = Buffer.concat([Buffer.from([0, name.length + 1, name.length]), name]);
  return { ...filter, code: Buffer.concat([filter.code, section]), version };
}

/** A pod whose answers are given by the test. */
async function heldPod() {
  const held: ServerResponse[] = [];
  const pod = await listenUntilTestEnds(createServer((_, response) => held.push(response)));
  return { held, pod };
}

test('new code of the filter closes no connection, and loses nobody who runs or waits', async () => {
  const { held, pod } = await heldPod();
  const { port, hellos, update, envoy } = await startStage(codecRoutes([pod]));
  const idle = connect(port, '127.0.0.1');
  onTestFinished(() => {
    idle.destroy();
  });
  let isClosed = false;
  idle.on('close', () => {
    isClosed = true;
  });
  idle.on('error', () => {});
  const ask = () =>
    fetch(`http://127.0.0.1:${port}/`).then(async (answer) => `${answer.status} ${await answer.text()}`);
  const old = [ask(), ask(), ask()];
  await until(() => held.length === 1, { what: 'one to run' });

  await update(otherBytes(wasmFilter(), 'second'));
  await until(() => hellos.includes('second'), { what: 'the new code to say hello' });
  for (let count = 1; count <= old.length; count++) {
    await until(() => held.length >= count, { what: `request ${count} at the pod` });
    held[count - 1]?.end('ok');
  }
  expect(await Promise.all(old)).toEqual(Array(3).fill('200 ok'));

  const later = ask();
  await until(() => held.length === 4, { what: 'a request by the new code' });
  held[3]?.end('ok');
  expect(await later).toBe('200 ok');
  expect(isClosed).toBe(false);
  expect(envoy.logs).toEqual([]);
});
