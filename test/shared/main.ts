/**
 * Several Envoys under faults: `npm run test:shared` runs every row and prints a table, `npm run test:shared -- ROW…` runs
 * some. Needs root, `ip` and `iptables`: each Envoy has a network namespace. Ends with 1 when a
 * row does not keep its promise, with 2 when there is no such row.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { brokenPromises, type Done, lineOf, markdownOf } from './measure.ts';
import { prepare } from './net.ts';
import { rows } from './rows.ts';
import { runRow } from './run-row.ts';
import { PODS } from './world.ts';

const INSIDE = 'SLUICE_TEST_SHARED_INSIDE';

if (process.env[INSIDE] === undefined) {
  // A namespace of its own: nothing of the machine's network is touched.
  const args = ['--net', process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const { status, error } = spawnSync('unshare', args, { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } });
  if (error !== undefined) process.stderr.write(`cannot make a network namespace: ${error.message}\n`);
  process.exit(status ?? 1);
}
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !rows.some((row) => row.name === name));
if (unknown.length > 0) {
  process.stderr.write(`there is no row ${unknown.join(', ')}; there are ${rows.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}
prepare(PODS);
const done: Done[] = [];
for (const row of rows.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  const one = { row, measured: await runRow(row) };
  done.push(one);
  process.stdout.write(`${lineOf(one)}\n`);
}
process.stdout.write(`\n${markdownOf(done)}`);
process.exit(done.some(({ row, measured }) => brokenPromises(row, measured).length > 0) ? 1 : 0);
