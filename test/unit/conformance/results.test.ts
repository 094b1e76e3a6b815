import { expect, test } from 'vitest';
import { readOutcomes, tableOf } from '../../conformance/results.ts';

const OUTPUT = `=== RUN   TestConformance/A
--- FAIL: TestConformance (3.00s)
    --- PASS: TestConformance/A (0.12s)
        --- PASS: TestConformance/A/part (0.02s)
    --- FAIL: TestConformance/B (0.10s)
    --- SKIP: TestConformance/C (0.00s)
`;

test('the outcomes are those of whole tests', () => {
  expect([...readOutcomes(OUTPUT)]).toEqual([
    ['A', 'pass'],
    ['B', 'fail'],
    ['C', 'skip'],
  ]);
});

test('the table counts, and says what is not claimed', () => {
  const profiles = {
    P: [
      { name: 'B', features: ['x'] },
      { name: 'A', features: [] },
      { name: 'C', features: ['y'] },
      { name: 'D', features: [] },
    ],
  };
  expect(tableOf({ profiles, features: ['x'], outcomes: readOutcomes(OUTPUT) })).toBe(
    [
      'P: core 1 of 2, extended 0 of 2',
      '  pass     A',
      '  not run  D',
      '  fail     B (x)',
      '  left out C (y)',
      '',
    ].join('\n'),
  );
});
