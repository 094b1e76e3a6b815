import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import { pause } from '../kit/instant.ts';
import { type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { Pods } from '../kit/pods.ts';
import { overLimit } from '../kit/verdict.ts';
import { ControlPlane } from './control-plane.ts';
import { PODS, patience, someLoad } from './some-load.ts';

/** Sluice with a state folder and these Envoys, and pods of limit 1 that judge. */
async function world(...names: readonly string[]) {
  const pods = await Pods.start({ count: PODS, network: '127.0.11' });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-unreadable-'));
  onTestFinished(async () => {
    await pods.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const plane = await ControlPlane.start(
    {
      services: { codec: { static: pods.addresses, limit: 1 } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    },
    ['--state-dir', folder],
  );
  const client = http1Client({ port: plane.traffic });
  onTestFinished(() => client.close());
  for (const name of names) await plane.envoy(name);
  const answers = async () =>
    (await load(client, burst(8, { name: `warm-${performance.now()}` }))).every(({ status }) => status === 200);
  await expect.poll(answers, patience).toBe(true);
  /** The file of who may have slots. */
  const file = async () => join(folder, (await readdir(folder)).find((name) => name.startsWith('members-')) ?? '');
  return { pods, plane, client, file };
}

const failed = (results: readonly LoadResult[]) => results.filter(({ status }) => status !== 200);

const slotsProblems = async (plane: ControlPlane) =>
  (await plane.status()).problems.flatMap(({ subject, message }) => (subject === 'slots' ? [message] : []));

test('who may have slots cannot be read after a restart: no slot is made twice, that is said, and with the file back all is well', async () => {
  const { pods, plane, client, file } = await world('first', 'second');
  const run = startLoad(client, someLoad('garbled', 12));
  await pause(1000);
  await plane.process.end('SIGKILL');
  const path = await file();
  const good = await readFile(path, 'utf8');
  await writeFile(path, good.slice(0, 20));
  await plane.restart();
  await expect
    .poll(() => slotsProblems(plane), patience)
    .toEqual([
      expect.stringMatching(
        /^who may have slots is not known, as .+members-.+\.json cannot be read \(.*JSON.*\): this Sluice makes none/,
      ),
    ]);
  await pause(3000);
  expect((await plane.status()).sharing).toBeUndefined();
  expect(await readFile(path, 'utf8')).toBe(good.slice(0, 20));
  await writeFile(path, good);
  await plane.restart();
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  expect(await slotsProblems(plane)).toEqual([]);
}, 120_000);

test('an Envoy that was alone shows that nobody else has slots: it goes on as if nothing had been', async () => {
  const { pods, plane, client, file } = await world('only');
  const run = startLoad(client, someLoad('alone', 8));
  await pause(1000);
  await plane.process.end('SIGKILL');
  const path = await file();
  await writeFile(path, 'nothing that is JSON');
  await plane.restart();
  await pause(2000);
  expect(await slotsProblems(plane)).toEqual([]);
  expect(await readFile(`${path}.unreadable`, 'utf8')).toBe('nothing that is JSON');
  // Another one may come.
  await plane.envoy('next');
  await expect.poll(async () => (await plane.status()).sharing?.members.length, patience).toBe(2);
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
}, 120_000);
