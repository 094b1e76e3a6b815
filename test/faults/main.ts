/**
 * The fault matrix: `npm run test:faults` runs every row and writes docs/faults.md, `npm run test:faults -- ROW…` runs
 * some. Ends with 1 when a row does not keep its promise, with 2 when there is no such row.
 */
import { writeFile } from 'node:fs/promises';
import { document } from './document.ts';
import { brokenPromises } from './measure.ts';
import { rows } from './rows.ts';
import { runRow } from './run-row.ts';
import { type Done, lineOf, tableOf } from './table.ts';

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !rows.some((row) => row.name === name));
if (unknown.length > 0) {
  process.stderr.write(`there is no row ${unknown.join(', ')}; there are ${rows.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}
const done: Done[] = [];
for (const row of rows.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  const one = { row, measured: await runRow(row) };
  done.push(one);
  process.stdout.write(`${lineOf(one)}\n`);
}
process.stdout.write(`\n${tableOf(done)}\n`);
if (asked.length === 0) {
  await writeFile(new URL('../../docs/faults.md', import.meta.url), await document(done));
  process.stdout.write('\nwritten to docs/faults.md\n');
}
process.exitCode = done.some(({ row, measured }) => brokenPromises(row, measured).length > 0) ? 1 : 0;
