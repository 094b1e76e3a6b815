import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { rows } from './rows.ts';
import { runRow } from './run-row.ts';

/** Just longer than the faults. */
const SHORT_MS = 3000;

test.each(['pod-killed', 'route-file-broken'])(
  '%s: nobody over the limit, nothing lost, no wrong answer',
  async (name) => {
    const row = rows.find((one) => one.name === name) ?? expect.fail(`no row ${name}`);
    const measured = await runRow(row, SHORT_MS);
    expect(measured.requests).toBeGreaterThan(300);
    expect(measured.peak, 'the pods were in full use').toBe(2);
    expect(measured, measured.examples.join('\n')).toMatchObject({ over: 0, overByAbort: 0, lost: 0, wrong: 0 });
    const explained = Object.values(measured.explained).reduce((sum, count) => sum + count, 0);
    expect(explained).toBeLessThanOrEqual(row.promise.explained ?? 0);
  },
);

test('docs/faults.md has every row', () => {
  const page = readFileSync(new URL('../../docs/faults.md', import.meta.url), 'utf8');
  for (const { name, fault, user } of rows) {
    expect(page).toContain(`| ${fault} (\`${name}\`)`);
    expect(page).toContain(`- **${fault}**: ${user}`);
  }
  expect(page).not.toContain('Broken promise');
});
