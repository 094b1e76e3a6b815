import { expect, test } from 'vitest';
import { troubled, UNKNOWN } from '../../../src/kubernetes/health.ts';
import type { Problem } from '../../../src/model/problem.ts';

const problem = (message: string): Problem => ({ severity: 'warning', subject: 'kubernetes ai', message });

test('the newest problem counts, since the first one', () => {
  const first = troubled({ ...UNKNOWN, listed: true }, problem('refused'), 1000);
  expect(first).toEqual({ listed: true, trouble: { problem: problem('refused'), since: 1000 } });
  expect(troubled(first, problem('500'), 2000)).toEqual({
    listed: true,
    trouble: { problem: problem('500'), since: 1000 },
  });
});
